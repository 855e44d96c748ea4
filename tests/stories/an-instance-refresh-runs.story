# AWS is replacing the members itself: Spotward waits until it is done.
members: 2 m5.large on-demand
instance refresh: running

00:00 look
----
(nothing)
because an instance refresh is running: AWS replaces its members itself
