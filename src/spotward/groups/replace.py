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
from spotward.groups.residence import NOT_JOINED, is_node
from spotward.groups.scope import in_scope
from spotward.groups.survey import arriving
from spotward.groups.swap import begun
from spotward.model.action import ObserveGroup, RecommendPools
from spotward.model.cloud import Group, GroupDetails, GroupId, Instance, Lifecycle, Pool
from spotward.model.decision import NOTHING, Decider, Decision, Verdict, WakeAt, Wish, next_beat
from spotward.model.errors import ConfigError
from spotward.model.event import Event, PoolsRecommended
from spotward.model.pool_memory import PoolMemory
from spotward.model.undertaking import Swap, SwapCause
from spotward.model.units import counted, moment
from spotward.model.world import World

LINGERING_SECONDS = 300.0
"""A member that is still coming after so long (a launch hook holds it) is looked at less often."""

LINGERING_LOOK_SECONDS = 60.0
"""How often it is looked at then."""

CROWDED_LOOK_SECONDS = 60.0
"""How often a group that waits for other groups' swaps to end looks whether there is room."""

DETAILS_WHY = "its hooks, subnets and launch data must be known first"


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
        return _held_named(group)
    try:
        wanted = policy_of(group, policy)
    except ConfigError as error:
        return left_alone(subject, str(error))
    prospects = assess(world, group, wanted, cluster_awaited=policy.cluster_awaited)
    todo = [p for p in prospects if p.fate is not Fate.KEEP]
    said = (_held_named(group), _nodes_named(world, group, prospects))
    return Decision.joined([*said, _decided(world, group, wanted, todo, policy)])


def _decided(
    world: World, group: Group, wanted: GroupPolicy, todo: Sequence[Prospect], policy: GroupsPolicy
) -> Decision:
    if not todo:
        return Decision.joined([_not_yet(world, group, policy), left_alone(group.id, None)])
    pause = world.pauses.get(group.id)
    if pause is not None and pause.until > world.time:
        return left_alone(group.id, f"left alone until {moment(pause.until)}: {pause.reason}", wake=pause.until)
    return _prepared(world, group, wanted, todo, policy)


def _nodes_named(world: World, group: Group, prospects: Sequence[Prospect]) -> Decision:
    """Members that are left alone because of the Kubernetes cluster, each reason said of the group once."""
    numbers = Counter(prospect.reason for prospect in prospects if prospect.for_cluster)
    text = "; ".join(f"{counted(number, 'member')} left alone: {reason}" for reason, number in numbers.items())
    wakes = WakeAt(time=next_beat(world.time, LINGERING_LOOK_SECONDS), subject=group.id)
    return Decision(
        verdicts=(Verdict(subject=f"nodes in {group.id}", text=text or None),),
        wakes=(wakes,) if NOT_JOINED in numbers else (),
    )


def _held_named(group: Group) -> Decision:
    """Members that have left and that the owner's software still holds."""
    held = sum(member.lifecycle_state == "Terminating:Wait" for member in group.members)
    text = f"{counted(held, 'member')} on the way out still held by a termination hook" if held else None
    return Decision(verdicts=(Verdict(subject=f"hooks of {group.id}", text=text),))


def left_alone(subject: GroupId, reason: str | None, *, wake: float | None = None) -> Decision:
    """A verdict on the group, and when to think again."""
    wakes = (WakeAt(time=wake, subject=subject),) if wake is not None else ()
    return Decision(verdicts=(Verdict(subject=subject, text=reason),), wakes=wakes)


def _not_yet(world: World, group: Group, policy: GroupsPolicy) -> Decision:
    """Members that are only just coming are looked at again soon, to act on a launch once it is in service."""
    coming = arriving(world, group)
    if not coming:
        return NOTHING
    known = [world.instances[m.instance_id] for m in coming if m.instance_id in world.instances]
    long_ago = len(known) == len(coming) and all(world.time - i.launch_time > LINGERING_SECONDS for i in known)
    seconds = LINGERING_LOOK_SECONDS if long_ago else policy.look_seconds
    return Decision(wakes=(WakeAt(time=next_beat(world.time, seconds), subject=group.id),))


def _prepared(
    world: World, group: Group, wanted: GroupPolicy, todo: Sequence[Prospect], policy: GroupsPolicy
) -> Decision:
    """Know what must be known, then begin."""
    reason = obstacle(group)
    if reason is not None:
        return left_alone(group.id, reason)
    if len(world.swaps) >= policy.swaps_at_once_max:
        reason = f"as many swaps are under way as may be at once: {policy.swaps_at_once_max}"
        return left_alone(group.id, reason, wake=next_beat(world.time, CROWDED_LOOK_SECONDS))
    details = details_of(world, group, policy)
    if details is None:
        return Decision(wishes=(details_wish(group),))
    reason = obstacle_in_details(details, wanted)
    if reason is not None:
        return left_alone(group.id, reason, wake=world.details[group.id].time + policy.details_age_seconds)
    back = [p for p in todo if p.fate is Fate.TO_ON_DEMAND]
    if back:
        return _base_restored(world, group, wanted, details, back, policy)
    return _saving(world, group, wanted, details, todo, policy)


def details_of(world: World, group: Group, policy: GroupsPolicy) -> GroupDetails | None:
    """The group's details, if they are known and not too old."""
    known = world.details.get(group.id)
    if known is None or world.time >= known.time + policy.details_age_seconds:
        return None
    return known.details


def details_wish(group: Group) -> Wish:
    """Ask for them."""
    question = ObserveGroup(region=group.region, group=group.name, details=True)
    return Wish(action=question, reason=DETAILS_WHY)


def alike(world: World, prospects: Sequence[Prospect]) -> list[list[Candidate]]:
    """The members in sets that can share one fleet, the largest set first: of one type, product and architecture, and
    either all of them nodes or none.
    """
    sets: dict[tuple[object, ...], list[Candidate]] = {}
    for prospect in prospects:
        if prospect.instance is not None:
            candidate = Candidate(instance=prospect.instance, az=prospect.member.az)
            kind = (*shape(prospect.instance), is_node(world, prospect.instance.id))
            sets.setdefault(kind, []).append(candidate)
    return sorted(sets.values(), key=len, reverse=True)


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
    if known is None or world.time >= known.time + _believed_seconds(known, policy):
        return None
    resting = (memory for (region, _), memory in world.pools.items() if region == question.region)
    rested = not known.offers and any(_rested_since(world, known, memory) for memory in resting)
    return None if rested else known


def _believed_seconds(answer: PoolsRecommended, policy: GroupsPolicy) -> float:
    return policy.recommendation_age_seconds if answer.offers else policy.no_saving_pause_seconds


def _rested_since(world: World, answer: PoolsRecommended, memory: PoolMemory) -> bool:
    """Was the pool left out of the answer because it rested, and has it rested by now?"""
    return memory.last_time <= answer.time < memory.until <= world.time


def _saving(
    world: World,
    group: Group,
    wanted: GroupPolicy,
    details: GroupDetails,
    todo: Sequence[Prospect],
    policy: GroupsPolicy,
) -> Decision:
    """One batch of one kind of member; the kind that most have goes first, the next if nothing is to be had for it."""
    verdicts = []
    for chosen in alike(world, todo):
        decision = _saving_of(world, group, wanted, details, chosen, policy)
        if decision.wishes or decision.undertakings:
            return decision
        verdicts.append(decision)
    return Decision.joined([verdicts[0], *(Decision(wakes=each.wakes) for each in verdicts[1:])])


def _saving_of(
    world: World,
    group: Group,
    wanted: GroupPolicy,
    details: GroupDetails,
    chosen: Sequence[Candidate],
    policy: GroupsPolicy,
) -> Decision:
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
        return left_alone(group.id, reason, wake=_next_answer(world, group, answer, policy))
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
    known = [world.pools.get((group.region, offer.pool)) for offer in answer.offers]
    resting = [memory for memory in known if memory is not None and memory.until > world.time]
    if resting:
        until = min(memory.until for memory in resting)
        words = f"no Spot capacity: every pool that fits rests, the next until {moment(until)} ({resting[0].reason})"
        return left_alone(group.id, words, wake=until)
    return left_alone(group.id, answer.reason, wake=_next_answer(world, group, answer, policy))


def _next_answer(world: World, group: Group, answer: PoolsRecommended, policy: GroupsPolicy) -> float:
    """When asking again may help: the answer is old, or a pool has rested."""
    waking = [m.until for (region, _), m in world.pools.items() if region == group.region and m.until > world.time]
    return min([answer.time + _believed_seconds(answer, policy), *waking])


def _base_restored(
    world: World,
    group: Group,
    wanted: GroupPolicy,
    details: GroupDetails,
    back: Sequence[Prospect],
    policy: GroupsPolicy,
) -> Decision:
    chosen = alike(world, back)[0]
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
