"""The rescue: a Spot member that EC2 takes, or advises to leave, gets its successor before it goes.

All doomed members of a group that no open swap covers go into one swap. A rescue does not wait for a saving under way.
At a notice it insists: another Spot pool first, on-demand if there is none. On advice alone, which comes far more often
than a notice follows, members move a few at a time, those of the worst pools first, and only to pools that have not
failed us lately; where there is none they wait for what comes.
"""

from collections.abc import Sequence

from spotward.groups.another_try import with_another_try
from spotward.groups.birth import Candidate, affordable, evenly, newborn, pools_by_zone, shape, with_another_launch
from spotward.groups.capacity import surge
from spotward.groups.focus import focus
from spotward.groups.obstacle import obstacle, obstacle_in_details
from spotward.groups.policy import GroupPolicy, GroupsPolicy, policy_of
from spotward.groups.replace import details_of, details_wish, fresh_recommendation, pools_question
from spotward.groups.residence import is_node, of_nodes, why_not_rescued
from spotward.groups.scope import in_scope
from spotward.groups.swap import begun
from spotward.model.action import RecommendPools
from spotward.model.cloud import Group, GroupDetails, GroupId, Instance, Lifecycle, Pool, PoolOffer
from spotward.model.decision import NOTHING, Decider, Decision, Verdict, WakeAt, Wish, next_beat
from spotward.model.errors import ConfigError
from spotward.model.event import Event, News
from spotward.model.undertaking import SwapCause
from spotward.model.units import moment
from spotward.model.world import Doom, World

Doomed = tuple[Candidate, Doom]


ADVISED_LOOK_SECONDS = 30.0
"""How soon it is thought again about advice that waits for others' to be followed."""

ADVISED_LOOK_SECONDS_MAX = 900.0
"""The longer it waits the less often; no less often than this."""

RANKING_FAILURES_MAX = 2
"""After so many failures in a row of ranking the pools, an instance that EC2 takes is replaced by an on-demand one."""


def rescues(policy: GroupsPolicy) -> Decider:
    """The decider that begins a swap for doomed members."""

    def decide(world: World, event: Event) -> Decision:
        return Decision.joined(_considered(world, subject, event, policy) for subject in focus(world, event))

    return decide


def _considered(world: World, subject: GroupId, event: Event, policy: GroupsPolicy) -> Decision:
    group = world.groups.get(subject)
    if group is None or not in_scope(group, policy):
        return NOTHING
    try:
        wanted = policy_of(group, policy)
    except ConfigError:
        return NOTHING  # said by the saving's decider, and nothing may be done under a policy that cannot be read
    doomed = _doomed(world, group)
    if not doomed:
        return NOTHING
    gathered = min(doom.time for _, doom in doomed) + policy.rescue_gather_seconds
    if policy.rescue_gather_seconds and (isinstance(event, News) or world.time < gathered):
        return Decision(wakes=(WakeAt(time=gathered, subject=subject),))
    noticed = [each for each in doomed if each[1].deadline is not None]
    if noticed:
        return _prepared(world, group, wanted, noticed, SwapCause.INTERRUPTION, policy)
    return _advised(world, group, wanted, doomed, policy)


def _advised(world: World, group: Group, wanted: GroupPolicy, doomed: list[Doomed], policy: GroupsPolicy) -> Decision:
    """Nothing worse than advice was heard."""
    subject = group.id
    if not wanted.rebalance or wanted.only_when_asked:
        return _kept(doomed, "EC2 advises to move off it; its group waits for the notice")
    if any(swap.cause is SwapCause.REBALANCE for swap in world.undertakings_of(subject)):
        return NOTHING
    if _room_for_advised(world, policy) <= 0:
        words = (
            f"EC2 advises to move off it; {policy.rebalance_at_once_max} members are being replaced on advice already"
        )
        return _later(world, group, _kept(doomed, words), doomed)
    pause = world.pauses.get(subject)
    if pause is not None and pause.until > world.time:
        words = f"EC2 advises to move off it; left alone until {moment(pause.until)}: {pause.reason}"
        return Decision.joined([_kept(doomed, words), Decision(wakes=(WakeAt(time=pause.until, subject=subject),))])
    return _prepared(world, group, wanted, doomed, SwapCause.REBALANCE, policy)


def _doomed(world: World, group: Group) -> list[Doomed]:
    """Spot members about which EC2 said something, in service, that no swap covers yet."""
    covered = {old.id for swap in world.undertakings_of(group.id) for old in swap.olds}
    found = []
    for member in group.members:
        doom = world.dooms.get(member.instance_id)
        instance = world.instances.get(member.instance_id)
        if doom is None or instance is None or member.leaving or member.instance_id in covered:
            continue
        if instance.lifecycle is Lifecycle.SPOT:
            found.append((Candidate(instance=instance, az=member.az), doom))
    return found


def _room_for_advised(world: World, policy: GroupsPolicy) -> int:
    """How many more members may be replaced on advice alone, over all groups."""
    swaps = (swap for swap in world.swaps.by_key.values() if swap.cause is SwapCause.REBALANCE)
    return policy.rebalance_at_once_max - sum(len(swap.olds) for swap in swaps)


def _later(world: World, group: Group, decision: Decision, doomed: list[Doomed]) -> Decision:
    """Thought over again, the longer it waits the less often."""
    waited = world.time - min(doom.time for _, doom in doomed)
    seconds = min(max(ADVISED_LOOK_SECONDS, waited / 2), ADVISED_LOOK_SECONDS_MAX)
    wake = WakeAt(time=next_beat(world.time + seconds, ADVISED_LOOK_SECONDS), subject=group.id)
    return Decision.joined([decision, Decision(wakes=(wake,))])


def _worst_first(world: World, doomed: list[Doomed]) -> list[Doomed]:
    """By what their pools have done to us so far, then by when they were advised."""

    def turn(each: Doomed) -> tuple[int, float]:
        candidate, doom = each
        instance = candidate.instance
        known = world.pools.get((instance.region, Pool(instance_type=instance.instance_type, az=instance.az)))
        return (-known.failures if known is not None else 0, doom.time)

    return sorted(doomed, key=turn)


def _kept(doomed: list[Doomed], reason: str) -> Decision:
    return Decision(verdicts=tuple(Verdict(subject=c.instance.id, text=reason) for c, _ in doomed))


def _hindrance(instance: Instance, doom: Doom, world: World, policy: GroupsPolicy, *, among_nodes: bool) -> str | None:
    reason = why_not_rescued(world, instance, doom, awaited=policy.cluster_awaited, among_nodes=among_nodes)
    if reason is not None:
        return reason
    if doom.deadline is not None and world.time > doom.deadline - policy.rescue_limit_seconds:
        return "EC2 takes it too soon for a successor: its group makes up for it"
    return None


def why_not_rescued_now(
    world: World, group: Group, wanted: GroupPolicy, instance: Instance, policy: GroupsPolicy
) -> str | None:
    """Why a member that EC2 takes gets no successor from us, in words; None if it gets one."""
    doom = world.dooms.get(instance.id)
    if doom is None or doom.deadline is None:
        return "EC2 has taken its notice back"
    known = world.details.get(group.id)
    return (
        obstacle(group, rescue=True)
        or _hindrance(instance, doom, world, policy, among_nodes=of_nodes(world, group))
        or (obstacle_in_details(known.details, wanted, rescue=True) if known is not None else None)
    )


def _prepared(
    world: World, group: Group, wanted: GroupPolicy, doomed: list[Doomed], cause: SwapCause, policy: GroupsPolicy
) -> Decision:
    reason = obstacle(group, rescue=True)
    if reason is not None:
        return _kept(doomed, reason)
    among = of_nodes(world, group)
    hindrances = {c.instance.id: _hindrance(c.instance, d, world, policy, among_nodes=among) for c, d in doomed}
    kept = tuple(Verdict(subject=i, text=text) for i, text in hindrances.items() if text is not None)
    free = [each for each in doomed if hindrances[each[0].instance.id] is None]
    if not free:
        return Decision(verdicts=kept)
    known = world.details.get(group.id)
    details = details_of(world, group, policy) or (known.details if known else None)
    if details is None:
        return Decision(verdicts=kept, wishes=(details_wish(group),))
    reason = obstacle_in_details(details, wanted, rescue=True)
    if reason is not None:
        return _kept(doomed, reason)
    return Decision.joined([Decision(verdicts=kept), _rescued(world, group, wanted, details, free, cause, policy)])


def _was_refused(world: World, question: RecommendPools) -> bool:
    """Did ranking the pools fail, and not for a moment only? Then the time is better spent on an on-demand instance."""
    wish = world.wishes.get(question.key)
    return wish is not None and wish.failures >= RANKING_FAILURES_MAX


def _elsewhere(offers: Sequence[PoolOffer], candidates: Sequence[Candidate]) -> tuple[PoolOffer, ...]:
    """Offers of other pools than those that are failing now."""
    failing = {Pool(instance_type=c.instance.instance_type, az=c.instance.az) for c in candidates}
    return tuple(offer for offer in offers if offer.pool not in failing)


def _kind(world: World, each: Doomed) -> tuple[object, ...]:
    """What all members of one batch have in common."""
    return (*shape(each[0].instance), is_node(world, each[0].instance.id))


def _rescued(
    world: World,
    group: Group,
    wanted: GroupPolicy,
    details: GroupDetails,
    doomed: list[Doomed],
    cause: SwapCause,
    policy: GroupsPolicy,
) -> Decision:
    ranked = _worst_first(world, doomed) if cause is SwapCause.REBALANCE else doomed
    common = _kind(world, ranked[0])
    alike = [each for each in ranked if _kind(world, each) == common]
    if cause is SwapCause.REBALANCE:
        alike = alike[: min(surge(wanted, group.desired), _room_for_advised(world, policy))]
    question = pools_question(world, group, alike[0][0].instance, policy)
    answer = fresh_recommendation(world, question, policy)
    if answer is None and not (cause is SwapCause.INTERRUPTION and _was_refused(world, question)):
        reason = f"what could stand in for {question.instance_type}?"
        return Decision(wishes=(Wish(action=question, reason=reason, urgent=True),))
    if group.launch is None:
        return NOTHING
    offers = _elsewhere(affordable(world, group, answer.offers if answer else ()), [c for c, _ in alike])
    if cause is SwapCause.REBALANCE and not offers:
        words = (
            "EC2 advises to move off it; no pool is known that is better: those that fit have failed lately themselves"
        )
        return _later(world, group, _kept(alike, words), alike)
    deadlines = [doom.deadline for _, doom in alike if doom.deadline is not None]
    swap = newborn(
        world,
        group,
        details,
        policy,
        cause=cause,
        candidates=[c for c, _ in alike],
        source=group.launch,
        offers=offers,
        on_demand_usd_per_hour=answer.on_demand_usd_per_hour if answer else None,
        deadline=min(deadlines, default=None),
    )
    zones = pools_by_zone(offers, policy)
    plan = evenly(group, [c for c, _ in alike], list(zones), len(alike))
    for zone, inside in plan.items():
        swap = with_another_launch(swap, az=zone, count=len(inside), lifecycle=Lifecycle.SPOT, pools=zones[zone])
    return begun(world, with_another_try(swap, world, group, policy), policy)
