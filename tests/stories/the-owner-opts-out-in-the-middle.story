# Off means off: what has not joined is terminated, and everything is as it was.
members: 3 m5.large on-demand
max: 3

00:00 look
----
launch 1 Spot in us-east-1a for us-east-1/web, from 3 pools
tag us-east-1/web with spotward:owner-max-size=3/4
set the max size of us-east-1/web to 4

00:15 owner tags spotward:enabled=false
----
terminate i-101
set the max size of us-east-1/web to 3
remove the tag spotward:owner-max-size from us-east-1/web
