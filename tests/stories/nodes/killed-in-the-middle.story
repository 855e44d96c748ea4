# Spotward is killed between the cordon and the end, twice. Nothing is done twice, and nothing is forgotten.
nodes: 2
pods on n-1: web-1, dns-1 priority 2000000000

00:10 interruption i-1
----
00:10  cordon n-1, with taint spotward.io/leaving and label node.kubernetes.io/exclude-from-external-load-balancers
00:10  evict default/web-1 from n-1
           is in no Auto Scaling group: it is not replaced; its node n-1 is looked after

00:11 killed now
----
00:12  evict default/dns-1 from n-1

00:13 killed now
----
03:10  delete the node n-1
           n-1 is empty: 2 pods: 2 in good order; done 2 min before the deadline
           n-1 (EC2 takes the Spot instance): 2 pods: 2 in good order; done 2 min before the deadline
