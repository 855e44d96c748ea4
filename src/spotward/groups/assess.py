"""What is to become of each member of a group, and why: the one answer that `plan`, `run` and `explain` share.

Kept members count towards the on-demand base in the order: those that cannot be replaced anyway, then the longest-
serving ones, evenly over the zones. A group that has too few on-demand members gets Spot members turned back.
"""

from collections import Counter, defaultdict
from dataclasses import dataclass
from enum import StrEnum

from spotward.groups.capacity import on_demand_wanted
from spotward.groups.policy import GroupPolicy
from spotward.groups.residence import is_node, of_nodes, why_not_replaced
from spotward.model.cloud import Group, Instance, Lifecycle, Member
from spotward.model.undertaking import CloneState
from spotward.model.world import World


class Fate(StrEnum):
    """What is to become of a member."""

    KEEP = "keep"
    TO_SPOT = "replace by Spot"
    TO_ON_DEMAND = "replace by on-demand"


@dataclass(frozen=True, kw_only=True, slots=True)
class Prospect:
    """One member, what is to become of it, and why."""

    member: Member
    instance: Instance | None
    fate: Fate
    reason: str
    hindered: bool = False
    """It is kept because nobody may replace it now."""
    for_cluster: bool = False
    """It is kept because of what is known, or not known, of the Kubernetes cluster."""


def assess(
    world: World, group: Group, policy: GroupPolicy, *, cluster_awaited: bool = False, asked: bool = False
) -> tuple[Prospect, ...]:
    """A prospect for every member, in the order of the group.

    cluster_awaited: see `GroupsPolicy`. asked: as it is for members that somebody orders to be replaced.
    """
    voluntary = asked or not policy.only_when_asked
    busy = {old.id for swap in world.undertakings_of(group.id) for old in swap.olds}
    in_cluster = _hindrances_in_cluster(world, group, cluster_awaited=cluster_awaited)
    hindrances = {m.instance_id: _hindrance(world, m, busy, in_cluster.get(m.instance_id)) for m in group.members}
    instances = {i.id: i for i in world.members(group)}
    staying = [m for m in group.members if not m.leaving]
    owed = sum(swap.owed for swap in world.undertakings_of(group.id))
    wanted = on_demand_wanted(policy, max(0, group.desired - owed))
    on_demand = [m for m in staying if _lifecycle(instances, m) is Lifecycle.ON_DEMAND]
    free = _longest_serving_evenly([m for m in on_demand if hindrances[m.instance_id] is None], instances)
    base_left = max(0, wanted - (len(on_demand) - len(free)))
    kept = {m.instance_id for m in free[:base_left]}
    missing = max(0, wanted - len(on_demand) - _coming_on_demand(world, group)) if voluntary else 0
    spot = [m for m in staying if _lifecycle(instances, m) is Lifecycle.SPOT and hindrances[m.instance_id] is None]
    turned_back = {m.instance_id for m in _longest_serving_evenly(spot, instances)[:missing]}

    def prospect(member: Member) -> Prospect:
        instance = instances.get(member.instance_id)
        hindrance = hindrances[member.instance_id]
        if hindrance is not None:
            fate, reason = Fate.KEEP, hindrance
        elif member.instance_id in turned_back:
            fate, reason = Fate.TO_ON_DEMAND, f"the group keeps {wanted} on demand and has {len(on_demand)}"
        elif _lifecycle(instances, member) is Lifecycle.SPOT:
            advised = member.instance_id in world.dooms
            fate, reason = Fate.KEEP, "EC2 advises to move off it" if advised else "is Spot already"
        elif member.instance_id in kept:
            fate, reason = Fate.KEEP, f"stays on demand: the group keeps {wanted} of {group.desired} so"
        elif not voluntary:
            fate, reason = Fate.KEEP, "on demand above the base; its group is changed only when somebody asks for it"
        else:
            drained = "; its node is emptied first" if is_node(world, member.instance_id) else ""
            fate, reason = Fate.TO_SPOT, f"on demand above the base{drained}"
        for_cluster = hindrance is not None and hindrance == in_cluster.get(member.instance_id)
        return Prospect(
            member=member,
            instance=instance,
            fate=fate,
            reason=reason,
            hindered=hindrance is not None,
            for_cluster=for_cluster,
        )

    return tuple(prospect(member) for member in group.members)


def _lifecycle(instances: dict[str, Instance], member: Member) -> Lifecycle | None:
    instance = instances.get(member.instance_id)
    return instance.lifecycle if instance else None


def _coming_on_demand(world: World, group: Group) -> int:
    """On-demand members that open swaps are bringing, and that are no members yet."""
    every = world.undertakings_of(group.id)
    launches = (each for swap in every for each in swap.launches if not each.answered)
    asked = sum(launch.count for launch in launches if launch.lifecycle is Lifecycle.ON_DEMAND)
    outside = (c for swap in every for c in swap.clones if c.state in (CloneState.LAUNCHED, CloneState.RUNNING))
    return asked + sum(clone.lifecycle is Lifecycle.ON_DEMAND for clone in outside)


def _longest_serving_evenly(members: list[Member], instances: dict[str, Instance]) -> list[Member]:
    """Ordered so that any first few are spread evenly over the zones, the longest-serving first within a zone."""
    zones: dict[str, list[Member]] = defaultdict(list)
    for member in sorted(members, key=lambda m: (instances[m.instance_id].launch_time, m.instance_id)):
        zones[member.az].append(member)
    ranked = [(rank, zone, m) for zone, inside in zones.items() for rank, m in enumerate(inside)]
    return [m for _, _, m in sorted(ranked, key=lambda entry: entry[:2])]


def _hindrances_in_cluster(world: World, group: Group, *, cluster_awaited: bool) -> dict[str, str]:
    """Instance id → why it is not replaced as far as the Kubernetes cluster goes, for those of which that is so."""
    among = of_nodes(world, group)
    here = [world.instances[m.instance_id] for m in group.members if m.instance_id in world.instances and not m.leaving]
    found = {i.id: why_not_replaced(world, i, awaited=cluster_awaited, among_nodes=among) for i in here}
    return {instance_id: reason for instance_id, reason in found.items() if reason is not None}


def _hindrance(world: World, member: Member, busy: set[str], in_cluster: str | None) -> str | None:
    """Why a member may not be replaced, in words, or None."""
    instance = world.instances.get(member.instance_id)
    if member.leaving:
        return "is leaving the group"
    if instance is None:
        return "is not described by EC2 yet"
    if member.instance_id in busy:
        return "is being replaced now"
    if instance.lifecycle is Lifecycle.OTHER:
        return "is bought in another way (a capacity block or schedule)"
    if instance.pinned:
        return "is kept by its owner: tag spotward:keep"
    if in_cluster is not None:
        return in_cluster
    if instance.tenancy != "default":
        return f"has {instance.tenancy} tenancy, which Spot does not offer"
    if member.protected:
        return "is protected from scale-in"
    if member.lifecycle_state != "InService":
        return f"is {member.lifecycle_state}, not in service"
    doom = world.dooms.get(member.instance_id)
    return "EC2 is about to take it" if doom is not None and doom.deadline is not None else None


def zones_of(group: Group, leaving: set[str]) -> Counter[str]:
    """Members per zone of the group, without those that leave."""
    counts = Counter(dict.fromkeys(group.azs, 0))
    counts.update(m.az for m in group.members if not m.leaving and m.instance_id not in leaving)
    return counts
