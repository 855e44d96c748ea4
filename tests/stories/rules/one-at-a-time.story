# One flow of the rule runs at a time. What comes meanwhile waits; what is heard again of an open one joins it.
swap takes 60
rules:
  - name: rebalance
    events: prometheus.server.alert.SpotInstanceTooExpensive
    group_by: labels.asg_name
    concurrency: 1
    steps:
      - {plugin: swap, timeout: 5m, on_failure: {run: [{plugin: notify}]}}

00:00 alert SpotInstanceTooExpensive number 1 asg_name=web
----
00:00  call swap of rebalance
       begun by prometheus.server.alert.SpotInstanceTooExpensive, for web

00:01 alert SpotInstanceTooExpensive number 2 asg_name=api
----
(nothing)
       begun by prometheus.server.alert.SpotInstanceTooExpensive, for api

00:02 alert SpotInstanceTooExpensive number 3 asg_name=web
----
01:00  call swap of rebalance
       done: swap
       done: swap
