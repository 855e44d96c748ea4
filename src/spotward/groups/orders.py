"""Swaps that somebody orders: of a member that EC2 takes, of one that costs too much, or of any.

An order is no way around a guard. Its group must be opted in, its on-demand share stays, and it waits its turn: one
swap at a time that nothing forces, and a rest after it. What is ordered at a notice is the same rescue that EC2's own
notice begins; here it is only waited for. Every order ends with a status and words: done, nothing to do, refused
(somebody must change something first) or failed (another try may help).

Facts alone are remembered of an order: where its instance was looked for, when its group was looked at, which swap
carries it. What to do next is worked out from these and the World each time.
"""

from collections.abc import Iterable
from dataclasses import replace

from spotward.groups.assess import Fate, Prospect, assess
from spotward.groups.birth import Candidate, affordable, evenly, newborn, pools_by_zone, with_another_launch
from spotward.groups.cheaper import PRICES_AGE_SECONDS, cheaper, cost_of, why_it_stays
from spotward.groups.focus import focus
from spotward.groups.obstacle import obstacle, obstacle_in_details
from spotward.groups.order_ends import ended, progress_of, swap_wanted
from spotward.groups.policy import GroupPolicy, GroupsPolicy, policy_of
from spotward.groups.replace import CROWDED_LOOK_SECONDS, DETAILS_WHY, details_of, fresh_recommendation, pools_question
from spotward.groups.rescue import why_not_rescued_now
from spotward.groups.scope import in_scope, why_not
from spotward.groups.swap import begun
from spotward.model.action import FindInstance, ObserveGroup, Question
from spotward.model.cloud import Group, GroupDetails, GroupId, Instance, Lifecycle, Pool, PoolOffer, group_id
from spotward.model.decision import Decider, Decision, WakeAt, Wish, next_beat
from spotward.model.errors import ConfigError
from spotward.model.event import Event, GroupObserved, InstanceFound, PoolsRecommended, Restarted
from spotward.model.flow_event import Status
from spotward.model.order import Order, Ordered, SwapReason, SwapWanted
from spotward.model.page import Note
from spotward.model.undertaking import Swap, SwapCause
from spotward.model.units import listed, moment
from spotward.model.world import World

QUESTION_FAILURES_MAX = 3
"""After so many failures in a row of a question the order fails: whoever gave it should hear of it."""

Offers = tuple[PoolOffer, ...]


def ordered_swaps(policy: GroupsPolicy) -> Decider:
    """The decider for orders about members of groups."""

    def decide(world: World, event: Event) -> Decision:
        decisions = []
        for order, wanted in _concerned(world, event):
            decision = _Clerk(world, _learned(order, event), wanted, policy).decide()
            for undertaking in decision.undertakings:
                world = world.with_undertaking(undertaking)
            decisions.append(decision)
        return Decision.joined(decisions)

    return decide


def _concerned(world: World, event: Event) -> Iterable[tuple[Order, SwapWanted]]:
    """The orders that must be thought about, the oldest first within a group; a new one is among them."""
    if isinstance(event, Ordered):
        known = world.orders.get(event.order)
        found: Iterable[Order] = (known or event.born,)
    elif isinstance(event, Restarted):
        found = world.orders.all()
    elif not world.orders:
        return ()
    else:
        named = (getattr(event, "instance_id", None), getattr(event, "subject", None))
        subjects = dict.fromkeys([*focus(world, event), *(each for each in named if isinstance(each, str))])
        found = [order for subject in subjects for order in world.orders.at(subject)]
    return [(order, wanted) for order in found if (wanted := swap_wanted(order)) is not None]


def _learned(order: Order, event: Event) -> Order:
    """The order with what the event tells of it."""
    match event:
        case InstanceFound(instance=None) if event.instance_id == order.wanted.subject:
            return replace(order, searched=tuple(dict.fromkeys((*order.searched, event.region))))
        case GroupObserved() if event.group_id == order.at:
            return replace(order, looked_time=event.time)
        case _:
            return order


class _Clerk:
    """One order, thought about once."""

    def __init__(self, world: World, order: Order, wanted: SwapWanted, policy: GroupsPolicy) -> None:
        self._world, self._order, self._wanted, self._policy = world, order, wanted, policy

    def decide(self) -> Decision:
        """What follows for the order now."""
        carrying = self._world.swaps.by_key.get(self._order.carried_by or "")
        if carrying is not None:
            return self._carried(carrying)
        subject = self._place()
        return self._in_group(subject) if subject is not None else self._sought()

    # ---- how it goes on --------------------------------------------------------------------------------------

    def _noted(self, *decisions: Decision, progress: str | None = None) -> Decision:
        """The order as it now stands, if that is news, beside what else is decided."""
        order = self._order if progress is None else replace(self._order, progress=progress)
        changed = self._world.orders.get(order.key) != order
        return Decision.joined([Decision(undertakings=(order,) if changed else ()), *decisions])

    def _over(self, status: Status, words: str, *, retry_time: float | None = None) -> Decision:
        order = replace(ended(self._order, self._world, status, words), retry_time=retry_time)
        note = Note(subject=self._wanted.instance_id, text=f"the order to {self._wanted.words}: {status}: {words}")
        return Decision(undertakings=(order,), notes=(note,))

    def _nothing_to_do(self, words: str) -> Decision:
        return self._over(Status.IGNORED, words)

    def _refused(self, words: str) -> Decision:
        return self._over(Status.REFUSED, words)

    def _waits(self, reason: str, *, until: float | None = None) -> Decision:
        """For something that passes, but not for ever. until: when it is sure not to have passed before."""
        limit = self._order.born + self._policy.asked_wait_seconds
        if self._world.time >= limit or (until is not None and until > limit):
            return self._over(Status.FAILED, reason, retry_time=until)
        wake = WakeAt(time=limit if until is None else until, subject=self._order.at)
        return self._noted(Decision(wakes=(wake,)), progress=f"waits: {reason}")

    def _asks(self, question: Question, reason: str) -> Decision:
        """For what must be known first. One that failed too often, and rests, is not waited for."""
        wish = self._world.wishes.get(question.key)
        tired = wish is not None and wish.state == "failed" and wish.failures >= QUESTION_FAILURES_MAX
        if wish is not None and tired and wish.retry_time > self._world.time:
            return self._over(Status.FAILED, wish.reason, retry_time=wish.retry_time)
        return self._noted(Decision(wishes=(Wish(action=question, reason=reason, urgent=self._urgent),)))

    @property
    def _urgent(self) -> bool:
        return self._wanted.reason is SwapReason.NOTICE

    # ---- where is it? ----------------------------------------------------------------------------------------

    def _place(self) -> GroupId | None:
        known = self._world.group_of.get(self._wanted.instance_id)
        if known is not None:
            return known
        instance = self._world.instances.get(self._wanted.instance_id)
        return group_id(instance.region, instance.group) if instance is not None and instance.group else None

    def _sought(self) -> Decision:
        instance_id = self._wanted.instance_id
        self._order = replace(self._order, at=instance_id)
        if instance_id in self._world.instances:
            return self._nothing_to_do(f"{instance_id} is in no Auto Scaling group (any more)")
        left = [region for region in self._wanted.regions if region not in self._order.searched]
        if not left:
            return self._refused(f"EC2 knows no instance {instance_id} in {listed(self._wanted.regions)} (any more)")
        return self._asks(FindInstance(region=left[0], instance_id=instance_id), "whose is it?")

    def _in_group(self, subject: GroupId) -> Decision:
        self._order = replace(self._order, at=subject)
        group = self._world.groups.get(subject)
        if group is None:
            return self._looks(subject, "its group is not known yet") or self._no_member(subject)
        if not in_scope(group, self._policy):
            refused = self._refused(f"{group.name} is {why_not(group, self._policy)}")
            return self._looks(subject, "was it opted in a moment ago?") or refused
        if self._wanted.group not in (None, "", group.name) and not self._urgent:
            return self._refused(f"{self._wanted.instance_id} is in {group.name}, and not in {self._wanted.group}")
        return self._of_member(group)

    def _looks(self, subject: GroupId, reason: str) -> Decision | None:
        """At the group, once for each order; None when that was done."""
        if self._order.looked_time is not None:
            return None
        region, _, name = subject.partition("/")
        return self._asks(ObserveGroup(region=region, group=name), reason)

    def _no_member(self, subject: GroupId) -> Decision:
        return self._nothing_to_do(f"{self._wanted.instance_id} is no member of {subject} (any more)")

    def _of_member(self, group: Group) -> Decision:
        instance_id = self._wanted.instance_id
        member = group.member(instance_id)
        if member is None:
            return self._looks(group.id, "is it still a member?") or self._no_member(group.id)
        if member.leaving:
            return self._nothing_to_do(f"{instance_id} is leaving {group.name} already")
        covering = next((s for s in self._world.undertakings_of(group.id) if _covers(s, instance_id)), None)
        if covering is not None:
            return self._carried(covering)
        instance = self._world.instances.get(instance_id)
        if instance is None:
            reason = f"{instance_id} is not described by EC2 yet"
            return self._looks(group.id, reason) or self._waits(reason)
        try:
            wanted = policy_of(group, self._policy)
        except ConfigError as error:
            return self._refused(f"{group.name} is left alone: {error}")
        if self._urgent:
            return self._rescued(group, wanted, instance)
        return self._replaced(group, wanted, instance)

    # ---- a swap under way ------------------------------------------------------------------------------------

    def _carried(self, swap: Swap) -> Decision:
        """It is done by this swap; and its machine is left running where that is wanted, if it has not left yet."""
        self._order = replace(self._order, at=swap.group_id, carried_by=swap.key)
        mine = self._wanted.instance_id
        if self._wanted.terminate or swap.runs_on(mine) or mine in swap.retired:
            return self._noted(progress=progress_of(swap))
        olds = tuple(replace(old, runs_on=True) if old.id == mine else old for old in swap.olds)
        return self._noted(Decision(undertakings=(replace(swap, olds=olds),)), progress=progress_of(swap))

    # ---- at a notice -----------------------------------------------------------------------------------------

    def _rescued(self, group: Group, wanted: GroupPolicy, instance: Instance) -> Decision:
        """The rescue begins by itself, because the notice is known; unless something is in the way."""
        if instance.lifecycle is not Lifecycle.SPOT:
            return self._nothing_to_do(f"{instance.id} is on demand: EC2 gives no notice of such")
        reason = why_not_rescued_now(self._world, group, wanted, instance, self._policy)
        if reason is not None:
            return self._refused(f"{instance.id} gets no successor: {reason}")
        deadline = self._world.dooms[instance.id].deadline or self._world.time
        too_late = WakeAt(time=deadline - self._policy.rescue_limit_seconds + 1.0, subject=group.id)
        return Decision.joined([self._waits("its successor is being chosen"), Decision(wakes=(too_late,))])

    # ---- for cost, or by wish --------------------------------------------------------------------------------

    def _replaced(self, group: Group, wanted: GroupPolicy, instance: Instance) -> Decision:
        prospect = self._prospect(group, wanted)
        refused = self._why_refused(group, prospect, instance)
        if refused is not None:
            return refused
        waiting = self._why_waiting(group, prospect)
        if waiting is not None:
            return waiting
        details = details_of(self._world, group, self._policy)
        if details is None:
            question = ObserveGroup(region=group.region, group=group.name, details=True)
            return self._asks(question, DETAILS_WHY)
        reason = obstacle_in_details(details, wanted)
        if reason is not None:
            return self._refused(f"{group.name} is left alone: {reason}")
        return self._chosen(group, details, instance, prospect)

    def _prospect(self, group: Group, wanted: GroupPolicy) -> Prospect:
        every = assess(self._world, group, wanted, cluster_awaited=self._policy.cluster_awaited, asked=True)
        return next(each for each in every if each.member.instance_id == self._wanted.instance_id)

    def _why_refused(self, group: Group, prospect: Prospect, instance: Instance) -> Decision | None:
        """What lasts until somebody changes it."""
        if instance.lifecycle is not Lifecycle.SPOT and self._wanted.reason is SwapReason.COST:
            return self._nothing_to_do(f"{instance.id} is on demand, and no Spot instance")
        if prospect.hindered and _lasts(prospect, instance):
            return self._refused(f"{instance.id} {prospect.reason}")
        if not prospect.hindered and instance.lifecycle is not Lifecycle.SPOT and prospect.fate is Fate.KEEP:
            return self._refused(f"{instance.id} {prospect.reason}")
        reason = obstacle(group)
        return self._refused(f"{group.name} is left alone: {reason}") if reason is not None else None

    def _why_waiting(self, group: Group, prospect: Prospect) -> Decision | None:
        """What passes."""
        if prospect.hindered:
            return self._waits(f"{prospect.member.instance_id} {prospect.reason}")
        if any(not swap.urgent for swap in self._world.undertakings_of(group.id)):
            return self._waits(f"another swap of {group.name} is under way")
        pause = self._world.pauses.get(group.id)
        if pause is not None and pause.until > self._world.time:
            words = f"{group.name} is left alone until {moment(pause.until)}: {pause.reason}"
            return self._waits(words, until=pause.until)
        if len(self._world.swaps) >= self._policy.swaps_at_once_max:
            words = f"as many swaps are under way as may be at once: {self._policy.swaps_at_once_max}"
            return self._waits(words, until=next_beat(self._world.time, CROWDED_LOOK_SECONDS))
        return None

    def _chosen(self, group: Group, details: GroupDetails, instance: Instance, prospect: Prospect) -> Decision:
        question = pools_question(self._world, group, instance, self._policy)
        if self._wanted.reason is SwapReason.COST:
            question = replace(question, prices_age_seconds_max=PRICES_AGE_SECONDS)
        answer = fresh_recommendation(self._world, question, self._policy)
        if answer is None or self._is_old(answer):
            return self._asks(question, f"what could stand in for {question.instance_type}?")
        own = Pool(instance_type=instance.instance_type, az=prospect.member.az)
        offers = tuple(o for o in affordable(self._world, group, answer.offers) if o.pool != own)
        if self._wanted.reason is SwapReason.COST:
            gain = self._policy.asked_gain_percentage
            offers = cheaper(offers, cost_of(answer, own), gain_percentage=gain)
        if not offers:
            return self._nothing_better(instance, own, answer)
        candidate = Candidate(instance=instance, az=prospect.member.az)
        return self._begun(group, details, candidate, offers, answer)

    def _is_old(self, answer: PoolsRecommended) -> bool:
        """Is the ranking older than what somebody has just found too expensive?"""
        return self._wanted.reason is SwapReason.COST and answer.time < self._order.born - PRICES_AGE_SECONDS

    def _nothing_better(self, instance: Instance, own: Pool, answer: PoolsRecommended) -> Decision:
        stays = why_it_stays(instance, own, answer, gain_percentage=self._policy.asked_gain_percentage)
        if self._wanted.reason is SwapReason.COST and stays is not None:
            return self._nothing_to_do(stays)
        reason = answer.reason or "every pool that fits is at rest, because it failed lately"
        return self._over(Status.FAILED, f"nothing can stand in for {instance.id}: {reason}")

    def _begun(
        self, group: Group, details: GroupDetails, candidate: Candidate, offers: Offers, answer: PoolsRecommended
    ) -> Decision:
        zones = pools_by_zone(offers, self._policy)
        plan = evenly(group, [candidate], list(zones), 1)
        if not plan or group.launch is None:
            return self._over(
                Status.FAILED,
                "no pool is to be had in the zones where a replacement would keep the group evenly spread",
            )
        # The newborn asks the orders whether its machine is to run on.
        world = self._world.with_undertaking(self._order)
        swap = newborn(
            world,
            group,
            details,
            self._policy,
            cause=SwapCause.ASKED,
            candidates=[candidate],
            source=group.launch,
            offers=offers,
            on_demand_usd_per_hour=answer.on_demand_usd_per_hour,
        )
        for zone in plan:
            swap = with_another_launch(swap, az=zone, count=1, lifecycle=Lifecycle.SPOT, pools=zones[zone])
        started = begun(world, swap, self._policy)
        self._order = replace(self._order, carried_by=swap.key)
        return self._noted(started, progress=progress_of(swap))


def _covers(swap: Swap, instance_id: str) -> bool:
    return any(old.id == instance_id for old in swap.olds)


def _lasts(prospect: Prospect, instance: Instance) -> bool:
    """Is what stands in the way its owner's will, or the machine's nature?"""
    odd = instance.lifecycle is Lifecycle.OTHER or instance.tenancy != "default"
    return (
        odd or instance.pinned or prospect.member.protected or (prospect.for_cluster and instance.cluster is not None)
    )
