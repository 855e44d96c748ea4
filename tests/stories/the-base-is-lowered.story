# The base holds both ways: where it is lowered, what it kept on demand becomes Spot.
members: 2 m5.large on-demand
tags: spotward:enabled=true spotward:on-demand-base=2

00:00 look
----
(nothing)

05:00 owner tags spotward:on-demand-base=1
----
launch 1 Spot in us-east-1b for us-east-1/web, from 3 pools
attach i-101 to us-east-1/web
terminate i-2 through us-east-1/web
