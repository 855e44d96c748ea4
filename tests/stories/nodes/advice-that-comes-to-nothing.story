# EC2 advises to move off an instance, and nobody can replace it. It gets no new pods; a later notice empties it.
nodes: 2
pods on n-1: web-1

00:10 advice i-1
----
00:10  cordon n-1, with taint spotward.io/leaving
           is in no Auto Scaling group: it is not replaced; its node n-1 is looked after
           no successor of n-1 was ready within 20 min

30:00 interruption i-1
----
30:00  cordon n-1, with taint spotward.io/leaving and label node.kubernetes.io/exclude-from-external-load-balancers
30:00  evict default/web-1 from n-1
33:00  delete the node n-1
           n-1 is empty: 1 pod: 1 in good order; done 2 min before the deadline
           n-1 (EC2 takes the Spot instance): 1 pod: 1 in good order; done 2 min before the deadline; no successor of n-1 was ready within 20 min
