# Maintenance in two hours: an hour before, the node is emptied. When it is cancelled, the node is given back.
nodes: 2
pods on n-1: web-1, job-1 bare

00:10 maintenance i-1 in 120
----
60:10  cordon n-1, with taint spotward.io/leaving and label node.kubernetes.io/exclude-from-external-load-balancers
60:10  evict default/web-1 from n-1
           n-1 is not empty: default/job-1: a bare pod, which nobody makes again: it is moved only when the machine goes whatever we do

61:00 silence i-1 5
----
(nothing)
           connection refused; what is asked of it is asked again and again, and nothing is forgotten meanwhile
           its API server answers again, and everything goes on

70:00 cancelled i-1
----
70:00  take back from n-1: cordon, taint spotward.io/leaving and label node.kubernetes.io/exclude-from-external-load-balancers
           n-1 stays: the maintenance is canceled
