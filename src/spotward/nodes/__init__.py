"""DECISIONS ABOUT KUBERNETES NODES.

Knows: when a node must be emptied and by when, in which order its pods go, what is asked of a budget and when it is
passed, what a lifecycle hook waits for, what we set on a node and so may take back, and what is told of it all. It
reads the World and returns wishes; guards admit or refuse them, in words.
Must not know: how a wish is carried out, Auto Scaling groups beyond the facts on a swap (the neighbour room decides
about groups), or the time beyond the event's own.
Read first: `intake` (what opens an incident), then `steps` (the table of what an incident calls for), then `ladder`
(what is done about one pod), then `guard`.
"""
