"""The instance metadata service (IMDS) as an instance would find it, for drills and tests.

Nothing here loads moto or the virtual cloud: `spotward imds` is up in the time that Python takes. Who the instances are
and what EC2 has in store for them comes from a `Machines`; `timeline` is the scripted one, the embedded cloud another.
Read first: `metadata`, then `service`; `door` puts it on a port.
"""
