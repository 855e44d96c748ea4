# A plugin that hangs holds up its own chain. Somebody gives up on it, and later has it go on.
drain hangs
rules:
  - name: empty
    events: prometheus.server.alert.Empty
    steps:
      - {plugin: drain, timeout: 2m}
  - name: tell
    events: prometheus.server.alert.Tell
    steps:
      - {plugin: notify}

00:00 alert Empty
----
00:00  call drain of empty
       begun by prometheus.server.alert.Empty, for itself

00:10 alert Tell
----
00:10  call notify of tell
       begun by prometheus.server.alert.Tell, for itself
       done: notify

01:00 cancel
----
(nothing)
       cancelled by ops

03:00 retry
----
03:00  call drain of empty
       it goes on where it stopped
       failed: drain failed: no answer in time; it may have been done
