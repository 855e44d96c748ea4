# On EC2's advice a member moves to a better pool, and where none has capacity it waits: most that are advised of are never
# taken. At the notice its successor is on demand: capacity first, money second. Later that one is a candidate again.
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

02:00 interruption i-1
----
launch 1 on demand in us-east-1a for us-east-1/web
attach i-101 to us-east-1/web
terminate i-1 through us-east-1/web
launch 1 Spot in us-east-1a for us-east-1/web, from 2 pools
