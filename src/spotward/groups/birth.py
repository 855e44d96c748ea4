"""How a swap is planned: which members, into which zones, from which pools. Frozen here, carried out in `swap`."""

import hashlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

from spotward.groups.assess import zones_of
from spotward.groups.capacity import placed
from spotward.groups.order_ends import spared
from spotward.groups.policy import TAG_STANDS_FOR, GroupsPolicy
from spotward.groups.residence import is_node
from spotward.market.recommend import within_margin
from spotward.model.cloud import Group, GroupDetails, GroupId, Instance, LaunchSource, Lifecycle, Pool, PoolOffer
from spotward.model.undertaking import Launch, Old, Swap, SwapCause
from spotward.model.world import World

NAME_LENGTH_MAX = 120
"""A launch key is the value of an instance's tag, which may have 256 characters; a group's name may have 255."""

NAME_HASH_LENGTH = 8
"""So many characters tell two groups apart whose names look alike once they are cut or freed of characters."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Candidate:
    """A member that should be replaced, known as an instance."""

    instance: Instance
    az: str


def shape(instance: Instance) -> tuple[str, str, str, str]:
    """What all members of one batch have in common: type, product, architecture and virtualization."""
    return (instance.original_type, instance.product, instance.architecture, instance.virtualization)


def swap_key(group: Group, cause: SwapCause, time: float, first: str) -> str:
    """Unique, readable, and valid as a tag's value.

    The time alone would not do: notices come in storms, and their times are whole seconds. The first member to be
    replaced is in no other open swap.
    """
    return f"swap {_name_in_key(group.id)} {cause} {time:.3f} {first}"


def _name_in_key(subject: GroupId) -> str:
    """The group's id, as it is where a tag can hold it; else as much of it as a tag holds, and a hash of the whole."""
    name = "".join(c if c.isalnum() or c in "+-=._:/@ " else "_" for c in subject)[:NAME_LENGTH_MAX]
    if name == subject:
        return name
    return f"{name}-{hashlib.sha256(subject.encode()).hexdigest()[:NAME_HASH_LENGTH]}"


def with_another_launch(swap: Swap, *, az: str, count: int, lifecycle: Lifecycle, pools: tuple[Pool, ...]) -> Swap:
    """The swap with one more fleet to be asked for."""
    key = f"{swap.key} {az} {len(swap.launches) + 1}"
    launch = Launch(key=key, az=az, count=count, lifecycle=lifecycle, pools=pools)
    return replace(swap, launches=(*swap.launches, launch))


def affordable(world: World, group: Group, offers: Sequence[PoolOffer]) -> tuple[PoolOffer, ...]:
    """Offers in zones of the group, without the pools that rest by now."""
    resting = set(world.resting_pools(group.region))
    return tuple(o for o in offers if o.pool not in resting and o.pool.az in group.azs)


def pools_by_zone(offers: Sequence[PoolOffer], policy: GroupsPolicy) -> dict[str, tuple[Pool, ...]]:
    """For each zone with an offer the pools that EC2 may choose from; zones in order of their best offer."""
    zones: dict[str, list[PoolOffer]] = {}
    for offer in offers:
        zones.setdefault(offer.pool.az, []).append(offer)
    return {
        zone: tuple(o.pool for o in within_margin(inside, policy.margin_percentage)[: policy.pools_per_fleet_max])
        for zone, inside in zones.items()
    }


def evenly(
    group: Group, candidates: Sequence[Candidate], zones: Sequence[str], most: int
) -> dict[str, list[Candidate]]:
    """As many candidates as can be replaced, at most `most`, with the zone that each one's successor goes to.

    Keys are zones. A candidate whose replacement would spread the group unevenly is left out. Where there are more than
    `most`, zone after zone is taken: a batch then puts few zones at risk, and takes few fleets.
    """
    chosen: list[Candidate] = []
    plan: tuple[str, ...] = ()
    for candidate in _zone_after_zone(candidates):
        if len(chosen) == most:
            break
        trial = [*chosen, candidate]
        leaving = {c.instance.id for c in trial}
        found = placed(
            staying=zones_of(group, leaving).elements(),
            leaving=[c.az for c in trial],
            zones=group.azs,
            open_zones=zones,
        )
        if found is not None:
            chosen, plan = trial, found
    by_zone: dict[str, list[Candidate]] = {}
    for candidate, zone in zip(chosen, plan, strict=True):
        by_zone.setdefault(zone, []).append(candidate)
    return by_zone


def _zone_after_zone(candidates: Sequence[Candidate]) -> list[Candidate]:
    """The zone with most of them first; within a zone the order stays."""
    inside = Counter(candidate.az for candidate in candidates)
    return sorted(candidates, key=lambda candidate: (-inside[candidate.az], candidate.az))


def newborn(
    world: World,
    group: Group,
    details: GroupDetails,
    policy: GroupsPolicy,
    *,
    cause: SwapCause,
    candidates: Sequence[Candidate],
    source: LaunchSource,
    offers: tuple[PoolOffer, ...],
    on_demand_usd_per_hour: float | None,
    deadline: float | None = None,
) -> Swap:
    """A swap without a launch yet."""
    running_on = spared(world, group.id, [c.instance.id for c in candidates])
    original = candidates[0].instance.original_type
    tags = {name: group.tags[name] for name in group.propagated if name in group.tags}
    tags[TAG_STANDS_FOR] = original
    several = len(group.azs) > 1 and len(candidates) > 1
    others = world.undertakings_of(group.id)
    unexplained = others[0].unexplained if others else 0
    first_look_seconds = policy.first_look_seconds if deadline is None else policy.look_seconds
    return Swap(
        key=swap_key(group, cause, world.time, candidates[0].instance.id),
        region=group.region,
        group=group.name,
        cause=cause,
        born=world.time,
        deadline=deadline,
        olds=tuple(
            Old(
                id=c.instance.id,
                instance_type=c.instance.instance_type,
                az=c.az,
                runs_on=c.instance.id in running_on,
            )
            for c in candidates
        ),
        launch_source=source,
        subnets=tuple(sorted((zone, subnet) for subnet, zone in details.subnets.items())),
        instance_type=original,
        offers=offers,
        on_demand_usd_per_hour=on_demand_usd_per_hour,
        instance_tags=tuple(sorted(tags.items())),
        of_nodes=any(is_node(world, c.instance.id) for c in candidates),
        suspend=("AZRebalance",) if several and "AZRebalance" not in group.suspended else (),
        launches=(),
        desired_seen=group.desired - unexplained,
        unexplained=unexplained,
        look_time=world.time + first_look_seconds,
    )
