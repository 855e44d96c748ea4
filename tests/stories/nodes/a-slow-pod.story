# Ten minutes of grace do not fit into two minutes of notice. The pod gets what there is, and the report names it.
nodes: 2
pods on n-1: slow-1 grace 600 slow, web-1

00:10 interruption i-1
----
00:10  cordon n-1, with taint spotward.io/leaving and label node.kubernetes.io/exclude-from-external-load-balancers
00:10  evict default/slow-1 (in 99 s) and default/web-1 from n-1
03:10  delete the node n-1
           is in no Auto Scaling group: it is not replaced; its node n-1 is looked after
           n-1 is empty: 2 pods: 1 in good order and 1 with less time than they have; done 21 s before the deadline
           n-1 (EC2 takes the Spot instance): 2 pods: 1 in good order and 1 with less time than they have; done 21 s before the deadline
