"""When a fleet gave too few instances: whether to try again, and where.

A swap that only saves money, or that somebody ordered, does not insist: its members stay, the dry pools rest, and a
later swap tries others. A rescue tries other Spot pools; at a notice it insists, and then on-demand, zone by zone,
because the member is leaving anyway. On advice alone a member is worth a better pool and no more: most that are advised
of are never taken.
"""

from collections import Counter
from collections.abc import Mapping, Sequence

from spotward.groups.assess import zones_of
from spotward.groups.birth import affordable, pools_by_zone, with_another_launch
from spotward.groups.policy import GroupsPolicy
from spotward.groups.swap_facts import UNATTACHED, with_trouble
from spotward.model.cloud import Group, Lifecycle, Pool
from spotward.model.undertaking import CloneState, Swap, SwapCause
from spotward.model.world import World

Places = Mapping[str, tuple[Pool, ...]]
"""Zone → the pools that a fleet may choose from there; zones in order of preference."""


def with_another_try(swap: Swap, world: World, group: Group, policy: GroupsPolicy) -> Swap:
    """The swap, with further launches where it insists on more instances and there is still a place to try."""
    missing = len(swap.olds) - sum(c.state not in (CloneState.FAILED, CloneState.GONE) for c in swap.clones)
    if missing <= 0 or swap.cause in (SwapCause.SAVING, SwapCause.ASKED) or swap.owed or swap.retired:
        return swap
    if any(not launch.answered for launch in swap.launches) or too_late(swap, world, policy):
        return swap
    if swap.urgent:
        untried = _spot_places(swap, world, group, policy)
        if untried:
            return _launching(swap, group, missing, Lifecycle.SPOT, untried)
    if swap.cause is SwapCause.REBALANCE:
        return swap
    return _on_demand(swap, group, missing)


def too_late(swap: Swap, world: World, policy: GroupsPolicy) -> bool:
    """Is the deadline so near that nothing can be launched for it any more?"""
    return swap.deadline is not None and world.time > swap.deadline - policy.rescue_limit_seconds


def _spot_places(swap: Swap, world: World, group: Group, policy: GroupsPolicy) -> Places:
    tried = {pool for launch in swap.launches if launch.lifecycle is Lifecycle.SPOT for pool in launch.pools}
    return pools_by_zone([o for o in affordable(world, group, swap.offers) if o.pool not in tried], policy)


def _on_demand(swap: Swap, group: Group, missing: int) -> Swap:
    tried = {launch.az for launch in swap.launches if launch.lifecycle is Lifecycle.ON_DEMAND}
    wanted = [old.az for old in swap.olds]
    zones = sorted((z for z in group.azs if z not in tried), key=lambda z: (z not in wanted, z))
    if not zones:
        return with_trouble(swap, f"no zone has {swap.instance_type}, on demand or Spot")
    places = {zone: (Pool(instance_type=swap.instance_type, az=zone),) for zone in zones}
    if swap.urgent:
        swap = with_trouble(swap, "no Spot pool had capacity, so it is on demand")
    return _launching(swap, group, missing, Lifecycle.ON_DEMAND, places)


def _launching(swap: Swap, group: Group, missing: int, lifecycle: Lifecycle, places: Places) -> Swap:
    """So many more, each in the zone that would then be the emptiest."""
    counts = zones_of(group, {old.id for old in swap.olds})
    counts.update(c.az for c in swap.clones if c.state in UNATTACHED)
    for zone, count in _emptiest_first(missing, counts, list(places)).items():
        swap = with_another_launch(swap, az=zone, count=count, lifecycle=lifecycle, pools=places[zone])
    return swap


def _emptiest_first(number: int, counts: Counter[str], zones: Sequence[str]) -> Counter[str]:
    chosen: Counter[str] = Counter()
    for _ in range(number):
        chosen[min(zones, key=lambda z: (counts[z] + chosen[z], zones.index(z)))] += 1
    return chosen
