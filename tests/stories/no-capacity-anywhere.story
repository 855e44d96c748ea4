# With no Spot to be had the members stay on demand, and the reason can be read.
members: 2 m5.large on-demand

00:00 drought c5.large m5a.large m6i.large
----
(nothing)

00:01 look
----
launch 1 Spot in us-east-1a for us-east-1/web, from 3 pools
launch 1 Spot in us-east-1b for us-east-1/web, from 3 pools

05:00 look
----
launch 1 Spot in us-east-1a for us-east-1/web, from 3 pools
