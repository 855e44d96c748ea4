# The process is killed while a plugin is at work. What had not answered is asked again; what was done is not.
swap takes 20
rules:
  - name: termination
    events: prometheus.server.alert.*
    steps:
      - {plugin: drain}
      - {plugin: swap}
      - {plugin: notify}

00:00 alert SpotTerminationNotice instance_id=i-1
----
00:00  call drain of termination
00:00  call swap of termination
       begun by prometheus.server.alert.SpotTerminationNotice, for itself

00:05 killed
----
00:05  call swap of termination
00:25  call notify of termination
       done: drain, swap, notify
