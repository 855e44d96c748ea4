"""THE SAME CORE ON VIRTUAL TIME, and the virtual cloud it plays in.

Knows: a market of pools with finite capacity and moving prices, instances that take time to start, Auto Scaling groups
that keep their desired capacity, and checks that must hold after every step. All chance comes from one seed.
Must not know: sockets, files, threads or the machine's clock. Time here is a number that a heap moves forward, so one
seed gives one history on every machine.
Read first: `cloud`.
"""
