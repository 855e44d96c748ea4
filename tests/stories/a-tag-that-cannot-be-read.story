# A mistake in a tag never falls back to a default: the group is left alone until the tag is right.
members: 1 m5.large on-demand
tags: spotward:enabled=true spotward:on-demand-base=two

00:00 look
----
(nothing)
because its tag spotward:on-demand-base says 'two', which is not a whole number of 0 or more; correct the tag

05:00 owner tags spotward:on-demand-base=0
----
launch 1 Spot in us-east-1a for us-east-1/web, from 3 pools
attach i-101 to us-east-1/web
terminate i-1 through us-east-1/web
