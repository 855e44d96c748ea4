# Capacity Rebalancing is on: AWS launches the successor itself, and two would be one too many.
members: 2 c5.large spot
capacity rebalancing: on

00:00 look
----
(nothing)

01:00 advice i-1
----
(nothing)

02:00 interruption i-1
----
(nothing)
