# The group is deleted while its new member boots: that one is terminated at once, so that nothing blocks the deletion.
members: 1 m5.large on-demand

00:00 look
----
launch 1 Spot in us-east-1a for us-east-1/web, from 3 pools

00:15 delete
----
terminate i-101
