# On EC2's advice the successor is launched first, in another pool.
members: 2 c5.large spot

00:00 look
----
(nothing)

01:00 advice i-1
----
launch 1 Spot in us-east-1a for us-east-1/web, from 2 pools
attach i-101 to us-east-1/web
terminate i-1 through us-east-1/web
