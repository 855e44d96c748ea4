# A budget never opens, and nothing forces the node: after an hour it stays, and its successor leaves in its place.
group: 1 m5.large on-demand
pods on n-1: web-1
budget: web max unavailable 0

00:00 look
----
00:00  launch 1 Spot in us-east-1a for us-east-1/web, from 3 pools
00:28  attach i-101 to us-east-1/web
00:48  cordon n-1, with taint spotward.io/leaving and label node.kubernetes.io/exclude-from-external-load-balancers
           launched i-101 (c5.large in us-east-1a)
           n-1 is not empty: default/web-1: its budget default/web allows none to be missing (maxUnavailable 0)

30:00 look
----
(nothing)

59:00 look
----
60:48  take back from n-1: cordon, taint spotward.io/leaving and label node.kubernetes.io/exclude-from-external-load-balancers
60:48  cordon n-101, with taint spotward.io/leaving and label node.kubernetes.io/exclude-from-external-load-balancers
60:53  terminate i-101 through us-east-1/web
61:53  delete the node n-101
           n-1 stays: its replacement was given up
           n-101 is empty: no pod had to be moved
           0 of 1 replaced; i-1 could not be emptied within 1 h, so it stays: default/web-1: its budget default/web allows none to be missing (maxUnavailable 0)
           left alone until 1970-01-01 01:05:53Z: i-1 could not be emptied within 1 h, so it stays: default/web-1: its budget default/web allows none to be missing (maxUnavailable 0)
           n-101 (its instance is stopping): no pod had to be moved; done 30 s before the deadline

62:00 look
----
65:53  launch 1 Spot in us-east-1a for us-east-1/web, from 3 pools
66:22  attach i-102 to us-east-1/web
66:42  cordon n-1, with taint spotward.io/leaving and label node.kubernetes.io/exclude-from-external-load-balancers
           launched i-102 (c5.large in us-east-1a)
           n-1 is not empty: default/web-1: its budget default/web allows none to be missing (maxUnavailable 0)
