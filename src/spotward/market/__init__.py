"""WHAT CAPACITY COSTS AND RISKS.

Knows: instance types and what each can replace, which pools (type and zone) are on offer, their Spot and on-demand
prices, and how to rank them. The ranking sits behind a port, so that a better estimate of risk can take its place.
Must not know: groups, wishes, or how prices were fetched. It compares values it was given.
Read first: `catalogue`, then `recommend`.
"""
