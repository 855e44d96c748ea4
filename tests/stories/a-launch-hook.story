# AWS runs no launch hook for an attached instance, so the group is left alone until its owner says that it may be skipped.
members: 2 m5.large on-demand
launch hooks: configure

00:00 look
----
(nothing)
because it has the launch hook configure, which AWS does not run for an attached instance; if its instances come up without, tag it spotward:launch-hooks=skip
