# A member that is a Kubernetes node is left alone where no cluster is looked after: nobody could drain it. The other moves.
members: 2 m5.large on-demand

00:00 node i-1
----
(nothing)

00:01 look
----
launch 1 Spot in us-east-1b for us-east-1/web, from 3 pools
attach i-101 to us-east-1/web
terminate i-2 through us-east-1/web
