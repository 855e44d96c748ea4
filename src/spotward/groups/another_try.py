"""When a fleet gave too few instances: whether to try again, and where.

A swap that only saves money does not insist: its members stay on demand, the dry pools rest, and a later swap tries
others. A rescue insists: other Spot pools first, then on-demand, zone by zone, because the member is leaving anyway.
"""

from dataclasses import replace

from spotward.groups.birth import affordable, pools_by_zone, with_another_launch
from spotward.groups.policy import GroupsPolicy
from spotward.groups.swap_facts import with_trouble
from spotward.model.cloud import Group, Lifecycle, Pool
from spotward.model.undertaking import CloneState, Swap, SwapCause
from spotward.model.world import World


def with_another_try(swap: Swap, world: World, group: Group, policy: GroupsPolicy) -> Swap:
    """The swap, with one more launch where it insists on more instances and there is still a place to try."""
    missing = len(swap.olds) - sum(c.state not in (CloneState.FAILED, CloneState.GONE) for c in swap.clones)
    if missing <= 0 or swap.cause is SwapCause.SAVING or swap.owed or swap.retired:
        return swap
    if any(not launch.answered for launch in swap.launches) or _too_late(swap, world, policy):
        return swap
    return _spot(swap, world, group, policy, missing) or _on_demand(swap, group, missing)


def _too_late(swap: Swap, world: World, policy: GroupsPolicy) -> bool:
    return swap.deadline is not None and world.time > swap.deadline - policy.rescue_limit_seconds


def _spot(swap: Swap, world: World, group: Group, policy: GroupsPolicy, missing: int) -> Swap | None:
    if swap.cause is SwapCause.BASE:
        return None
    tried = {pool for launch in swap.launches if launch.lifecycle is Lifecycle.SPOT for pool in launch.pools}
    fresh = [offer for offer in affordable(world, group, swap.offers) if offer.pool not in tried]
    for zone, pools in pools_by_zone(fresh, policy).items():
        return with_another_launch(swap, az=zone, count=missing, lifecycle=Lifecycle.SPOT, pools=pools)
    return None


def _on_demand(swap: Swap, group: Group, missing: int) -> Swap:
    tried = {launch.az for launch in swap.launches if launch.lifecycle is Lifecycle.ON_DEMAND}
    wanted = [old.az for old in swap.olds]
    zones = sorted((z for z in group.azs if z not in tried), key=lambda z: (z not in wanted, z))
    if not zones:
        return with_trouble(swap, f"no zone has {swap.instance_type}, on demand or Spot")
    pool = Pool(instance_type=swap.instance_type, az=zones[0])
    swap = with_another_launch(swap, az=zones[0], count=missing, lifecycle=Lifecycle.ON_DEMAND, pools=(pool,))
    if swap.cause is SwapCause.BASE:
        return swap
    return replace(with_trouble(swap, "no Spot pool had capacity, so it is on demand"))
