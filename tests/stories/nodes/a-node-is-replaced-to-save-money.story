# A node on demand becomes Spot: the new one is ready first, then the old one is emptied, and only then does it go.
group: 1 m5.large on-demand
pods on n-1: web-1, db-0 grace 60

00:00 look
----
00:00  launch 1 Spot in us-east-1a for us-east-1/web, from 3 pools
00:28  attach i-101 to us-east-1/web
00:48  cordon n-1, with taint spotward.io/leaving and label node.kubernetes.io/exclude-from-external-load-balancers
00:48  evict default/db-0 and default/web-1 from n-1
00:53  terminate i-1 through us-east-1/web
01:53  delete the node n-1
           launched i-101 (c5.large in us-east-1a)
           n-1 is empty: 2 pods: 2 in good order
           1 of 1 replaced by c5.large (spot)
           n-1 (its instance is stopping): 2 pods: 2 in good order; done 30 s before the deadline
