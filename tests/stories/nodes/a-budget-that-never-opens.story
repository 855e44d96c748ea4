# The owner allows none of the replicas to be missing. The pod is left as long as it can be, and then given all its time
# to stop: that is better than being killed with its machine.
nodes: 2
pods on n-1: web-1
budget: web max unavailable 0

00:10 interruption i-1
----
00:10  cordon n-1, with taint spotward.io/leaving and label node.kubernetes.io/exclude-from-external-load-balancers
01:20  delete default/web-1 from n-1
03:10  delete the node n-1
           is in no Auto Scaling group: it is not replaced; its node n-1 is looked after
           n-1 is empty: 1 pod: 1 in good order; 1 past a disruption budget; done 48 s before the deadline
           n-1 (EC2 takes the Spot instance): 1 pod: 1 in good order; 1 past a disruption budget; done 48 s before the deadline
