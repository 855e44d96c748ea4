# Six on-demand members become Spot, a third of them at a time: the new ones serve before the old ones go.
members: 6 m5.large on-demand
max: 6

00:00 look
----
launch 2 Spot in us-east-1a for us-east-1/web, from 3 pools
tag us-east-1/web with spotward:owner-max-size=6/8 and spotward:suspended-processes=AZRebalance
set the max size of us-east-1/web to 8
suspend AZRebalance of us-east-1/web
attach i-101 and i-102 to us-east-1/web
terminate i-1 through us-east-1/web
terminate i-4 through us-east-1/web
launch 2 Spot in us-east-1b for us-east-1/web, from 3 pools
attach i-103 and i-104 to us-east-1/web
terminate i-2 through us-east-1/web
terminate i-5 through us-east-1/web
launch 2 Spot in us-east-1c for us-east-1/web, from 3 pools
attach i-105 and i-106 to us-east-1/web
terminate i-3 through us-east-1/web
terminate i-6 through us-east-1/web
set the max size of us-east-1/web to 6
resume AZRebalance of us-east-1/web
remove the tags spotward:owner-max-size and spotward:suspended-processes from us-east-1/web
