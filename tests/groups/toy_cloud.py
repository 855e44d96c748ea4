"""A toy of EC2 and Auto Scaling: just enough truth to hold decisions against, and none of the wire.

Rules that matter here, each as AWS has it: AttachInstances raises the desired capacity and is refused beyond the max
size; TerminateInstanceInAutoScalingGroup with decrement lowers it and is refused below the minimum; a max size below
the desired capacity lowers that as well, a minimum above it raises it; a group restores its desired capacity by
on-demand launches and shrinks by terminating; a client token gives the first answer again. AZRebalance is ignored.
"""

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from math import inf

from spotward.model.action import (
    Action,
    AttachInstances,
    FindInstance,
    LaunchFleet,
    ObserveGroup,
    ObserveInstances,
    ObserveRegion,
    RecommendPools,
    RestoreDesired,
    ResumeProcesses,
    RetireMember,
    SetMaxSize,
    SuspendProcesses,
    TagGroup,
    TerminateInstances,
    UntagGroup,
)
from spotward.model.cloud import (
    CapacityHistory,
    DesiredChange,
    Group,
    GroupDetails,
    Instance,
    LaunchSource,
    Lifecycle,
    Member,
    MemberStep,
    Pool,
    PoolOffer,
)
from spotward.model.event import (
    Done,
    Event,
    Failed,
    FleetAnswered,
    GroupObserved,
    InstanceFound,
    InstancesObserved,
    LaunchedInstance,
    PoolFailure,
    PoolsRecommended,
    RegionObserved,
)
from spotward.model.world import World

REGION = "us-east-1"
AZS = ("us-east-1a", "us-east-1b", "us-east-1c")
SOURCE = LaunchSource(template_id="lt-1", template_version="3")

OLD_FOR_SECONDS = 8.0
"""For so long after a deed a look may show what was before it."""

Seconds = Callable[[], float]


class NotDone(Exception):  # noqa: N818 - it says what came of it
    """AWS refuses."""

    def __init__(self, code: str, reason: str) -> None:
        self.code, self.reason = code, reason
        super().__init__(reason)


@dataclass(kw_only=True, slots=True)
class ToyGroup:
    """A group as its owner set it up; `about` is what AWS tells of it, members aside."""

    about: Group
    details: GroupDetails
    members: dict[str, Member] = field(default_factory=dict)
    unhealthy: set[str] = field(default_factory=set)
    changes: list[DesiredChange] = field(default_factory=list)
    steps: list[MemberStep] = field(default_factory=list)
    owner_desired: int = 0
    """What the owner last asked for, carried forward over deeds of ours that were on their way at that moment: what is
    left where nobody finds out what it was."""
    owner_asked: int = 0
    """What the owner last asked for."""


@dataclass(kw_only=True, slots=True)
class ToyCloud:
    """The truth. Changes only by `do`, by the owner's hand, and by time (`pass_to`)."""

    boot_seconds: Seconds
    service_seconds: Seconds
    time: float = 0.0
    groups: dict[str, ToyGroup] = field(default_factory=dict)
    instances: dict[str, Instance] = field(default_factory=dict)
    changes: list[tuple[float, int, Callable[[], None]]] = field(default_factory=list)
    offers: tuple[tuple[str, float], ...] = (("c5.large", 0.03), ("m5a.large", 0.031), ("m6i.large", 0.035))
    no_offers_for: set[str] = field(default_factory=set)
    """Types for which no pool is cheaper than on-demand."""
    dry: dict[Pool, str] = field(default_factory=dict)
    """Pool → the code with which it refuses Spot; on-demand capacity is ample."""
    fleets: dict[tuple[str, int], tuple[LaunchFleet, FleetAnswered]] = field(default_factory=dict)
    faults: list[str] = field(default_factory=list)
    """What was asked that must never be asked."""
    unseen: dict[str, int] = field(default_factory=dict)
    """Group in which somebody else did something that Spotward cannot know of yet → number of the last such change."""
    wished: dict[str, int] = field(default_factory=dict)
    """The same for a new desired capacity alone: deeds that are on their way then come on top of it."""
    doomed: set[str] = field(default_factory=set)
    """Instances that EC2 takes soon, whether or not anybody replaces them."""
    failing: dict[type, NotDone] = field(default_factory=dict)
    """Kind of action → how AWS refuses it for now."""
    earlier: dict[str, tuple[float, Group]] = field(default_factory=dict)
    """Group → when a deed last changed it, and how it stood before."""
    reads_old: Callable[[], bool] = bool
    """Does this look still show what was before the last deed?"""
    around_deed: Callable[[Action, bool], None] = lambda _action, _done: None
    """Hears of each deed right before it is carried out (False) and right after (True)."""
    history_lag_seconds: float = 0.0
    """How late scaling activities show; infinite where there are none."""
    dead_on_arrival: bool = False
    """New instances run but never come into service."""
    born: int = 100
    changed: int = 0

    # ---- time ------------------------------------------------------------------------------------------------

    def pass_to(self, time: float) -> None:
        """Let everything happen that is due by then."""
        while self.changes and (due := min(self.changes, key=lambda c: c[:2]))[0] <= time:
            self.changes.remove(due)
            self.time = max(self.time, due[0])
            due[2]()
            self._keep_groups()
        self.time = max(self.time, time)
        self._keep_groups()

    def later(self, seconds: float, change: Callable[[], None]) -> None:
        self.changed += 1
        self.changes.append((self.time + seconds, self.changed, change))

    def _keep_groups(self) -> None:
        for group in self.groups.values():
            if group.about.status is None:
                self._keep(group)

    def _keep(self, group: ToyGroup) -> None:
        for member in list(group.members.values()):
            if not member.healthy and not member.leaving:
                self.leave(group, member.instance_id)
        staying = [m for m in group.members.values() if not m.leaving and m.lifecycle_state != "Standby"]
        for _ in range(group.about.desired - len(staying)):
            if "Launch" in group.about.suspended:
                return
            zone = min(group.about.azs, key=lambda z: (self.zones(group)[z], group.about.azs.index(z)))
            instance = self.launch(group.about.name, "m5.large", zone, Lifecycle.ON_DEMAND)
            self.join(group, instance.id)
        surplus = len(staying) - group.about.desired
        for _ in range(max(0, surplus)):
            zones = self.zones(group)
            free = [m for m in group.members.values() if not m.leaving and not m.protected]
            if not free:
                return
            self.leave(group, max(free, key=lambda m: (zones[m.az], m.lifecycle_state != "InService")).instance_id)

    def zones(self, group: ToyGroup) -> Counter[str]:
        return Counter(m.az for m in group.members.values() if not m.leaving)

    def serving(self, group: ToyGroup) -> int:
        return sum(m.serving and m.instance_id not in group.unhealthy for m in group.members.values())

    # ---- instances -------------------------------------------------------------------------------------------

    def launch(self, group: str, kind: str, az: str, lifecycle: Lifecycle, **more: str) -> Instance:
        self.born += 1
        instance = Instance(
            id=f"i-{self.born}",
            region=REGION,
            az=az,
            instance_type=kind,
            lifecycle=lifecycle,
            state="pending",
            group=None if more else group,
            launch_time=self.time,
            launched_for=more.get("launched_for"),
            stands_for=more.get("stands_for"),
        )
        self.instances[instance.id] = instance
        self.later(self.boot_seconds(), lambda: self._set_state(instance.id, "pending", "running"))
        return instance

    def _set_state(self, instance_id: str, before: str, after: str) -> None:
        if self.instances[instance_id].state == before:
            self.instances[instance_id] = replace(self.instances[instance_id], state=after)

    def join(self, group: ToyGroup, instance_id: str) -> None:
        instance = self.instances[instance_id]
        group.members[instance_id] = Member(
            instance_id=instance_id,
            instance_type=instance.instance_type,
            az=instance.az,
            lifecycle_state="Pending",
        )
        self.instances[instance_id] = replace(instance, group=group.about.name)
        never = self.dead_on_arrival and instance.launched_for is not None
        if not never:
            booting = self.boot_seconds() if instance.state == "pending" else 0.0
            self.later(booting + self.service_seconds(), lambda: self._in_service(group, instance_id))

    def _in_service(self, group: ToyGroup, instance_id: str) -> None:
        member = group.members.get(instance_id)
        if member is not None and member.lifecycle_state == "Pending":
            group.members[instance_id] = replace(member, lifecycle_state="InService")
            self._set_state(instance_id, "pending", "running")

    def leave(self, group: ToyGroup, instance_id: str) -> None:
        """Begin to terminate a member; the desired capacity is somebody else's business."""
        group.members[instance_id] = replace(group.members[instance_id], lifecycle_state="Terminating")
        self.instances[instance_id] = replace(self.instances[instance_id], state="shutting-down")
        self.later(self.service_seconds(), lambda: self._gone(instance_id))

    def _gone(self, instance_id: str) -> None:
        self.instances[instance_id] = replace(self.instances[instance_id], state="terminated")
        for group in self.groups.values():
            group.members.pop(instance_id, None)

    def take(self, instance_id: str) -> None:
        """EC2 takes an instance, member or not."""
        for group in self.groups.values():
            if instance_id in group.members and not group.members[instance_id].leaving:
                self.nobody_knows(group.about.name)
                self.leave(group, instance_id)
                return
        if self.instances[instance_id].state in ("pending", "running"):
            self.instances[instance_id] = replace(self.instances[instance_id], state="terminated")

    # ---- the owner's hand ------------------------------------------------------------------------------------

    def owner_sets(self, name: str, **values: int) -> None:
        """Min, max and desired, with what AWS makes of them."""
        group = self.groups[name]
        about = replace(group.about, **values)  # type: ignore[arg-type]  # all of its sizes are whole numbers
        desired = min(max(about.desired, about.min_size), about.max_size)
        self.nobody_knows(name)
        if desired != group.about.desired:
            group.changes.append(DesiredChange(time=self.time, before=group.about.desired, after=desired))
            group.owner_desired = group.owner_asked = desired
            self.wished[name] = self.changed
        group.about = replace(about, desired=desired)

    def nobody_knows(self, name: str) -> None:
        """Somebody else changed something of a group."""
        self.changed += 1
        self.unseen[name] = self.changed

    def owner_marks(self, name: str, instance_id: str, **marks: object) -> None:
        """Protect a member, put it into Standby, let it fail its health check."""
        self.nobody_knows(name)
        members = self.groups[name].members
        members[instance_id] = replace(members[instance_id], **marks)  # type: ignore[arg-type]  # the caller names fields of a member

    def owner_tags(self, name: str, **tags: str | None) -> None:
        """Set tags, or take them away with None; `__` stands for a colon, `_` for a hyphen."""
        self.nobody_knows(name)
        about = self.groups[name].about
        named = {tag.replace("__", ":").replace("_", "-"): value for tag, value in tags.items()}
        both = {**about.tags, **named}
        self.groups[name].about = replace(about, tags={tag: value for tag, value in both.items() if value is not None})

    def owner_deletes(self, name: str) -> None:
        """With ForceDelete: the members go, then the group."""
        group = self.groups[name]
        self.nobody_knows(name)
        group.about = replace(group.about, status="Delete in progress", desired=0, min_size=0, max_size=0)
        for instance_id in [m.instance_id for m in group.members.values() if not m.leaving]:
            self.leave(group, instance_id)
        self.later(45.0, lambda: self._delete(name))

    def _delete(self, name: str) -> None:
        self.groups.pop(name, None)

    # ---- what is asked of it ---------------------------------------------------------------------------------

    def do(self, action: Action, attempt: int) -> Event:
        """Carry it out now. The answer's time is set by whoever delivers it."""
        try:
            if type(action) in self.failing:
                raise self.failing[type(action)]
            before = self.seen(action.subject.partition("/")[2])
            if before is not None:
                self.earlier[before.name] = (self.time, before)
            return self._watched_answer(action, attempt)
        except NotDone as no:
            return Failed(
                time=self.time,
                key=action.key,
                attempt=attempt,
                subject=action.subject,
                code=no.code,
                reason=no.reason,
                transient=False,
            )

    def _watched_answer(self, action: Action, attempt: int) -> Event:
        self.around_deed(action, False)
        answer = self._answer(action, attempt)
        self.around_deed(action, True)
        return answer

    def _answer(self, action: Action, attempt: int) -> Event:
        match action:
            case LaunchFleet():
                return self._fleet(action)
            case AttachInstances():
                self._attach(action)
            case RetireMember():
                self._retire(action)
            case TerminateInstances():
                self._terminate(action)
            case SetMaxSize():
                self._set_max(action)
            case RestoreDesired():
                self._restore(action)
            case SuspendProcesses() | ResumeProcesses() | TagGroup() | UntagGroup():
                self._change(action)
            case _:
                raise AssertionError(f"{action.kind} is a question: see `look`")
        return Done(time=self.time, key=action.key, attempt=attempt, subject=action.subject)

    def _group(self, name: str) -> ToyGroup:
        if name not in self.groups:
            raise NotDone("ValidationError", f"AutoScalingGroup name not found - null: {name}")
        return self.groups[name]

    def _fleet(self, action: LaunchFleet) -> FleetAnswered:
        token = (action.key, action.attempt)
        if token in self.fleets:
            request, answer = self.fleets[token]
            if request != action:
                self.faults.append(f"one token, two requests: {action.key}")
            return answer
        if any(key == action.key for key, _ in self.fleets):
            self.faults.append(f"carried out twice: {action.key}")
        stands_for = dict(action.tags).get("spotward:stands-for", "")
        dry = self.dry if action.lifecycle is Lifecycle.SPOT else {}
        open_pools = [pool for pool in action.pools if pool not in dry]
        made = [
            self.launch(
                action.group,
                open_pools[0].instance_type,
                open_pools[0].az,
                action.lifecycle,
                launched_for=action.key,
                stands_for=stands_for,
            )
            for _ in range(action.count if open_pools else 0)
        ]
        answer = FleetAnswered(
            time=self.time,
            key=action.key,
            attempt=action.attempt,
            region=action.region,
            group_name=action.group,
            instances=tuple(
                LaunchedInstance(id=i.id, instance_type=i.instance_type, az=i.az, lifecycle=i.lifecycle) for i in made
            ),
            failures=tuple(
                PoolFailure(pool=pool, code=dry[pool], message="no capacity") for pool in action.pools if pool in dry
            ),
        )
        self.fleets[token] = (action, answer)
        return answer

    def _attach(self, action: AttachInstances) -> None:
        group = self._group(action.group)
        number = len(action.instance_ids)
        for instance_id in action.instance_ids:
            if self.instances[instance_id].state != "running" or instance_id in group.members:
                raise NotDone("ValidationError", f"{instance_id} is not in correct state")
        if group.about.desired + number > group.about.max_size:
            raise NotDone("ValidationError", "AttachInstances would exceed the max size; update the sizes")
        if group.about.status is not None:
            raise NotDone("ValidationError", "the group is being deleted")
        group.about = replace(group.about, desired=group.about.desired + number)
        if action.group in self.wished:
            group.owner_desired += number
        for instance_id in action.instance_ids:
            group.steps.append(MemberStep(time=self.time, instance_id=instance_id, joined=True))
            self.join(group, instance_id)

    def _retire(self, action: RetireMember) -> None:
        group = self._group(action.group)
        member = group.members.get(action.instance_id)
        if member is None or member.leaving:
            raise NotDone("ValidationError", f"{action.instance_id} is not in the group")
        if group.about.desired - 1 < group.about.min_size:
            raise NotDone("ValidationError", "it would violate the minimum of the group")
        group.about = replace(group.about, desired=group.about.desired - 1)
        group.steps.append(MemberStep(time=self.time, instance_id=action.instance_id, joined=False))
        if action.detach:
            del group.members[action.instance_id]
            self.instances[action.instance_id] = replace(self.instances[action.instance_id], group=None)
        else:
            self.leave(group, action.instance_id)
        if action.group in self.wished:
            group.owner_desired -= 1
        wanted = min(group.owner_desired, group.owner_asked)
        if member.serving and self.serving(group) < wanted and not self._excused(action):
            self.faults.append(
                f"{self.time:.0f}: {action.instance_id} was retired, and {self.serving(group)} serve of {wanted}"
            )

    def _excused(self, action: RetireMember) -> bool:
        return action.group in self.unseen or action.instance_id in self.doomed

    def _terminate(self, action: TerminateInstances) -> None:
        here = [self.instances[each] for each in action.instance_ids if each in self.instances]
        assert all(each.launch_time <= action.launched_by_time for each in here), "a newborn would be taken for gone"
        for instance_id in action.instance_ids:
            for group in self.groups.values():
                member = group.members.get(instance_id)
                if member is not None and member.serving and group.about.status is None:
                    self.faults.append(f"{instance_id} serves, and was terminated past its group")
                if member is not None and not member.leaving:
                    self.leave(group, instance_id)
            self.instances[instance_id] = replace(self.instances[instance_id], state="terminated")

    def _set_max(self, action: SetMaxSize) -> None:
        group = self._group(action.group)
        if action.expected not in (None, group.about.max_size):
            raise NotDone("OwnerChanged", f"the max size is {group.about.max_size} by now")
        if action.max_size < group.about.desired:
            self.faults.append(f"max size {action.max_size} under a desired capacity of {group.about.desired}")
        desired = min(group.about.desired, action.max_size)
        group.about = replace(group.about, max_size=action.max_size, desired=desired)

    def _restore(self, action: RestoreDesired) -> None:
        group = self._group(action.group)
        if group.about.desired not in (action.expected, action.desired):
            raise NotDone("OwnerChanged", f"the desired capacity is {group.about.desired} by now")
        if not group.about.min_size <= action.desired <= group.about.max_size:
            raise NotDone("ValidationError", f"{action.desired} is not between the sizes")
        group.changes.append(DesiredChange(time=self.time, before=group.about.desired, after=action.desired))
        group.about = replace(group.about, desired=action.desired)

    def _change(self, action: SuspendProcesses | ResumeProcesses | TagGroup | UntagGroup) -> None:
        group = self._group(action.group)
        about = group.about
        match action:
            case SuspendProcesses():
                group.about = replace(about, suspended=about.suspended | frozenset(action.processes))
            case ResumeProcesses():
                group.about = replace(about, suspended=about.suspended - frozenset(action.processes))
            case TagGroup():
                group.about = replace(about, tags={**about.tags, **dict(action.tags)})
            case UntagGroup():
                tags = {name: value for name, value in about.tags.items() if name not in action.names}
                group.about = replace(about, tags=tags)

    # ---- what can be seen of it ------------------------------------------------------------------------------

    def seen(self, name: str) -> Group | None:
        group = self.groups.get(name)
        return replace(group.about, members=tuple(group.members.values())) if group else None

    def look(self, action: Action, attempt: int, as_of: float, in_scope: Callable[[Group], bool]) -> Event:
        """Answer a question with what is true now."""
        if type(action) in self.failing:
            return self.do(action, attempt)
        match action:
            case ObserveRegion():
                return self._region(action, as_of, in_scope)
            case ObserveGroup():
                return self._whole_group(action, attempt, as_of)
            case ObserveInstances():
                return self._some_instances(action, attempt)
            case FindInstance():
                return InstanceFound(
                    time=self.time,
                    key=action.key,
                    region=action.region,
                    instance_id=action.instance_id,
                    instance=self.instances.get(action.instance_id),
                )
            case RecommendPools():
                return self._pools(action, attempt)
            case _:
                raise AssertionError(f"{action.kind} is a deed: see `do`")

    def _region(self, action: ObserveRegion, as_of: float, in_scope: Callable[[Group], bool]) -> RegionObserved:
        groups = [group for name in self.groups if (group := self.seen(name)) is not None]
        ours = [m.instance_id for group in groups if in_scope(group) for m in group.members]
        return RegionObserved(
            time=self.time,
            key=action.key,
            as_of=as_of,
            region=action.region,
            groups=tuple(groups),
            instances=tuple(self.instances[i] for i in ours),
        )

    def _whole_group(self, action: ObserveGroup, attempt: int, as_of: float) -> GroupObserved:
        group = self.groups.get(action.group)
        seen = self.seen(action.group)
        when, before = self.earlier.get(action.group, (-OLD_FOR_SECONDS, seen))
        if seen is not None and action.group not in self.unseen and self.time - when < OLD_FOR_SECONDS:
            seen = before if self.reads_old() else seen
        return GroupObserved(
            time=self.time,
            key=action.key,
            attempt=attempt,
            as_of=as_of,
            region=action.region,
            group_name=action.group,
            group=seen,
            instances=tuple(self.instances[m.instance_id] for m in seen.members) if seen else (),
            details=group.details if action.details and group else None,
            unhealthy=tuple(sorted(group.unhealthy)) if action.health and group else None,
            history=self._history(group) if action.history and group else None,
        )

    def _history(self, group: ToyGroup) -> CapacityHistory:
        """What its activities tell by now, in whole seconds."""
        if self.history_lag_seconds == inf:
            return CapacityHistory(since=inf)
        known = self.time - self.history_lag_seconds
        return CapacityHistory(
            since=0.0,
            changes=tuple(replace(c, time=float(int(c.time))) for c in group.changes if c.time <= known),
            steps=tuple(replace(s, time=float(int(s.time))) for s in group.steps if s.time <= known),
        )

    def _some_instances(self, action: ObserveInstances, attempt: int) -> InstancesObserved:
        asked = [i for i in action.instance_ids if i in self.instances]
        tagged = [i.id for i in self.instances.values() if i.launched_for in action.launches]
        return InstancesObserved(
            time=self.time,
            key=action.key,
            attempt=attempt,
            region=action.region,
            group_name=action.group,
            instances=tuple(self.instances[i] for i in dict.fromkeys((*asked, *tagged))),
            missing=tuple(i for i in action.instance_ids if i not in self.instances),
        )

    def _pools(self, action: RecommendPools, attempt: int) -> PoolsRecommended:
        offers = tuple(
            PoolOffer(pool=Pool(instance_type=kind, az=az), usd_per_hour=price, expected_usd_per_hour=price)
            for kind, price in self.offers
            for az in action.azs
            if Pool(instance_type=kind, az=az) not in action.exclude and action.instance_type not in self.no_offers_for
        )
        return PoolsRecommended(
            time=self.time,
            key=action.key,
            attempt=attempt,
            region=action.region,
            group_name=action.group,
            instance_type=action.instance_type,
            on_demand_usd_per_hour=0.1,
            offers=offers,
            compatible=len(self.offers) * len(action.azs),
            reason="" if offers else "no pool that fits costs less than 0.1 USD an hour",
        )

    def set_up(
        self,
        name: str,
        *,
        members: Iterable[tuple[str, str, Lifecycle]],
        min_size: int | None = None,
        max_size: int | None = None,
        desired: int | None = None,
        tags: dict[str, str] | None = None,
        details: GroupDetails | None = None,
        **about: object,
    ) -> ToyGroup:
        """A group whose members, (type, zone, lifecycle), have long been in service."""
        every = list(members)
        wanted = len(every) if desired is None else desired
        azs = AZS[: max(1, len({az for _, az, _ in every}))] if every else AZS
        group = ToyGroup(
            about=Group(
                region=REGION,
                name=name,
                min_size=0 if min_size is None else min_size,
                max_size=wanted if max_size is None else max_size,
                desired=wanted,
                launch=SOURCE,
                tags={"spotward:enabled": "true"} if tags is None else tags,
                subnet_ids=tuple(f"subnet-{az[-1]}" for az in azs),
                azs=azs,
                **about,  # type: ignore[arg-type]  # the caller names fields of a group
            ),
            details=details or GroupDetails(subnets={f"subnet-{az[-1]}": az for az in azs}),
            owner_desired=wanted,
            owner_asked=wanted,
        )
        self.groups[name] = group
        for number, (kind, az, lifecycle) in enumerate(every, start=1):
            instance_id = f"i-{len(self.instances) + 1}"
            self.instances[instance_id] = Instance(
                id=instance_id,
                region=REGION,
                az=az,
                instance_type=kind,
                lifecycle=lifecycle,
                state="running",
                group=name,
                launch_time=-10_000.0 + number,
            )
            group.members[instance_id] = Member(
                instance_id=instance_id, instance_type=kind, az=az, lifecycle_state="InService"
            )
        return group

    def differing_from(self, world: World, event: RegionObserved, in_scope: Callable[[Group], bool]) -> RegionObserved:
        """The news in it, as the adapter tells it: what the World does not know yet."""
        gone = tuple(g.name for g in world.groups.values() if g.region == REGION and g.name not in self.groups)
        ours = {m.instance_id for g in event.groups if in_scope(g) for m in g.members}
        return replace(
            event,
            groups=tuple(g for g in event.groups if world.groups.get(g.id) != g),
            instances=tuple(i for i in event.instances if i.id in ours and world.instances.get(i.id) != i),
            gone_groups=gone,
        )
