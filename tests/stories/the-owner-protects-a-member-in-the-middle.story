# A member that its owner protects meanwhile stays, so the new one that was to take its place goes.
members: 1 m5.large on-demand
max: 2

00:00 look
----
launch 1 Spot in us-east-1a for us-east-1/web, from 3 pools

00:10 owner protects i-1
----
terminate i-101
