"""The World: all that we know, as one immutable value.

`world.after(event)` gives the next World; nothing else changes what we know of the outside. The maps are persistent
(hash array mapped tries), so that a step costs what it changes and not what the World holds, and a reader on
another thread may keep an old World as long as it likes.

What the deciders add (undertakings, wishes, verdicts) comes in through `with_…` methods, called by the core alone.
"""

from __future__ import annotations  # rpds' map takes its type parameters in an annotation only

from collections.abc import Iterable
from dataclasses import dataclass, field

from rpds import HashTrieMap

from spotward.model.action import Deed, LaunchFleet, UntagGroup
from spotward.model.altered import altered
from spotward.model.cloud import Group, GroupDetails, GroupId, Instance, Lifecycle, Pool, group_id
from spotward.model.cluster_view import ClusterView
from spotward.model.effect import GROUP_DEEDS, changed_by
from spotward.model.event import (
    Done,
    Event,
    Failed,
    FleetAnswered,
    GroupObserved,
    InstanceFound,
    InstancesObserved,
    InterruptionNoticed,
    NoticeWithdrawn,
    PoolsRecommended,
    RebalanceAdvised,
    RegionObserved,
)
from spotward.model.flow import Flow, Turn
from spotward.model.flow_event import PluginAnswered
from spotward.model.flows import Flows
from spotward.model.incident import Incident
from spotward.model.incidents import Incidents
from spotward.model.node_event import (
    AttachmentsSeen,
    BudgetsSeen,
    ClusterSilent,
    NodeMarked,
    NodesSeen,
    PodsAnswered,
    PodsSeen,
    TargetGroupsSeen,
    TargetsSeen,
    WorkloadSeen,
)
from spotward.model.order import Order
from spotward.model.orders import Orders
from spotward.model.pool_memory import CAPACITY_CODES, PoolMemory, troubled
from spotward.model.sights import Sights
from spotward.model.swaps import Swaps
from spotward.model.undertaking import Swap, Undertaking
from spotward.model.wish import WishState, failed
from spotward.model.wishes import Wishes


@dataclass(frozen=True, kw_only=True, slots=True)
class Pause:
    """Why a group is left alone for now, and until when."""

    until: float
    failures: int
    reason: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Doom:
    """What EC2 said about an instance."""

    time: float
    deadline: float | None
    """None for a rebalance recommendation."""
    action: str = "terminate"


@dataclass(frozen=True, kw_only=True, slots=True)
class KnownDetails:
    """A group's details and their age."""

    time: float
    details: GroupDetails


@dataclass(frozen=True, kw_only=True, slots=True)
class World:
    """All that we know."""

    time: float = 0.0
    groups: HashTrieMap[GroupId, Group] = field(default_factory=HashTrieMap)
    instances: HashTrieMap[str, Instance] = field(default_factory=HashTrieMap)
    group_of: HashTrieMap[str, GroupId] = field(default_factory=HashTrieMap)
    """Instance id → the group it is a member of."""
    details: HashTrieMap[GroupId, KnownDetails] = field(default_factory=HashTrieMap)
    unhealthy: HashTrieMap[GroupId, frozenset[str]] = field(default_factory=HashTrieMap)
    """Members that their load balancers do not hold healthy, at the last look."""
    recommended: HashTrieMap[str, PoolsRecommended] = field(default_factory=HashTrieMap)
    """Key of the question → its last answer."""
    pools: HashTrieMap[tuple[str, Pool], PoolMemory] = field(default_factory=HashTrieMap)
    """(region, pool) → what it did to us."""
    dooms: HashTrieMap[str, Doom] = field(default_factory=HashTrieMap)
    wishes: Wishes = field(default_factory=Wishes)
    launches: HashTrieMap[str, WishState] = field(default_factory=HashTrieMap)
    """Key of a launch → the launch as it was asked, until its outcome is known, restarts included. The same attempt is
    repeated to the letter from here, because a client token goes with one request."""
    swaps: Swaps = field(default_factory=Swaps)
    """Undertakings of groups, open ones only."""
    incidents: Incidents = field(default_factory=Incidents)
    """Undertakings of nodes, open ones only. Apart from the others, because neither room looks through the other's."""
    flows: Flows = field(default_factory=Flows)
    """Undertakings of rules, open ones only."""
    orders: Orders = field(default_factory=Orders)
    """What somebody outside wants and waits for, open ones only."""
    turns: HashTrieMap[str, Turn] = field(default_factory=HashTrieMap)
    """A rule and a group → what is remembered of the flows that it had."""
    cluster: ClusterView = field(default_factory=ClusterView)
    pauses: HashTrieMap[GroupId, Pause] = field(default_factory=HashTrieMap)
    verdicts: HashTrieMap[str, str] = field(default_factory=HashTrieMap)
    """Subject → why it is left as it is, in words: said once, and again when it changes."""
    observed: HashTrieMap[str, float] = field(default_factory=HashTrieMap)
    """Region → when it was last seen whole."""
    sights: Sights = field(default_factory=Sights)
    """How far what was seen of groups can be believed."""
    surprises: HashTrieMap[GroupId, float] = field(default_factory=HashTrieMap)
    """Group → since when its desired capacity is one that others set while we were changing it too."""

    # ---- questions -------------------------------------------------------------------------------------------

    def members(self, group: Group) -> Iterable[Instance]:
        """The group's members that we know as instances."""
        return (self.instances[m.instance_id] for m in group.members if m.instance_id in self.instances)

    @property
    def open_undertakings(self) -> tuple[Undertaking, ...]:
        """All that was begun and must be finished."""
        swaps, incidents = self.swaps.by_key.values(), self.incidents.by_instance.values()
        return (*swaps, *incidents, *self.flows.by_key.values(), *self.orders.by_key.values())

    def undertakings_of(self, subject: GroupId) -> tuple[Swap, ...]:
        """The open undertakings of a group, ordered by key."""
        return self.swaps.of_group(subject)

    def wishes_about(self, subject: str) -> Iterable[tuple[str, WishState]]:
        """Key and state of each wish about a subject, ordered by key."""
        return self.wishes.about(subject)

    def resting_pools(self, region: str) -> tuple[Pool, ...]:
        """Pools of a region that are left alone now."""
        return tuple(sorted(p for (r, p), m in self.pools.items() if r == region and m.until > self.time))

    # ---- what the core adds ----------------------------------------------------------------------------------

    def with_undertaking(self, undertaking: Undertaking) -> World:
        """An undertaking as it stands now; one that ended is kept by the store alone."""
        if isinstance(undertaking, Incident):
            return self._with_incident(undertaking)
        if isinstance(undertaking, Flow):
            return altered(self, flows=self.flows.with_flow(undertaking))
        if isinstance(undertaking, Order):
            return altered(self, orders=self.orders.with_order(undertaking))
        return altered(self, swaps=self.swaps.with_swap(undertaking))

    def _with_incident(self, incident: Incident) -> World:
        cluster = self.cluster if incident.ended is None else self.cluster.without_pods(incident.node)
        return altered(self, incidents=self.incidents.with_incident(incident), cluster=cluster)

    def with_wish(self, key: str, state: WishState) -> World:
        """A wish as it stands now."""
        world = altered(self, wishes=self.wishes.with_wish(key, state))
        if state.state == "asked" and isinstance(state.action, LaunchFleet):
            return altered(world, launches=self.launches.insert(key, state))
        return world

    def without_wish(self, key: str) -> World:
        """Without a wish that nobody has any more; how a launch was asked is kept, for its token may still be known."""
        return altered(self, wishes=self.wishes.without(key)) if key in self.wishes else self

    def with_turn(self, key: str, turn: Turn | None) -> World:
        """What is remembered of a group of a rule, or None."""
        turns = self.turns.discard(key) if turn is None else self.turns.insert(key, turn)
        return altered(self, turns=turns)

    def with_verdict(self, subject: str, text: str | None) -> World:
        """Why a subject is left as it is, or None when there is nothing to say."""
        verdicts = self.verdicts.discard(subject) if text is None else self.verdicts.insert(subject, text)
        return altered(self, verdicts=verdicts)

    def without_surprise(self, subject: GroupId) -> World:
        """It is known by now who set its desired capacity, or will not be."""
        return altered(self, surprises=self.surprises.discard(subject))

    def with_pause(self, subject: GroupId, pause: Pause | None) -> World:
        """A group is left alone, or is so no more."""
        pauses = self.pauses.discard(subject) if pause is None else self.pauses.insert(subject, pause)
        return altered(self, pauses=pauses)

    def with_pool_trouble(self, region: str, pool: Pool, reason: str) -> World:
        """A pool failed us: it rests, longer each time."""
        memory = troubled(self.pools.get((region, pool)), time=self.time, reason=reason)
        return altered(self, pools=self.pools.insert((region, pool), memory))

    # ---- what happened ---------------------------------------------------------------------------------------

    def after(self, event: Event) -> World:
        """The World once an event is known. Total: an event that says nothing new changes nothing but the time."""
        world = altered(self, time=max(self.time, event.time))
        match event:
            case RegionObserved():
                return world._after_region(event).without_wish(event.key)
            case GroupObserved():
                return world._after_group(event).without_wish(event.key)
            case InstancesObserved():
                return world._with_instances(event.instances, event.missing).without_wish(event.key)
            case InstanceFound():
                found = (event.instance,) if event.instance else ()
                missing = () if event.instance else (event.instance_id,)
                return world._with_instances(found, missing).without_wish(event.key)
            case PoolsRecommended():
                return altered(world, recommended=world.recommended.insert(event.key, event)).without_wish(event.key)
            case InterruptionNoticed():
                return world._after_interruption(event)
            case RebalanceAdvised():
                return world._after_advice(event)
            case NoticeWithdrawn():
                return world._after_withdrawal(event)
            case FleetAnswered():
                return world._after_fleet(event).without_wish(event.key)
            case Done():
                return world._after_deed(event).without_wish(event.key)
            case Failed():
                return world._after_failure(event)
            case _:
                return world._after_cluster(event)

    def _after_cluster(self, event: Event) -> World:
        match event:
            case BudgetsSeen():
                incidents = self.incidents.budgets_seen([*event.gone, *(budget.id for budget in event.budgets)])
                return altered(self, cluster=self.cluster.after(event), incidents=incidents)
            case NodesSeen() | AttachmentsSeen() | TargetGroupsSeen() | ClusterSilent():
                return altered(self, cluster=self.cluster.after(event))
            case PodsSeen():
                return altered(self, cluster=self.cluster.after(event)).without_wish(event.key)
            case NodeMarked() | PodsAnswered() | WorkloadSeen() | TargetsSeen() | PluginAnswered():
                return self.without_wish(event.key)
            case _:
                return self

    def _with_instances(self, instances: Iterable[Instance], missing: Iterable[str] = ()) -> World:
        known = self.instances
        for instance in instances:
            known = known.insert(instance.id, instance)
        for instance_id in missing:
            known = known.discard(instance_id)
        return altered(self, instances=known)

    def _with_sight(self, group: Group, as_of: float) -> World:
        world = altered(self._with_group(group), sights=self.sights.after_look(group.id, as_of))
        before = self.groups.get(group.id)
        if before is None or before.desired == group.desired or not self._is_in_hand(group.id):
            return world
        since = self.surprises.get(group.id, self.time)
        return altered(world, surprises=self.surprises.insert(group.id, since))

    def _is_in_hand(self, subject: GroupId) -> bool:
        """Is its desired capacity being changed by us now, or was it a moment ago?"""
        owing = any(swap.owed for swap in self.undertakings_of(subject))
        return owing or self.sights.has_moved_lately(subject, self.time)

    def _with_group(self, group: Group) -> World:
        before = self.groups.get(group.id)
        group_of, instances, dooms = self.group_of, self.instances, self.dooms
        staying = {m.instance_id for m in group.members}
        for member in before.members if before else ():
            if member.instance_id not in staying and group_of.get(member.instance_id) == group.id:
                group_of = group_of.discard(member.instance_id)
                instances = instances.discard(member.instance_id)
                dooms = dooms.discard(member.instance_id)
        for instance_id in staying:
            group_of = group_of.insert(instance_id, group.id)
        groups = self.groups.insert(group.id, group)
        return altered(self, groups=groups, group_of=group_of, instances=instances, dooms=dooms)

    def _without_group(self, subject: GroupId, as_of: float) -> World:
        """Without a group that a look did not find."""
        group = self.groups.get(subject)
        if group is None or self.sights.overtaken(subject, as_of):
            return self
        empty = self._with_group(altered(group, members=()))
        return altered(
            empty,
            groups=empty.groups.discard(subject),
            details=empty.details.discard(subject),
            unhealthy=empty.unhealthy.discard(subject),
            sights=empty.sights.without(subject),
            pauses=empty.pauses.discard(subject),
            surprises=empty.surprises.discard(subject),
            verdicts=empty.verdicts.discard(subject),
        )

    def _after_deed(self, event: Done) -> World:
        """A deed of ours on a group is known to have worked before the group is seen again."""
        wish = self.wishes.get(event.key)
        group = self.groups.get(event.subject)
        if wish is None or wish.action is None or group is None:
            return self
        changed = changed_by(group, wish.action)
        if changed is group:
            return self
        return altered(
            self,
            groups=self.groups.insert(event.subject, changed),
            sights=self.sights.after_deed(event.subject, wish.action, event.time),
        )

    def is_fresh(self, subject: GroupId) -> bool:
        """Do we know the group by a look that was begun after our last deed on it?"""
        return self.sights.is_fresh(subject)

    def stale(self, seen: Group, as_of: float) -> bool:
        """May what was seen of a group be older than a deed of ours on it?

        It is when it was begun before the deed's outcome was known, while a deed is under way, and when it does not
        show yet what an acknowledged deed did (AWS's answers are eventually consistent); or when a newer look is known.
        """
        return (
            self.sights.overtaken(seen.id, as_of)
            or self.sights.precedes_a_deed(seen.id, as_of)
            or self._changing(seen.id)
            or self.sights.lacks_a_deed(seen, self.time)
        )

    def _changing(self, subject: GroupId) -> bool:
        """Is a deed under way that changes the group itself?"""
        return any(
            wish.state == "asked" and isinstance(wish.action, GROUP_DEEDS) for _, wish in self.wishes_about(subject)
        )

    def _after_region(self, event: RegionObserved) -> World:
        world = altered(self, observed=self.observed.insert(event.region, event.time))
        for group in event.groups:
            if not world.stale(group, event.as_of):
                world = world._with_sight(group, event.as_of)
        for name in event.gone_groups:
            world = world._without_group(group_id(event.region, name), event.as_of)
        return world._with_instances(event.instances)

    def _after_group(self, event: GroupObserved) -> World:
        subject = event.group_id
        if event.group is None:
            world = self._without_group(subject, event.as_of)
            return world._with_instances(event.instances, event.missing_instances)
        world = self._with_instances(event.instances, event.missing_instances)
        if not world.stale(event.group, event.as_of):
            world = world._with_sight(event.group, event.as_of)
        if event.details is not None:
            known = KnownDetails(time=event.time, details=event.details)
            world = altered(world, details=world.details.insert(subject, known))
        if event.unhealthy is not None:
            world = altered(world, unhealthy=world.unhealthy.insert(subject, frozenset(event.unhealthy)))
        return world

    def _after_interruption(self, event: InterruptionNoticed) -> World:
        known = self.dooms.get(event.instance_id)
        if known is not None and known.deadline is not None:
            return self
        doom = Doom(time=event.time, deadline=event.deadline, action=event.action)
        return self._doomed(event.instance_id, doom, "an instance of it was interrupted")

    def _after_advice(self, event: RebalanceAdvised) -> World:
        if event.instance_id in self.dooms:
            return self
        return self._doomed(event.instance_id, Doom(time=event.time, deadline=None), "EC2 advised to move off it")

    def _after_withdrawal(self, event: NoticeWithdrawn) -> World:
        known = self.dooms.get(event.instance_id)
        if known is None or (known.deadline is None) != (event.notice == "rebalance"):
            return self
        return altered(self, dooms=self.dooms.discard(event.instance_id))

    def _doomed(self, instance_id: str, doom: Doom, reason: str) -> World:
        """What EC2 says of one Spot instance it says of its pool as well."""
        world = altered(self, dooms=self.dooms.insert(instance_id, doom))
        instance = world.instances.get(instance_id)
        if instance is None or instance.lifecycle is not Lifecycle.SPOT:
            return world
        pool = Pool(instance_type=instance.instance_type, az=instance.az)
        return world.with_pool_trouble(instance.region, pool, reason)

    def _after_fleet(self, event: FleetAnswered) -> World:
        world = altered(self, launches=self.launches.discard(event.key))
        for failure in event.failures:
            if failure.pool is not None and failure.code in CAPACITY_CODES:
                world = world.with_pool_trouble(event.region, failure.pool, f"{failure.code}: {failure.message}")
        return world

    def _after_failure(self, event: Failed) -> World:
        known = self.wishes.get(event.key)
        world = self
        if not event.transient and not event.outcome_unknown:
            world = altered(world, launches=self.launches.discard(event.key))
        if known is not None and isinstance(known.action, Deed):
            world = altered(world, sights=self.sights.after_failure(known.action.subject, event.time))
            group = world.groups.get(known.action.subject)
            if group is not None and event.outcome_unknown and isinstance(known.action, UntagGroup):
                # Our notes may be gone: nothing may be borrowed in the belief that they stand there.
                world = altered(world, groups=world.groups.insert(group.id, changed_by(group, known.action)))
        return world.with_wish(event.key, failed(known, event))
