# The node is emptied first, then its machine replaced. The first drain fails; it is tried again, under the same key.
drain fails 1 time
rules:
  - name: termination
    events: prometheus.server.alert.SpotTerminationNotice
    group_by: labels.instance_id
    cooldown: 10m
    steps:
      - {plugin: drain, retries: 2}
      - {plugin: swap}

00:00 alert SpotTerminationNotice instance_id=i-1
----
00:00  call drain of termination
00:02  call drain of termination, try 2
00:02  call swap of termination
       begun by prometheus.server.alert.SpotTerminationNotice, for i-1
       drain is tried again: it did not work
       done: drain, swap

00:30 alert SpotTerminationNotice instance_id=i-1
----
(nothing)

01:00 alert SpotTerminationNotice resolved instance_id=i-1
----
(nothing)
       no rule takes it: alerts that are over are taken only by rules whose events end in `.resolved`

02:00 alert SpotTerminationNotice number 2 instance_id=i-1
----
(nothing)
       passed over: its last flow has ended, and its cooldown lasts until 12:10:02

03:00 alert SpotTerminationNotise instance_id=i-2
----
(nothing)
       no rule takes events of its type; a rule names `prometheus.server.alert.SpotTerminationNotice`, which is nearly the same
