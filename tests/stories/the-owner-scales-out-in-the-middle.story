# What the owner asks for while new and old members serve side by side is what the group ends with: ten, and not ten less
# what we had added to three.
members: 3 m5.large on-demand
max: 3
tags: spotward:enabled=true spotward:surge-percentage=100

00:00 look
----
launch 1 Spot in us-east-1a for us-east-1/web, from 3 pools
launch 1 Spot in us-east-1b for us-east-1/web, from 3 pools
launch 1 Spot in us-east-1c for us-east-1/web, from 3 pools
tag us-east-1/web with spotward:owner-max-size=3/6 and spotward:suspended-processes=AZRebalance
set the max size of us-east-1/web to 6
suspend AZRebalance of us-east-1/web

00:32 owner sets desired 10 max 12
----
attach i-101, i-102 and i-103 to us-east-1/web
tag us-east-1/web with spotward:owner-max-size=12/13
set the max size of us-east-1/web to 13
attach i-101, i-102 and i-103 to us-east-1/web
terminate i-1 through us-east-1/web
terminate i-2 through us-east-1/web
terminate i-3 through us-east-1/web
launch 3 Spot in us-east-1a for us-east-1/web, from 3 pools
launch 2 Spot in us-east-1b for us-east-1/web, from 3 pools
launch 2 Spot in us-east-1c for us-east-1/web, from 3 pools
tag us-east-1/web with spotward:owner-max-size=12/13/17
set the max size of us-east-1/web to 17
attach i-111, i-112, i-113, i-114, i-115 and 2 more to us-east-1/web
terminate i-104 through us-east-1/web
terminate i-105 through us-east-1/web
terminate i-109 through us-east-1/web
terminate i-107 through us-east-1/web
terminate i-108 through us-east-1/web
terminate i-110 through us-east-1/web
terminate i-106 through us-east-1/web
set the max size of us-east-1/web to 12
resume AZRebalance of us-east-1/web
remove the tags spotward:owner-max-size and spotward:suspended-processes from us-east-1/web
