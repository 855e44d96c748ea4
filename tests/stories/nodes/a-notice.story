# A node is interrupted. It is cordoned, emptied in order, and cleared up once the machine is off.
nodes: 2
pods on n-1: web-1, web-2 grace 60, dns-1 priority 2000000000, agent-1 daemon

00:10 interruption i-1
----
00:10  cordon n-1, with taint spotward.io/leaving and label node.kubernetes.io/exclude-from-external-load-balancers
00:10  evict default/web-2 and default/web-1 from n-1
00:12  evict default/dns-1 from n-1
03:10  delete the node n-1
           is in no Auto Scaling group: it is not replaced; its node n-1 is looked after
           n-1 is empty: 3 pods: 3 in good order; done 2 min before the deadline
           n-1 (EC2 takes the Spot instance): 3 pods: 3 in good order; done 2 min before the deadline
