"""How much of a group stays on demand, and how it is spread over zones. Counting alone."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from spotward.groups.policy import GroupPolicy


def on_demand_wanted(policy: GroupPolicy, total: int) -> int:
    """How many of `total` members are to be on demand: the base, and a percentage of what is above it.

    Rounded up in favour of on-demand, as EC2 Auto Scaling does it for a mixed-instances policy
    (docs.aws.amazon.com/autoscaling/ec2/userguide/mixed-instances-groups-instances-distribution.html).
    """
    base = min(policy.on_demand_base, total)
    if policy.larger_of_base_and_percentage:
        return max(base, _share(total, policy.on_demand_percentage))
    return base + _share(total - base, policy.on_demand_percentage)


def _share(number: int, percentage: int) -> int:
    return -(-number * percentage // 100)


def surge(policy: GroupPolicy, desired: int) -> int:
    """How many members of a group of that size may be replaced at once; rounded up, as Kubernetes rounds a surge.

    Below 50 per hundred it is never half of them: of three that vote one leaves at a time, not two.
    """
    wanted = max(1, _share(desired, policy.surge_percentage))
    minority = max(1, (desired - 1) // 2)
    return wanted if policy.surge_percentage >= 50 else min(wanted, minority)


def spread(zones: Mapping[str, int]) -> int:
    """By how many members the fullest zone is ahead of the emptiest."""
    return max(zones.values()) - min(zones.values()) if zones else 0


def placed(
    *,
    staying: Iterable[str],
    leaving: Sequence[str],
    zones: Sequence[str],
    open_zones: Sequence[str],
) -> tuple[str, ...] | None:
    """Zones for as many new members as are leaving, so that the group's spread over its zones stays within one.

    staying: the zone of each member that stays; leaving: the zone of each that is replaced; zones: all zones of the
    group; open_zones: those where a pool is to be had, cheapest first. A group that is already spread by more than
    one may stay as it is, but never gets worse. None when that cannot be done.
    """
    if not open_zones:
        return None
    counts = Counter(dict.fromkeys(zones, 0))
    counts.update(staying)
    before = Counter(counts)
    before.update(leaving)
    chosen: list[str] = []
    for _ in leaving:
        zone = min(open_zones, key=lambda z: (counts[z], open_zones.index(z)))
        counts[zone] += 1
        chosen.append(zone)
    return tuple(chosen) if spread(counts) <= max(1, spread(before)) else None
