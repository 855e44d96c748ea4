"""`spotward plan`: what `run` would do, member by member, without doing any of it.

The same core decides on the same observations; only the deeds are left out (`rehearsal`). The document is the answer:
for programs as JSON, whose schema is `spotward plan --schema`, and for people as a table (`plan_table`).
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

from spotward.groups.assess import Fate, Prospect, assess
from spotward.groups.birth import affordable, pools_by_zone
from spotward.groups.capacity import on_demand_wanted
from spotward.groups.policy import GroupsPolicy, policy_of
from spotward.groups.replace import pools_question
from spotward.groups.scope import in_scope, why_not
from spotward.model.cloud import Group, Lifecycle, Pool
from spotward.model.errors import ConfigError
from spotward.model.event import PoolsRecommended
from spotward.model.swaps import Swaps
from spotward.model.units import timestamp
from spotward.model.world import World


class _Value(BaseModel):
    model_config = ConfigDict(frozen=True, use_attribute_docstrings=True)


class PoolPlan(_Value):
    """A pool that may stand in."""

    instance_type: str
    availability_zone: str
    price_per_hour: float | None
    """Spot price now, in `currency`; null when AWS tells none."""


class MemberPlan(_Value):
    """What is to become of one member. Prices are those of the last ranking of pools, in the group's `currency`."""

    instance_id: str
    instance_type: str
    availability_zone: str
    lifecycle: str | None
    """`on-demand`, `spot` or `other`; null while EC2 has not described it."""
    fate: Literal["keep", "replace by Spot", "replace by on-demand"]
    reason: str
    """Why, in words for people."""
    pools: tuple[PoolPlan, ...] = ()
    """The pools that EC2 may choose from, best first, in the member's own zone if there are any."""
    price_per_hour_now: float | None
    """Null where none is known."""
    price_per_hour_then: float | None
    """With the best pool; EC2 may choose one up to the margin above it. Null where none is known; that of now for a
    member that is kept."""


class GroupPlan(_Value):
    """What is to become of one group."""

    region: str
    name: str
    in_scope: bool
    left_alone: str | None
    """Why nothing is done now, although members could be replaced or because the group is not opted in; else null."""
    min_size: int
    max_size: int
    desired_capacity: int
    on_demand_wanted: int | None
    """How many members stay on demand; null for a group that is not in scope."""
    currency: str = "USD"
    """Of all prices of the group."""
    members: tuple[MemberPlan, ...] = ()
    """Empty for a group that is not in scope: its members are not even looked at."""


class PlanDocument(_Value):
    """All groups of the regions asked for."""

    version: Literal[1] = 1
    """Counts up when a field changes its meaning or goes; new fields may come at any time."""
    time: str
    """When the prices and groups were read: UTC, as in RFC 3339."""
    regions: tuple[str, ...]
    """Those that were looked at."""
    groups: tuple[GroupPlan, ...]
    to_replace: int
    """Members that would be replaced, over all groups."""


def plan_schema() -> dict[str, Any]:
    """The JSON schema of a plan as it is written: every field is always there."""
    schema = PlanDocument.model_json_schema(mode="serialization")
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}


def plan_document(world: World, policy: GroupsPolicy, *, regions: Sequence[str]) -> PlanDocument:
    """The plan that follows from what is known of these regions."""
    groups = sorted(world.groups.values(), key=lambda g: (not in_scope(g, policy), g.id))
    plans = tuple(_group_plan(world, group, policy) for group in groups)
    moves = sum(member.fate != "keep" for plan in plans for member in plan.members if plan.left_alone is None)
    return PlanDocument(time=timestamp(world.time), regions=tuple(regions), groups=plans, to_replace=moves)


def _group_plan(world: World, group: Group, policy: GroupsPolicy) -> GroupPlan:
    sizes = {"min_size": group.min_size, "max_size": group.max_size, "desired_capacity": group.desired}
    outside = None if in_scope(group, policy) else why_not(group, policy)
    base = GroupPlan(
        region=group.region,
        name=group.name,
        in_scope=outside is None,
        left_alone=outside,
        on_demand_wanted=None,
        **sizes,
    )
    if outside is not None:
        return base
    try:
        wanted = policy_of(group, policy)
    except ConfigError as error:
        return base.model_copy(update={"left_alone": str(error)})
    untouched = replace(world, swaps=Swaps())
    prospects = assess(untouched, group, wanted, cluster_awaited=policy.cluster_awaited)
    return base.model_copy(
        update={
            "left_alone": world.verdicts.get(group.id),
            "on_demand_wanted": on_demand_wanted(wanted, group.desired),
            "members": tuple(_member_plan(world, group, prospect, policy) for prospect in prospects),
            "currency": next((r.currency for r in _answers(world, group)), "USD"),
        }
    )


def _answers(world: World, group: Group) -> Sequence[PoolsRecommended]:
    return [answer for answer in world.recommended.values() if answer.group_id == group.id]


def _member_plan(world: World, group: Group, prospect: Prospect, policy: GroupsPolicy) -> MemberPlan:
    member, instance = prospect.member, prospect.instance
    answer = None
    if instance is not None:
        answer = world.recommended.get(pools_question(world, group, instance, policy).key)
    pools = _pools(world, group, member.az, answer, policy) if prospect.fate is Fate.TO_SPOT else ()
    now = _price_now(prospect, answer)
    return MemberPlan(
        instance_id=member.instance_id,
        instance_type=member.instance_type,
        availability_zone=member.az,
        lifecycle=instance.lifecycle if instance else None,
        fate=prospect.fate.value,
        reason=prospect.reason,
        pools=pools,
        price_per_hour_now=now,
        price_per_hour_then=_price_then(prospect, answer, pools, now),
    )


def _pools(
    world: World, group: Group, zone: str, answer: PoolsRecommended | None, policy: GroupsPolicy
) -> tuple[PoolPlan, ...]:
    if answer is None:
        return ()
    zones = pools_by_zone(affordable(world, group, answer.offers), policy)
    pools = zones.get(zone) or next(iter(zones.values()), ())
    prices = {offer.pool: offer.usd_per_hour for offer in answer.offers}
    return tuple(
        PoolPlan(instance_type=p.instance_type, availability_zone=p.az, price_per_hour=prices[p]) for p in pools
    )


def _price_now(prospect: Prospect, answer: PoolsRecommended | None) -> float | None:
    instance = prospect.instance
    if instance is None or answer is None:
        return None
    if instance.lifecycle is Lifecycle.ON_DEMAND and instance.instance_type == answer.instance_type:
        return answer.on_demand_usd_per_hour
    pool = Pool(instance_type=instance.instance_type, az=instance.az)
    return next((o.usd_per_hour for o in answer.offers if o.pool == pool), None)


def _price_then(
    prospect: Prospect, answer: PoolsRecommended | None, pools: Sequence[PoolPlan], now: float | None
) -> float | None:
    if prospect.fate is Fate.TO_SPOT:
        return pools[0].price_per_hour if pools else None
    if prospect.fate is Fate.TO_ON_DEMAND:
        return answer.on_demand_usd_per_hour if answer else None
    return now
