"""HTTP BY HAND: a client and a server that weigh next to nothing.

What runs on every node must not cost what a web framework or an SDK costs. So this room knows HTTP/1.1 (by h11, which
keeps the protocol), one kept connection on one side, and one function that answers on the other.
Must not know: who speaks to whom about what. It carries, and says in words what went wrong.
Read first: `values`; then `client` and `server`.
"""
