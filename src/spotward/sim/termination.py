"""Which member goes when a group shrinks: AWS's termination policies.

A policy is a sieve: it keeps the members that it would rather see gone. The policies are asked in order, and what they
leave undecided falls to the dice. A member protected from scale-in is never asked about.

Source: the EC2 Auto Scaling user guide, "Configure termination policies for Amazon EC2 Auto Scaling".
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from spotward.sim.dice import Dice
from spotward.sim.groups import Group, Member
from spotward.sim.instances import SPOT

_HOUR_SECONDS = 3600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What the policies may look at."""

    group: Group
    now: float
    spot_wanted: int | None = None
    """How many Spot members the group's mixed-instances policy wants; None: it has none."""
    spared: frozenset[str] = frozenset()
    """Members that are not to be chosen, by id."""


Policy = Callable[[Sequence[Member], Question], Sequence[Member]]


def choose(question: Question, dice: Dice) -> Member | None:
    """The member to terminate: in the zone with most members first. None when all are protected."""
    free = [one for one in question.group.counted() if not one.protected and one.id not in question.spared]
    if not free:
        return None
    left = _fullest_zones(free, question)
    for name in question.group.settings.get("TerminationPolicies") or ("Default",):
        left = POLICIES.get(name, _default)(left, question)
    return min(left, key=lambda member: dice.uniform("terminate", member.id))


def _fullest_zones(members: Sequence[Member], question: Question) -> Sequence[Member]:
    """The members in the fullest of the zones that have an unprotected one; zones that the group has left go first."""
    outside = [member for member in members if member.zone not in question.group.zones]
    if outside:
        return outside
    counts = question.group.by_zone()
    most = max(counts[member.zone] for member in members)
    return [member for member in members if counts[member.zone] == most]


def _oldest(members: Sequence[Member], question: Question) -> Sequence[Member]:  # noqa: ARG001 - one of a table
    first = min(member.instance.launch_time for member in members)
    return [member for member in members if member.instance.launch_time == first]


def _newest(members: Sequence[Member], question: Question) -> Sequence[Member]:  # noqa: ARG001 - one of a table
    last = max(member.instance.launch_time for member in members)
    return [member for member in members if member.instance.launch_time == last]


def _oldest_configuration(members: Sequence[Member], question: Question) -> Sequence[Member]:
    """Launch configurations before templates; of several configurations, the one that is not the group's now."""
    configured = [member for member in members if "LaunchConfigurationName" in member.source]
    current = question.group.settings.get("LaunchConfigurationName")
    stale = [member for member in configured if member.source["LaunchConfigurationName"] != current]
    return stale or configured or members


def _oldest_template(members: Sequence[Member], question: Question) -> Sequence[Member]:  # noqa: ARG001 - of a table
    """Members that no template launched are left alone as long as there are others."""
    templated = [member for member in members if "LaunchTemplate" in member.source]
    if not templated:
        return members
    oldest = min(int(member.source["LaunchTemplate"]["Version"]) for member in templated)
    return [member for member in templated if int(member.source["LaunchTemplate"]["Version"]) == oldest]


def _closest_to_next_hour(members: Sequence[Member], question: Question) -> Sequence[Member]:
    def left(member: Member) -> float:
        return -(question.now - member.instance.launch_time) % _HOUR_SECONDS

    least = min(left(member) for member in members)
    return [member for member in members if left(member) == least]


def _allocation(members: Sequence[Member], question: Question) -> Sequence[Member]:
    """The purchase option that the mixed-instances policy has too many of."""
    if question.spot_wanted is None:
        return members
    spot = [member for member in members if member.instance.lifecycle == SPOT]
    running = sum(member.instance.lifecycle == SPOT for member in question.group.counted())
    on_demand = [member for member in members if member.instance.lifecycle != SPOT]
    return (spot if running > question.spot_wanted else on_demand) or members


def _default(members: Sequence[Member], question: Question) -> Sequence[Member]:
    for policy in (_allocation, _oldest_configuration, _oldest_template, _closest_to_next_hour):
        members = policy(members, question)
    return members


POLICIES: Mapping[str, Policy] = {
    "AllocationStrategy": _allocation,
    "ClosestToNextInstanceHour": _closest_to_next_hour,
    "Default": _default,
    "NewestInstance": _newest,
    "OldestInstance": _oldest,
    "OldestLaunchConfiguration": _oldest_configuration,
    "OldestLaunchTemplate": _oldest_template,
}
