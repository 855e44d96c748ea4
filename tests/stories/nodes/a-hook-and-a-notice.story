# The group takes an instance out and waits; while it waits EC2 gives notice. It is one incident, and the hook is completed
# when the node is empty.
nodes: 2
pods on n-1: batch-1 grace 300 slow

00:10 hook i-1
----
00:10  cordon n-1, with taint spotward.io/leaving and label node.kubernetes.io/exclude-from-external-load-balancers
00:10  evict default/batch-1 from n-1

01:00 interruption i-1
----
01:10  ask web to wait longer at the hook drain for i-1
02:10  ask web to wait longer at the hook drain for i-1
02:40  delete default/batch-1 (in 1 s) from n-1
02:41  complete the hook drain of web for i-1
04:00  delete the node n-1
           is in no Auto Scaling group: it is not replaced; its node n-1 is looked after
           n-1 is empty: 1 pod: 1 with less time than they have; done 19 s before the deadline
           n-1 (EC2 takes the Spot instance): 1 pod: 1 with less time than they have; done 19 s before the deadline
