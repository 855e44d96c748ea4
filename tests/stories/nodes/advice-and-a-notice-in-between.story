# On advice the replacement comes first. A notice comes in between: what was launched is used, and the node emptied at once.
group: 3 c5.large spot
pods on n-1: web-1 grace 60

00:00 look
----
(nothing)

01:00 advice i-1
----
01:00  cordon n-1, with taint spotward.io/leaving
01:02  launch 1 Spot in us-east-1a for us-east-1/web, from 2 pools
           launched i-101 (m5a.large in us-east-1a)

01:15 interruption i-1
----
01:15  cordon n-1, with taint spotward.io/leaving and label node.kubernetes.io/exclude-from-external-load-balancers
01:15  evict default/web-1 from n-1
01:30  attach i-101 to us-east-1/web
01:50  terminate i-1 through us-east-1/web
02:50  delete the node n-1
           n-1 is empty: 1 pod: 1 in good order; done 2 min before the deadline
           1 of 1 replaced by m5a.large (spot)
           n-1 (EC2 takes the Spot instance): 1 pod: 1 in good order; done 60 s before the deadline
