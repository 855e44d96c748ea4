# On EC2 advice with no Spot to be had the successor is on demand: capacity first, money second. Later it is a candidate again.
members: 2 c5.large spot

00:00 look
----
(nothing)

00:30 drought c5.large m5a.large m6i.large
----
(nothing)

01:00 advice i-1
----
launch 1 Spot in us-east-1a for us-east-1/web, from 2 pools
launch 1 Spot in us-east-1b for us-east-1/web, from 3 pools
launch 1 on demand in us-east-1a for us-east-1/web
attach i-101 to us-east-1/web
terminate i-1 through us-east-1/web
launch 1 Spot in us-east-1a for us-east-1/web, from 3 pools
