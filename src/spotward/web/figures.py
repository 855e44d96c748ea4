"""What the metrics say of one group, worked out of the World. Pure.

The saving is an estimate, and must be read as one: Spot prices are those of the last ranking of pools for the type
whose place a member took, which may be old, and EC2 bills by the second at prices of its own. Members for which either
price is not known are left out, and it is told how many were counted.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from spotward.groups.assess import Fate, assess
from spotward.groups.capacity import on_demand_wanted
from spotward.groups.policy import GroupsPolicy, policy_of
from spotward.groups.scope import in_scope
from spotward.model.cloud import Group, GroupId, Instance, Lifecycle, Pool
from spotward.model.errors import ConfigError
from spotward.model.event import PoolsRecommended
from spotward.model.world import World

UNDESCRIBED = "unknown"
"""The life cycle of a member that EC2 has not described to us yet."""

LIFECYCLES = (*sorted(lifecycle.value for lifecycle in Lifecycle), UNDESCRIBED)


@dataclass(frozen=True, kw_only=True, slots=True)
class Saving:
    """What the Spot members of a group cost less than on-demand, as far as prices are known."""

    per_hour: float
    currency: str
    members: int
    """How many Spot members it counts."""
    price_time: float
    """When the oldest of the rankings behind it was made."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Figures:
    """One group in scope."""

    region: str
    group: str
    members: Mapping[str, int]
    """Life cycle → members, without those that are leaving."""
    in_service: int
    desired: int
    """As its owner has it: without what open swaps have added for the time being."""
    on_demand_wanted: int | None
    """None where its tags cannot be read."""
    waiting: int | None
    """Members that are to be replaced and that no swap has taken up; None where its tags cannot be read."""
    left_alone: bool
    pause_seconds: float
    saving: Saving | None
    """None as long as no Spot member has both prices known."""


def figures(world: World, policy: GroupsPolicy, *, time: float) -> list[Figures]:
    """One for each group in scope, by region and name. `time`: now, Unix seconds."""
    answers = _answers(world)
    owed = _owed_by_group(world)
    groups = sorted((g for g in world.groups.values() if in_scope(g, policy)), key=lambda g: (g.region, g.name))
    return [_figures(world, group, policy, time, owed[group.id], answers) for group in groups]


def savings(world: World, policy: GroupsPolicy) -> dict[GroupId, Saving]:
    """What each group in scope saves now, of which that is known; nothing else is worked out."""
    answers = _answers(world)
    found: dict[GroupId, Saving] = {}
    for group in world.groups.values():
        if in_scope(group, policy):
            staying = (world.instances.get(member.instance_id) for member in group.members if not member.leaving)
            saving = _saving(group, (each for each in staying if each is not None), answers)
            if saving is not None:
                found[group.id] = saving
    return found


def _answers(world: World) -> "Answers":
    return {(a.group_id, a.instance_type): a for a in sorted(world.recommended.values(), key=lambda a: a.time)}


def _owed_by_group(world: World) -> Counter[GroupId]:
    """By how many the desired capacity of each group is above its owner's, because of open swaps."""
    owed: Counter[GroupId] = Counter()
    for swap in world.swaps.by_key.values():
        owed[swap.group_id] += swap.owed
    return owed


Answers = Mapping[tuple[GroupId, str], PoolsRecommended]
"""(group, type whose place is taken) → the last ranking of pools for it. Rankings differ by operating system and by the
owner's lists of types too; the newest is of what the group has now, unless it mixes operating systems."""


def _figures(world: World, group: Group, policy: GroupsPolicy, time: float, owed: int, answers: Answers) -> Figures:
    known = {instance.id: instance for instance in world.members(group)}
    staying = [m for m in group.members if not m.leaving]
    lifecycles = Counter(
        known[m.instance_id].lifecycle.value if m.instance_id in known else UNDESCRIBED for m in staying
    )
    pause = world.pauses.get(group.id)
    desired = max(0, group.desired - owed)
    wanted, waiting = _wanted(world, group, policy, desired)
    return Figures(
        region=group.region,
        group=group.name,
        members={lifecycle: lifecycles[lifecycle] for lifecycle in LIFECYCLES},
        in_service=sum(m.serving for m in staying),
        desired=desired,
        on_demand_wanted=wanted,
        waiting=waiting,
        left_alone=group.id in world.verdicts,
        pause_seconds=max(0.0, pause.until - time) if pause is not None else 0.0,
        saving=_saving(group, (known[m.instance_id] for m in staying if m.instance_id in known), answers),
    )


def _wanted(world: World, group: Group, policy: GroupsPolicy, desired: int) -> tuple[int | None, int | None]:
    """How many members stay on demand, and how many wait to be replaced."""
    try:
        wanted = policy_of(group, policy)
    except ConfigError:
        return None, None
    waiting = sum(
        prospect.fate is not Fate.KEEP
        for prospect in assess(world, group, wanted, cluster_awaited=policy.cluster_awaited)
    )
    return on_demand_wanted(wanted, desired), waiting


def _saving(group: Group, instances: Iterable[Instance], answers: Answers) -> Saving | None:
    per_hour, members, prices = 0.0, 0, _Prices(group.id, answers)
    for instance in instances:
        if instance.lifecycle is Lifecycle.SPOT and (saved := prices.saved_per_hour(instance)) is not None:
            per_hour, members = per_hour + saved, members + 1
    if not prices.used:
        return None
    return Saving(
        per_hour=per_hour,
        currency=next(iter(prices.used.values())).currency,
        members=members,
        price_time=min(answer.time for answer in prices.used.values()),
    )


class _Prices:
    """The rankings of a group's pools, as price lists; each is indexed once."""

    def __init__(self, subject: GroupId, answers: Answers) -> None:
        self._subject = subject
        self._answers = answers
        self._spot: dict[str, dict[Pool, float]] = {}
        self.used: dict[str, PoolsRecommended] = {}
        """Type whose place is taken → the ranking that told a saving."""

    def saved_per_hour(self, instance: Instance) -> float | None:
        """On-demand price of the type whose place it took, less the Spot price of its own pool; None if not known."""
        original = instance.original_type
        answer = self._answers.get((self._subject, original))
        if answer is None or answer.on_demand_usd_per_hour is None:
            return None
        price = self._spot_prices(answer).get(Pool(instance_type=instance.instance_type, az=instance.az))
        if price is None:
            return None
        self.used[original] = answer
        return answer.on_demand_usd_per_hour - price

    def _spot_prices(self, answer: PoolsRecommended) -> Mapping[Pool, float]:
        if answer.instance_type not in self._spot:
            priced = ((offer.pool, offer.usd_per_hour) for offer in answer.offers)
            self._spot[answer.instance_type] = {pool: price for pool, price in priced if price is not None}
        return self._spot[answer.instance_type]
