"""DECISIONS ABOUT AUTO SCALING GROUPS.

Knows: which groups opted in, how much on-demand capacity each must keep, which member is replaced next and by what,
and every reason to leave a group alone. It reads the World and returns wishes; guards admit or refuse them, in words.
Must not know: how a wish is carried out, Kubernetes (the neighbour room decides about nodes), or the time beyond the
event's own.
Read first: `scope` (off means off: evaluated before anything else), then `replace`, then `guard`.
"""
