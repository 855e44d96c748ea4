# A base of one on-demand member: one of three Spot members is turned back.
members: 3 c5.large spot
tags: spotward:enabled=true spotward:on-demand-base=1

00:00 look
----
launch 1 on demand in us-east-1a for us-east-1/web
attach i-101 to us-east-1/web
terminate i-1 through us-east-1/web
