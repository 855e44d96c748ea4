# AWS may deliver one interruption notice several times. The second delivery must change nothing.
members: 2 c5.large spot

00:00 look
----
(nothing)

05:00 interruption i-1
----
launch 1 Spot in us-east-1a for us-east-1/web, from 2 pools

05:05 interruption i-1
----
attach i-101 to us-east-1/web
terminate i-1 through us-east-1/web
