"""Small worlds, deciders and hands for the tests of the engine. The product's own deciders are tested elsewhere."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from spotward.model.action import (
    Action,
    LaunchFleet,
    ObserveRegion,
    RetireMember,
    TagGroup,
)
from spotward.model.cloud import Group, Instance, LaunchSource, Lifecycle, Member, Pool, group_id
from spotward.model.decision import NOTHING, Decider, Decision, GroupPause, Guard, Verdict, WakeAt, Wish
from spotward.model.event import (
    Done,
    Event,
    Failed,
    FleetAnswered,
    GroupObserved,
    InterruptionNoticed,
    LaunchedInstance,
    RebalanceAdvised,
    RegionObserved,
    Restarted,
    Tick,
    Woken,
)
from spotward.model.page import Note
from spotward.model.undertaking import Clone, Old, Swap, SwapCause
from spotward.model.world import Pause, World

REGION = "us-east-1"
WEB = f"{REGION}/web"
NOON = 1_700_000_000.0


def a_group(*instance_ids: str, name: str = "web", **changes: Any) -> Group:
    members = tuple(
        Member(instance_id=i, instance_type="m5.large", az="us-east-1a", lifecycle_state="InService")
        for i in instance_ids
    )
    group = Group(
        region=REGION, name=name, min_size=0, max_size=99, desired=len(members), azs=("us-east-1a",), members=members
    )
    return replace(group, **changes)


def an_instance(instance_id: str, **changes: Any) -> Instance:
    instance = Instance(
        id=instance_id,
        region=REGION,
        az="us-east-1a",
        instance_type="m5.large",
        lifecycle=Lifecycle.SPOT,
        state="running",
        launch_time=NOON,
        group="web",
    )
    return replace(instance, **changes)


def seen(*groups: Group, time: float = NOON, region: str = REGION) -> RegionObserved:
    instances = tuple(an_instance(m.instance_id, group=g.name) for g in groups for m in g.members)
    return RegionObserved(
        time=time, key=f"observe {region}", as_of=time, region=region, groups=groups, instances=instances
    )


def a_launch(key: str = "launch 1", attempt: int = 1, **changes: Any) -> LaunchFleet:
    launch = LaunchFleet(
        region=REGION,
        group="web",
        key=key,
        attempt=attempt,
        count=1,
        lifecycle=Lifecycle.SPOT,
        launch=LaunchSource(template_id="lt-1", template_version="3"),
        pools=(Pool(instance_type="m5.large", az="us-east-1b"),),
    )
    return replace(launch, **changes)


def a_tagging(key: str = "tag web", group: str = "web") -> TagGroup:
    return TagGroup(region=REGION, group=group, key=key, tags=(("a", "b"),))


def a_swap(key: str = "swap 1", old: str = "i-1", **changes: Any) -> Swap:
    swap = Swap(
        key=key,
        region=REGION,
        group="web",
        cause=SwapCause.INTERRUPTION,
        born=NOON,
        olds=(Old(id=old, instance_type="m5.large", az="us-east-1a"),),
        launch_source=LaunchSource(template_id="lt-1", template_version="3"),
        instance_type="m5.large",
        offers=(),
        launches=(),
        desired_seen=1,
        look_time=NOON,
    )
    return replace(swap, **changes)


def failed(action: Action, time: float = NOON, **changes: Any) -> Failed:
    event = Failed(
        time=time, key=action.key, subject=action.subject, code="Throttling", reason="slow down", transient=True
    )
    return replace(event, **changes)


def done(action: Action, time: float = NOON) -> Done:
    return Done(time=time, key=action.key, subject=action.subject)


def wishing(*actions: Action, when: type | tuple[type, ...] = object) -> Decider:
    """A decider that wishes the same at every event of a kind."""

    def decide(world: World, event: Event) -> Decision:
        if not isinstance(event, when):
            return NOTHING
        return Decision(wishes=tuple(Wish(action=action, reason="because") for action in actions))

    return decide


def deciding(*decisions: Decision) -> Decider:
    """A decider that says these, one after the other, and the last one for ever."""
    left = list(decisions)
    return lambda _world, _event: left.pop(0) if len(left) > 1 else left[0]


def noting(text: str = "so it is") -> Decision:
    return Decision(notes=(Note(subject=WEB, text=text),))


def refusing(reason: Callable[[World], str | None]) -> Guard:
    """A guard that looks at the world alone."""
    return lambda world, _wish: reason(world)


# ---- a small product -----------------------------------------------------------------------------------------


def looker(world: World, event: Event) -> Decision:
    """Looks at each region when it is due."""
    if not isinstance(event, Tick):
        return NOTHING
    return Decision(wishes=tuple(Wish(action=ObserveRegion(region=r), reason="due") for r in event.regions))


def _subjects(world: World, event: Event) -> list[str]:
    match event:
        case RegionObserved():
            return [group.id for group in event.groups]
        case Done() | Failed() | Woken():
            return [event.subject]
        case FleetAnswered():
            return [group_id(event.region, event.group_name)]
        case GroupObserved():
            return [event.group_id]
        case InterruptionNoticed() | RebalanceAdvised():
            group = world.group_of.get(event.instance_id)
            return [group] if group else []
        case Restarted():
            return sorted({swap.group_id for swap in world.swaps.by_key.values()})
        case _:
            return []


def rescuer(world: World, event: Event) -> Decision:
    """Launches a new member for each that is doomed, and then retires the doomed one. One at a time per group."""
    return Decision.joined(_rescue(world, event, subject) for subject in dict.fromkeys(_subjects(world, event)))


def _rescue(world: World, event: Event, subject: str) -> Decision:
    group = world.groups.get(subject)
    swap = next(iter(world.undertakings_of(subject)), None)
    if swap is not None:
        return _carry_on(world, _learn(swap, event))
    if group is None:
        return NOTHING
    doomed = [m.instance_id for m in group.members if m.instance_id in world.dooms]
    if not doomed:
        return Decision(verdicts=(Verdict(subject=subject, text=f"all {len(group.members)} members are well"),))
    swap = a_swap(key=f"swap {subject} {doomed[0]} {world.time}", old=doomed[0], group=group.name, born=world.time)
    return Decision.joined([_carry_on(world, swap), Decision(verdicts=(Verdict(subject=subject, text=None),))])


def _learn(swap: Swap, event: Event) -> Swap:
    match event:
        case FleetAnswered() if event.key == f"{swap.key} launch":
            clones = tuple(
                Clone(
                    id=i.id, launch=event.key, instance_type=i.instance_type, az=i.az, lifecycle=i.lifecycle, since=0.0
                )
                for i in event.instances
            )
            return replace(swap, clones=clones, ended=None if clones else "nothing came", ended_time=event.time)
        case Done() if event.key == f"{swap.key} retire":
            return replace(swap, ended="replaced", ended_time=event.time)
        case _:
            return swap


def _carry_on(world: World, swap: Swap) -> Decision:
    subject = swap.group_id
    if swap.ended is not None:
        pause = None if swap.clones else Pause(until=world.time + 60, failures=1, reason="dry")
        return Decision(
            undertakings=(swap,),
            notes=(Note(subject=subject, text=swap.ended),),
            pauses=(GroupPause(subject=subject, pause=pause),),
        )
    if not swap.clones:
        action: Action = a_launch(key=f"{swap.key} launch", group=swap.group)
    else:
        action = RetireMember(region=REGION, group=swap.group, key=f"{swap.key} retire", instance_id=swap.olds[0].id)
    wake = WakeAt(time=world.time + 30, subject=subject)
    return Decision(undertakings=(swap,), wishes=(Wish(action=action, reason="doomed"),), wakes=(wake,))


PRODUCT = (looker, rescuer)


def answer(action: Action, time: float, *, launched: str = "i-new") -> Event:
    """What a friendly cloud would answer."""
    match action:
        case ObserveRegion():
            return seen(time=time, region=action.region)
        case LaunchFleet():
            made = LaunchedInstance(id=launched, instance_type="m5.large", az="us-east-1b", lifecycle=Lifecycle.SPOT)
            return FleetAnswered(
                time=time,
                key=action.key,
                attempt=action.attempt,
                region=action.region,
                group_name=action.group,
                instances=(made,),
            )
        case _:
            return done(action, time)
