"""HTTP BY HAND: a client and a server that weigh next to nothing.

Knows: HTTP/1.1 (h11 keeps the protocol), one kept connection on one side, one function that answers on the other. What
runs on every node must not cost what a web framework or an SDK costs.
Must not know: who speaks to whom about what. It carries, and says in words what went wrong.
Read first: `values`; then `client` and `server`.
"""
