"""The saving: on-demand members above the base become Spot, and a base that fell short is filled up again.

Asked of every group that an event touches. What is not known yet is asked for; what stands in the way is said; and when
all is known a swap is born, one batch at a time.
"""

from collections import Counter
from collections.abc import Sequence

from spotward.groups.assess import Fate, Prospect, assess
from spotward.groups.birth import (
    Candidate,
    affordable,
    evenly,
    newborn,
    pools_by_zone,
    shape,
    with_another_launch,
)
from spotward.groups.capacity import surge
from spotward.groups.focus import focus
from spotward.groups.obstacle import obstacle, obstacle_in_details
from spotward.groups.policy import GroupPolicy, GroupsPolicy, policy_of
from spotward.groups.scope import in_scope
from spotward.groups.swap import begun
from spotward.model.action import ObserveGroup, RecommendPools
from spotward.model.cloud import Group, GroupDetails, GroupId, Instance, Lifecycle, Pool
from spotward.model.decision import NOTHING, Decider, Decision, Verdict, WakeAt, Wish
from spotward.model.errors import ConfigError
from spotward.model.event import Event, PoolsRecommended
from spotward.model.undertaking import Swap, SwapCause
from spotward.model.units import moment
from spotward.model.world import World


def replacements(policy: GroupsPolicy) -> Decider:
    """The decider that begins swaps which save money or restore the base."""

    def decide(world: World, event: Event) -> Decision:
        return Decision.joined(_considered(world, subject, policy) for subject in focus(world, event))

    return decide


def _considered(world: World, subject: GroupId, policy: GroupsPolicy) -> Decision:
    group = world.groups.get(subject)
    if group is None or not in_scope(group, policy):
        return NOTHING
    if any(not swap.urgent for swap in world.undertakings_of(subject)):
        return NOTHING
    try:
        wanted = policy_of(group, policy)
    except ConfigError as error:
        return left_alone(subject, str(error))
    prospects = assess(world, group, wanted)
    todo = [p for p in prospects if p.fate is not Fate.KEEP]
    if not todo:
        return Decision.joined([_not_yet(world, group, policy), left_alone(subject, None)])
    pause = world.pauses.get(subject)
    if pause is not None and pause.until > world.time:
        return left_alone(subject, f"left alone until {moment(pause.until)}: {pause.reason}", wake=pause.until)
    return _prepared(world, group, wanted, todo, policy)


def left_alone(subject: GroupId, reason: str | None, *, wake: float | None = None) -> Decision:
    """A verdict on the group, and when to think again."""
    wakes = (WakeAt(time=wake, subject=subject),) if wake is not None else ()
    return Decision(verdicts=(Verdict(subject=subject, text=reason),), wakes=wakes)


def _not_yet(world: World, group: Group, policy: GroupsPolicy) -> Decision:
    """Members that are only just coming are looked at again soon, to act on a launch once it is in service."""
    coming = [m for m in group.members if m.lifecycle_state.startswith("Pending")]
    unknown = [m for m in group.members if not m.leaving and m.instance_id not in world.instances]
    if not coming and not unknown:
        return NOTHING
    if unknown:
        reason = "it has members that EC2 has not described yet"
        return Decision(wishes=(Wish(action=ObserveGroup(region=group.region, group=group.name), reason=reason),))
    return Decision(wakes=(WakeAt(time=world.time + policy.look_seconds, subject=group.id),))


def _prepared(
    world: World, group: Group, wanted: GroupPolicy, todo: Sequence[Prospect], policy: GroupsPolicy
) -> Decision:
    """Know what must be known, then begin."""
    reason = obstacle(group)
    if reason is not None:
        return left_alone(group.id, reason)
    details = details_of(world, group, policy)
    if details is None:
        return Decision(wishes=(details_wish(group),))
    reason = obstacle_in_details(details, wanted)
    if reason is not None:
        return left_alone(group.id, reason, wake=world.time + policy.details_age_seconds)
    if len(world.undertakings) >= policy.swaps_at_once_max:
        reason = f"{len(world.undertakings)} swaps are under way; the limit is {policy.swaps_at_once_max}"
        return left_alone(group.id, reason, wake=world.time + policy.look_seconds)
    back = [p for p in todo if p.fate is Fate.TO_ON_DEMAND]
    if back:
        return _base_restored(world, group, wanted, details, back, policy)
    return _saving(world, group, wanted, details, todo, policy)


def details_of(world: World, group: Group, policy: GroupsPolicy) -> GroupDetails | None:
    """The group's details, if they are known and not too old."""
    known = world.details.get(group.id)
    if known is None or world.time - known.time > policy.details_age_seconds:
        return None
    return known.details


def details_wish(group: Group) -> Wish:
    """Ask for them."""
    question = ObserveGroup(region=group.region, group=group.name, details=True)
    return Wish(action=question, reason="its hooks, subnets and launch data must be known first")


def candidates(prospects: Sequence[Prospect]) -> list[Candidate]:
    """The members of the largest set that can share one fleet: one type, product and architecture."""
    known = [(p.instance, p.member) for p in prospects if p.instance is not None]
    common = Counter(shape(instance) for instance, _ in known).most_common(1)[0][0]
    return [Candidate(instance=i, az=m.az) for i, m in known if shape(i) == common]


def pools_question(world: World, group: Group, instance: Instance, policy: GroupsPolicy) -> RecommendPools:
    """Which pools can stand in for this instance in its group? Raises ConfigError for an unreadable tag."""
    wanted = policy_of(group, policy)
    return RecommendPools(
        region=group.region,
        group=group.name,
        instance_type=instance.original_type,
        product=instance.product,
        architecture=instance.architecture,
        virtualization=instance.virtualization,
        azs=group.azs,
        exclude=world.resting_pools(group.region),
        allowed_types=wanted.allowed_types,
        denied_types=wanted.denied_types,
        burstable_for_fixed=wanted.burstable_for_fixed,
        allow_unpriced=policy.allow_unpriced,
        price_max_of_on_demand=policy.price_max_of_on_demand,
    )


def fresh_recommendation(world: World, question: RecommendPools, policy: GroupsPolicy) -> PoolsRecommended | None:
    """The last answer to the question, if it is not too old."""
    known = world.recommended.get(question.key)
    if known is None:
        return None
    age = policy.recommendation_age_seconds if known.offers else policy.no_saving_pause_seconds
    return known if world.time - known.time < age else None


def _saving(
    world: World,
    group: Group,
    wanted: GroupPolicy,
    details: GroupDetails,
    todo: Sequence[Prospect],
    policy: GroupsPolicy,
) -> Decision:
    chosen = candidates(todo)
    question = pools_question(world, group, chosen[0].instance, policy)
    answer = fresh_recommendation(world, question, policy)
    if answer is None:
        return Decision(wishes=(Wish(action=question, reason=f"what could stand in for {question.instance_type}?"),))
    offers = affordable(world, group, answer.offers)
    if not offers:
        return _nothing_to_be_had(world, group, answer, policy)
    zones = pools_by_zone(offers, policy)
    most = min(surge(wanted, group.desired), policy.batch_max)
    plan = evenly(group, chosen, list(zones), most)
    if not plan or group.launch is None:
        reason = "no pool is to be had in the zones where a replacement would keep the group evenly spread"
        return left_alone(group.id, reason, wake=world.time + policy.no_saving_pause_seconds)
    swap = newborn(
        world,
        group,
        details,
        policy,
        cause=SwapCause.SAVING,
        candidates=[c for inside in plan.values() for c in inside],
        source=group.launch,
        offers=offers,
        on_demand_usd_per_hour=answer.on_demand_usd_per_hour,
    )
    for zone, inside in plan.items():
        swap = with_another_launch(swap, az=zone, count=len(inside), lifecycle=Lifecycle.SPOT, pools=zones[zone])
    return _begun(world, group, swap, policy)


def _nothing_to_be_had(world: World, group: Group, answer: PoolsRecommended, policy: GroupsPolicy) -> Decision:
    resting = [world.pools[(group.region, o.pool)] for o in answer.offers if (group.region, o.pool) in world.pools]
    if resting:
        until = min(memory.until for memory in resting)
        words = f"no Spot capacity: every pool that fits rests, the next until {moment(until)} ({resting[0].reason})"
        return left_alone(group.id, words, wake=until)
    wake = world.time + policy.no_saving_pause_seconds
    waking = [m.until for (region, _), m in world.pools.items() if region == group.region and m.until > world.time]
    return left_alone(group.id, answer.reason, wake=min([wake, *waking]))


def _base_restored(
    world: World,
    group: Group,
    wanted: GroupPolicy,
    details: GroupDetails,
    back: Sequence[Prospect],
    policy: GroupsPolicy,
) -> Decision:
    chosen = candidates(back)
    plan = evenly(group, chosen, group.azs, min(surge(wanted, group.desired), policy.batch_max))
    if not plan or group.launch is None:
        return left_alone(group.id, "its on-demand base cannot be filled up without an uneven spread")
    swap = newborn(
        world,
        group,
        details,
        policy,
        cause=SwapCause.BASE,
        candidates=[c for inside in plan.values() for c in inside],
        source=group.launch,
        offers=(),
        on_demand_usd_per_hour=None,
    )
    for zone, inside in plan.items():
        pool = Pool(instance_type=swap.instance_type, az=zone)
        swap = with_another_launch(swap, az=zone, count=len(inside), lifecycle=Lifecycle.ON_DEMAND, pools=(pool,))
    return _begun(world, group, swap, policy)


def _begun(world: World, group: Group, swap: Swap, policy: GroupsPolicy) -> Decision:
    return Decision.joined([left_alone(group.id, None), begun(world, swap, policy)])
