"""The World: all that we know, as one immutable value.

`world.after(event)` gives the next World; nothing else changes what we know of the outside. The maps are persistent
(hash array mapped tries), so that a step costs what it changes and not what the World holds, and a reader on
another thread may keep an old World as long as it likes.

What the deciders add (undertakings, wishes, verdicts) comes in through `with_…` methods, called by the core alone.
"""

from __future__ import annotations  # rpds' map takes its type parameters in an annotation only

import math
from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from rpds import HashTrieMap

from spotward.model.action import (
    Action,
    AttachInstances,
    LaunchFleet,
    ResumeProcesses,
    RetireMember,
    SetMaxSize,
    SuspendProcesses,
    TagGroup,
    UntagGroup,
)
from spotward.model.cloud import Group, GroupDetails, GroupId, Instance, Lifecycle, Pool, group_id
from spotward.model.event import (
    Done,
    Event,
    Failed,
    FleetAnswered,
    GroupObserved,
    InstanceFound,
    InstancesObserved,
    InterruptionNoticed,
    PoolsRecommended,
    RebalanceAdvised,
    RegionObserved,
)
from spotward.model.undertaking import Undertaking

CAPACITY_CODES = frozenset(
    {
        "InsufficientInstanceCapacity",
        "InsufficientHostCapacity",
        "InsufficientReservedInstanceCapacity",
        "InsufficientCapacity",
        "UnfulfillableCapacity",
        "SpotMaxPriceTooLow",
        "Unsupported",
    }
)
"""Error codes that say something about one pool; a pool that gave one is left alone for a while."""

POOL_PAUSE_FIRST_SECONDS = 300.0
"""How long a pool is left alone after it first ran dry. Each further time doubles it: capacity that is gone
usually stays gone for minutes to hours, and each try costs a call."""

POOL_PAUSE_SECONDS_MAX = 4 * 3600.0
"""The pause grows no further than this, so that a pool that recovered is found again the same day."""

SETTLING_SECONDS = 60.0
"""For so long after a deed AWS may not show what it did: its answers are eventually consistent."""

GROUP_DEEDS = (AttachInstances, RetireMember, SetMaxSize, SuspendProcesses, ResumeProcesses, TagGroup, UntagGroup)
"""Deeds that change the group as AWS shows it. A launch and a termination are about instances outside it."""

POOL_FORGET_SECONDS = 24 * 3600.0
"""After so long without trouble a pool starts again with a clean slate."""


@dataclass(frozen=True, kw_only=True, slots=True)
class PoolMemory:
    """What a pool did to us lately."""

    failures: int
    until: float
    """Left alone until then."""
    last_time: float
    reason: str


@dataclass(frozen=True, kw_only=True, slots=True)
class WishState:
    """Where a wish stands: asked (in flight) or failed (waiting for `retry_time`). A wish done is forgotten."""

    attempt: int
    state: str
    """`asked` or `failed`"""
    time: float
    retry_time: float = 0.0
    failures: int = 0
    """How often it failed in a row; repetitions of one attempt count too."""
    reason: str = ""
    action: Action | None = None
    """The action in full: its effect is folded in when its outcome comes."""


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
class Moves:
    """Who lately joined and left a group by acknowledged deeds of ours."""

    joined: tuple[str, ...] = ()
    retired: tuple[str, ...] = ()

    def after(self, deed: Action) -> Moves:
        """With what one more deed did."""
        match deed:
            case AttachInstances():
                return replace(self, joined=self.joined + deed.instance_ids)
            case RetireMember():
                joined = tuple(i for i in self.joined if i != deed.instance_id)
                return Moves(joined=joined, retired=(*self.retired, deed.instance_id))
            case _:
                return self

    def are_missing_in(self, seen: Group) -> bool:
        """Does it lack a member that joined, or still count on one that left?"""
        left = (seen.member(instance_id) for instance_id in self.retired)
        return any(seen.member(i) is None for i in self.joined) or any(m is not None and not m.leaving for m in left)


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
    wishes: HashTrieMap[str, WishState] = field(default_factory=HashTrieMap)
    launches: HashTrieMap[str, WishState] = field(default_factory=HashTrieMap)
    """Key of a launch → the launch as it was asked, until its outcome is known, restarts included. The same attempt is
    repeated to the letter from here, because a client token goes with one request."""
    undertakings: HashTrieMap[str, Undertaking] = field(default_factory=HashTrieMap)
    """Key → undertaking, open ones only."""
    undertaken: HashTrieMap[GroupId, tuple[str, ...]] = field(default_factory=HashTrieMap)
    """Group → keys of its open undertakings, so that a storm over many groups does not look through all of them."""
    pauses: HashTrieMap[GroupId, Pause] = field(default_factory=HashTrieMap)
    verdicts: HashTrieMap[str, str] = field(default_factory=HashTrieMap)
    """Subject → why it is left as it is, in words: said once, and again when it changes."""
    observed: HashTrieMap[str, float] = field(default_factory=HashTrieMap)
    """Region → when it was last seen whole."""
    touched: HashTrieMap[GroupId, float] = field(default_factory=HashTrieMap)
    """Group → when a deed of ours on it was last acknowledged: an observation begun earlier is stale."""

    moves: HashTrieMap[GroupId, Moves] = field(default_factory=HashTrieMap)
    """Group → who came and went by our doing, until it had time to show."""
    seen: HashTrieMap[GroupId, float] = field(default_factory=HashTrieMap)
    """Group → when the look was begun by which we know it."""

    # ---- questions -------------------------------------------------------------------------------------------

    def members(self, group: Group) -> Iterable[Instance]:
        """The group's members that we know as instances."""
        return (self.instances[m.instance_id] for m in group.members if m.instance_id in self.instances)

    def undertakings_of(self, subject: GroupId) -> tuple[Undertaking, ...]:
        """The open undertakings of a group, ordered by key: a map's own order differs from process to process."""
        return tuple(self.undertakings[key] for key in self.undertaken.get(subject, ()))

    def resting_pools(self, region: str) -> tuple[Pool, ...]:
        """Pools of a region that are left alone now."""
        return tuple(sorted(p for (r, p), m in self.pools.items() if r == region and m.until > self.time))

    # ---- what the core adds ----------------------------------------------------------------------------------

    def with_undertaking(self, undertaking: Undertaking) -> World:
        """An undertaking as it stands now; one that ended is kept by the store alone."""
        key, subject = undertaking.key, undertaking.group_id
        others = [other for other in self.undertaken.get(subject, ()) if other != key]
        if undertaking.ended is None:
            undertakings, keys = self.undertakings.insert(key, undertaking), sorted([*others, key])
        else:
            undertakings, keys = self.undertakings.discard(key), others
        undertaken = self.undertaken.insert(subject, tuple(keys)) if keys else self.undertaken.discard(subject)
        return replace(self, undertakings=undertakings, undertaken=undertaken)

    def with_wish(self, key: str, state: WishState) -> World:
        """A wish as it stands now."""
        wishes = self.wishes.insert(key, state)
        if state.state == "asked" and isinstance(state.action, LaunchFleet):
            return replace(self, wishes=wishes, launches=self.launches.insert(key, state))
        return replace(self, wishes=wishes)

    def without_wish(self, key: str) -> World:
        """Without a wish that nobody has any more; how a launch was asked is kept, for its token may still be known."""
        return replace(self, wishes=self.wishes.discard(key))

    def with_verdict(self, subject: str, text: str | None) -> World:
        """Why a subject is left as it is, or None when there is nothing to say."""
        verdicts = self.verdicts.discard(subject) if text is None else self.verdicts.insert(subject, text)
        return replace(self, verdicts=verdicts)

    def with_pause(self, subject: GroupId, pause: Pause | None) -> World:
        """A group is left alone, or is so no more."""
        pauses = self.pauses.discard(subject) if pause is None else self.pauses.insert(subject, pause)
        return replace(self, pauses=pauses)

    def with_pool_trouble(self, region: str, pool: Pool, reason: str) -> World:
        """A pool failed us: it rests, longer each time.

        What it does while it rests is still the same failure, so that a storm of notices from one pool counts once.
        """
        known = self.pools.get((region, pool))
        if known is None or self.time - known.last_time > POOL_FORGET_SECONDS:
            failures = 1
        else:
            failures = known.failures + (self.time >= known.until)
        pause = min(POOL_PAUSE_FIRST_SECONDS * 2 ** (failures - 1), POOL_PAUSE_SECONDS_MAX)
        memory = PoolMemory(failures=failures, until=self.time + pause, last_time=self.time, reason=reason)
        return replace(self, pools=self.pools.insert((region, pool), memory))

    # ---- what happened ---------------------------------------------------------------------------------------

    def after(self, event: Event) -> World:
        """The World once an event is known. Total: an event that says nothing new changes nothing but the time."""
        world = replace(self, time=max(self.time, event.time))
        match event:
            case RegionObserved():
                return world._after_region(event)._answered(event.key)
            case GroupObserved():
                return world._after_group(event)._answered(event.key)
            case InstancesObserved():
                return world._with_instances(event.instances, event.missing)._answered(event.key)
            case InstanceFound():
                found = (event.instance,) if event.instance else ()
                missing = () if event.instance else (event.instance_id,)
                return world._with_instances(found, missing)._answered(event.key)
            case PoolsRecommended():
                return replace(world, recommended=world.recommended.insert(event.key, event))._answered(event.key)
            case InterruptionNoticed():
                return world._after_interruption(event)
            case RebalanceAdvised():
                return world._after_advice(event)
            case FleetAnswered():
                return world._after_fleet(event)._answered(event.key)
            case Done():
                return world._after_deed(event)._answered(event.key)
            case Failed():
                return world._after_failure(event)
            case _:
                return world

    def _answered(self, key: str) -> World:
        return replace(self, wishes=self.wishes.discard(key))

    def _with_instances(self, instances: Iterable[Instance], missing: Iterable[str] = ()) -> World:
        known = self.instances
        for instance in instances:
            known = known.insert(instance.id, instance)
        for instance_id in missing:
            known = known.discard(instance_id)
        return replace(self, instances=known)

    def _with_sight(self, group: Group, as_of: float) -> World:
        return replace(self._with_group(group), seen=self.seen.insert(group.id, as_of))

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
        return replace(self, groups=groups, group_of=group_of, instances=instances, dooms=dooms)

    def _without_group(self, subject: GroupId) -> World:
        group = self.groups.get(subject)
        if group is None:
            return self
        empty = self._with_group(replace(group, members=()))
        return replace(
            empty,
            groups=empty.groups.discard(subject),
            details=empty.details.discard(subject),
            unhealthy=empty.unhealthy.discard(subject),
            seen=empty.seen.discard(subject),
            moves=empty.moves.discard(subject),
            pauses=empty.pauses.discard(subject),
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
        rested = event.time - self.touched.get(event.subject, -math.inf) > SETTLING_SECONDS
        moves = Moves() if rested else self.moves.get(event.subject, Moves())
        return replace(
            self,
            groups=self.groups.insert(event.subject, changed),
            touched=self.touched.insert(event.subject, event.time),
            moves=self.moves.insert(event.subject, moves.after(wish.action)),
        )

    def is_fresh(self, subject: GroupId) -> bool:
        """Do we know the group by a look that was begun after our last deed on it?"""
        return self.seen.get(subject, -math.inf) >= self.touched.get(subject, -math.inf)

    def stale(self, seen: Group, as_of: float) -> bool:
        """May what was seen of a group be older than a deed of ours on it?

        It is when it was begun before the deed's outcome was known, while a deed is under way, and when it does not
        show yet what an acknowledged deed did (AWS's answers are eventually consistent).
        """
        touched = self.touched.get(seen.id)
        if touched is None:
            return self._changing(seen.id)
        if as_of < touched or self._changing(seen.id):
            return True
        return self.time - touched <= SETTLING_SECONDS and self.moves.get(seen.id, Moves()).are_missing_in(seen)

    def _changing(self, subject: GroupId) -> bool:
        """Is a deed under way that changes the group itself?"""
        return any(
            wish.state == "asked" and isinstance(wish.action, GROUP_DEEDS) and wish.action.subject == subject
            for wish in self.wishes.values()
        )

    def _after_region(self, event: RegionObserved) -> World:
        world = replace(self, observed=self.observed.insert(event.region, event.time))
        for group in event.groups:
            if not world.stale(group, event.as_of):
                world = world._with_sight(group, event.as_of)
        for name in event.gone_groups:
            world = world._without_group(group_id(event.region, name))
        return world._with_instances(event.instances)

    def _after_group(self, event: GroupObserved) -> World:
        subject = event.group_id
        if event.group is None:
            return self._without_group(subject)._with_instances(event.instances, event.missing_instances)
        world = self._with_instances(event.instances, event.missing_instances)
        if not world.stale(event.group, event.as_of):
            world = world._with_sight(event.group, event.as_of)
        if event.details is not None:
            known = KnownDetails(time=event.time, details=event.details)
            world = replace(world, details=world.details.insert(subject, known))
        if event.unhealthy is not None:
            world = replace(world, unhealthy=world.unhealthy.insert(subject, frozenset(event.unhealthy)))
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

    def _doomed(self, instance_id: str, doom: Doom, reason: str) -> World:
        """What EC2 says of one Spot instance it says of its pool as well."""
        world = replace(self, dooms=self.dooms.insert(instance_id, doom))
        instance = world.instances.get(instance_id)
        if instance is None or instance.lifecycle is not Lifecycle.SPOT:
            return world
        pool = Pool(instance_type=instance.instance_type, az=instance.az)
        return world.with_pool_trouble(instance.region, pool, reason)

    def _after_fleet(self, event: FleetAnswered) -> World:
        world = replace(self, launches=self.launches.discard(event.key))
        for failure in event.failures:
            if failure.pool is not None and failure.code in CAPACITY_CODES:
                world = world.with_pool_trouble(event.region, failure.pool, f"{failure.code}: {failure.message}")
        return world

    def _after_failure(self, event: Failed) -> World:
        known = self.wishes.get(event.key)
        attempt = known.attempt if known else event.attempt
        failures = known.failures + 1 if known else 1
        pause = max(event.retry_after_seconds, retry_pause_seconds(failures))
        state = WishState(
            attempt=attempt,
            state="failed",
            time=event.time,
            retry_time=event.time + pause,
            failures=failures,
            reason=event.reason,
            action=known.action if known else None,
        )
        world = self
        if not event.transient and not event.outcome_unknown:
            world = replace(world, launches=self.launches.discard(event.key))
        if known is not None and known.action is not None and known.action.mutates:
            touched = self.touched.insert(known.action.subject, event.time)
            world = replace(world, touched=touched)
            group = world.groups.get(known.action.subject)
            if group is not None and event.outcome_unknown and isinstance(known.action, UntagGroup):
                # Our notes may be gone: nothing may be borrowed in the belief that they stand there.
                world = replace(world, groups=world.groups.insert(group.id, changed_by(group, known.action)))
        return world.with_wish(event.key, state)


def changed_by(group: Group, deed: Action) -> Group:
    """The group as it is once a deed on it was done; the very same object where the deed changes nothing of it."""
    match deed:
        case TagGroup():
            return replace(group, tags={**group.tags, **dict(deed.tags)})
        case UntagGroup():
            return replace(group, tags={k: v for k, v in group.tags.items() if k not in deed.names})
        case SetMaxSize():
            return replace(group, max_size=deed.max_size, desired=min(group.desired, deed.max_size))
        case SuspendProcesses():
            return replace(group, suspended=group.suspended | frozenset(deed.processes))
        case ResumeProcesses():
            return replace(group, suspended=group.suspended - frozenset(deed.processes))
        case AttachInstances():
            return replace(group, desired=group.desired + len(deed.instance_ids))
        case RetireMember():
            members = tuple(
                replace(m, lifecycle_state="Terminating") if m.instance_id == deed.instance_id else m
                for m in group.members
            )
            return replace(group, desired=group.desired - 1, members=members)
        case _:
            return group


RETRY_PAUSE_FIRST_SECONDS = 2.0
"""How long a failed wish waits before it is asked again; doubled at each further failure."""

RETRY_PAUSE_SECONDS_MAX = 600.0
"""A wish that keeps failing is asked again at least this often, so that a mended permission is noticed."""


def retry_pause_seconds(failures: int) -> float:
    """How long the wish waits after failing so often in a row."""
    return float(min(RETRY_PAUSE_FIRST_SECONDS * 2 ** min(failures - 1, 20), RETRY_PAUSE_SECONDS_MAX))
