# Killed again and again, the swap goes on from what is there: nothing is launched twice, and all is put back.
members: 1 m5.large on-demand
max: 1

00:00 look
----
(nothing)

00:02 restart
----
launch 1 Spot in us-east-1a for us-east-1/web, from 3 pools
tag us-east-1/web with spotward:owner-max-size=1/2
set the max size of us-east-1/web to 2

00:12 restart
----
attach i-101 to us-east-1/web

00:40 restart
----
terminate i-1 through us-east-1/web
set the max size of us-east-1/web to 1
remove the tag spotward:owner-max-size from us-east-1/web

01:00 restart
----
(nothing)
