"""What opens an incident, and what news mean for one that is open.

Whatever is heard of one instance, from the queue or from the machine itself, however often: it becomes a signal on the
one incident of that instance. A signal's id names the thing and not the message, so that hearing it twice changes
nothing, but for a deadline that has come nearer.
"""

from dataclasses import replace

from spotward.model.cluster import Node
from spotward.model.event import (
    Event,
    InstanceGone,
    InterruptionNoticed,
    MaintenanceEnded,
    MaintenanceScheduled,
    NoticeWithdrawn,
    RebalanceAdvised,
    TargetStateChanged,
)
from spotward.model.incident import STARTED_AGAIN, Cause, HookDuty, Incident, Replacement, Signal
from spotward.model.node_event import LifecycleHooked, NodesSeen
from spotward.model.undertaking import Swap
from spotward.model.world import Doom, World
from spotward.nodes.policy import NodesPolicy, Response

OFF_STATES = ("stopped", "terminated")
"""States in which the machine is off for certain."""

LEAVING_TARGETS = ("Terminated", "Detached", "Warmed:Stopped", "Warmed:Hibernated", "Warmed:Terminated")
"""Target states of Auto Scaling's after which pods cannot stay. (Detached: nobody replaces it in its group any more,
but it goes on; it is left out of what is acted on.)"""


NOTICE_SECONDS_MAX = 120.0
"""EC2 gives no more notice than this. A notice that names a later moment was heard by a clock that is behind, and the
machine goes when its two minutes are over, whatever that clock shows."""

ADOPTED_LATE_SECONDS = 60.0
"""A notice whose time passed longer ago than this says nothing of a node that is there all the same: its machine was
started again, or was never taken."""


def opened(world: World, event: Event, policy: NodesPolicy) -> tuple[Incident, ...]:
    """Incidents as they stand once the event is heard: new ones, and those to which it adds or from which it takes."""
    if isinstance(event, NodesSeen):
        return tuple(i for node in event.nodes if (i := _adopted(world, node, policy)) is not None)
    if isinstance(event, NoticeWithdrawn | MaintenanceEnded):
        return _withdrawn(world, event)
    signal = _signal(event, policy)
    if signal is None or not isinstance(
        event,
        InterruptionNoticed
        | RebalanceAdvised
        | MaintenanceScheduled
        | InstanceGone
        | TargetStateChanged
        | LifecycleHooked,
    ):
        return ()
    known = world.incidents.get(event.instance_id)
    if known is None and not _concerns_us(world, event, signal, policy):
        return ()
    incident = known or born(world, event.region, event.instance_id)
    if isinstance(event, LifecycleHooked):
        incident = _with_hook(incident, event)
    return (heard_of(incident, signal),)


def born(world: World, region: str, instance_id: str) -> Incident:
    """A new incident, without a signal yet."""
    return Incident(
        key=f"incident {instance_id} {world.time:.3f}",
        instance_id=instance_id,
        region=region,
        born=world.time,
        signals=(),
    )


def voluntary(world: World, swap: Swap) -> tuple[Incident, ...]:
    """Incidents of nodes of ours that a swap lets go, once they are empty, and that nothing else forces out."""
    found = []
    for each in swap.emptying:
        known = world.incidents.get(each.id)
        done = known is not None and (known.forced or Cause.SWAP in known.causes)
        if done or world.cluster.node_for(each.id) is None:
            continue
        signal = Signal(cause=Cause.SWAP, id=swap.key, time=world.time, text=swap.cause.value)
        incident = (known or born(world, swap.region, each.id)).with_signal(signal)
        found.append(replace(incident, replacement=Replacement.READY))
    return tuple(found)


# ---- signals -------------------------------------------------------------------------------------------------------


def _signal(event: Event, policy: NodesPolicy) -> Signal | None:
    match event:
        case InterruptionNoticed():
            deadline = min(event.deadline, event.time + NOTICE_SECONDS_MAX)
            return Signal(
                cause=Cause.INTERRUPTION, id="interruption", time=event.time, deadline=deadline, text=event.action
            )
        case RebalanceAdvised():
            return Signal(cause=Cause.REBALANCE, id="rebalance", time=event.time)
        case MaintenanceScheduled():
            return Signal(
                cause=Cause.MAINTENANCE,
                id=f"maintenance {event.event_id}",
                time=event.time,
                deadline=event.start_time,
                text=event.code,
            )
        case InstanceGone():
            deadline = event.time + policy.shutdown_seconds
            return Signal(cause=Cause.SHUTDOWN, id="shutdown", time=event.time, deadline=deadline, text=event.state)
        case TargetStateChanged() if event.state in LEAVING_TARGETS and event.state != "Detached":
            deadline = event.time + policy.termination_seconds
            return Signal(
                cause=Cause.TERMINATION, id="termination", time=event.time, deadline=deadline, text=event.state
            )
        case LifecycleHooked(launching=True):
            return Signal(cause=Cause.ARRIVAL, id="arrival", time=event.time, text=event.hook)
        case LifecycleHooked():
            deadline = event.time + policy.termination_seconds
            return Signal(
                cause=Cause.TERMINATION, id="termination", time=event.time, deadline=deadline, text=event.hook
            )
        case _:
            return None


def heard_of(incident: Incident, signal: Signal) -> Incident:
    """A thing that is heard again is the same thing; only a nearer deadline, or another date, is news."""
    known = next((s for s in incident.signals if s.id == signal.id), None)
    if known is not None and known.over == STARTED_AGAIN and known.deadline == signal.deadline:
        return incident  # EC2 goes on announcing for a while what it has done
    if known is None or known.over is not None:
        begun_anew = incident if incident.held else replace(incident.at_rest(), born=signal.time)
        return begun_anew.with_signal(signal)
    if signal.cause is Cause.MAINTENANCE:  # its date may be moved either way
        return incident.with_signal(replace(known, deadline=signal.deadline, text=signal.text))
    if known.deadline is None or signal.deadline is None or known.deadline <= signal.deadline:
        return incident
    return incident.with_signal(replace(known, deadline=signal.deadline, text=signal.text))


def _with_hook(incident: Incident, event: LifecycleHooked) -> Incident:
    if any(duty.token == event.token for duty in incident.hooks):
        return incident
    duty = HookDuty(
        group=event.group,
        hook=event.hook,
        token=event.token,
        launching=event.launching,
        heard_time=event.time,
        beat_time=event.time,
    )
    return replace(incident, hooks=(*incident.hooks, duty))


# ---- whom it concerns ----------------------------------------------------------------------------------------------


def _concerns_us(
    world: World,
    event: InterruptionNoticed
    | RebalanceAdvised
    | MaintenanceScheduled
    | InstanceGone
    | TargetStateChanged
    | LifecycleHooked,
    signal: Signal,
    policy: NodesPolicy,
) -> bool:
    """Is it, or may it be, a node of ours about which something is to be done?"""
    if policy.response(signal.cause) is Response.OFF:
        return False
    if node_of(world, event.instance_id, policy) is not None:
        return True
    if is_foreign(world, event.instance_id, policy):
        return False
    if not world.cluster.seen:
        return policy.expects_a_cluster
    return isinstance(event, LifecycleHooked) and (event.launching or bool(policy.cluster))


def node_of(world: World, instance_id: str, policy: NodesPolicy) -> Node | None:
    """Which node is it? An agent hears of its own machine alone, so a node of its own that names none is the one."""
    known = world.cluster.node_for(instance_id)
    own = world.cluster.nodes.get(policy.own_node) if known is None and policy.own_node else None
    return own if own is not None and own.instance_id is None else known


def is_foreign(world: World, instance_id: str, policy: NodesPolicy) -> bool:
    """Do its tags say that it is a node of another cluster, or of none?"""
    instance = world.instances.get(instance_id)
    return instance is not None and bool(policy.cluster) and instance.cluster != policy.cluster


def _adopted(world: World, node: Node, policy: NodesPolicy) -> Incident | None:
    """What EC2 said of an instance before its node was seen holds all the same."""
    instance_id = node.instance_id
    doom = world.dooms.get(instance_id) if instance_id is not None else None
    if instance_id is None or doom is None or world.incidents.get(instance_id) is not None:
        return None
    signal = _of_doom(doom)
    if policy.response(signal.cause) is Response.OFF or _is_long_past(signal, world, policy):
        return None
    region = node.az[:-1] or "unknown"
    return born(world, region, instance_id).with_signal(signal)


def _of_doom(doom: Doom) -> Signal:
    if doom.deadline is None:
        return Signal(cause=Cause.REBALANCE, id="rebalance", time=doom.time)
    deadline = min(doom.deadline, doom.time + NOTICE_SECONDS_MAX)
    return Signal(cause=Cause.INTERRUPTION, id="interruption", time=doom.time, deadline=deadline, text=doom.action)


def _is_long_past(signal: Signal, world: World, policy: NodesPolicy) -> bool:
    if signal.deadline is None:
        return world.time > signal.time + policy.rebalance_keep_seconds
    return world.time > signal.deadline + ADOPTED_LATE_SECONDS


def _withdrawn(world: World, event: NoticeWithdrawn | MaintenanceEnded) -> tuple[Incident, ...]:
    known = world.incidents.get(event.instance_id)
    if known is None:
        return ()
    if isinstance(event, NoticeWithdrawn):
        ids: set[str] = {event.notice}
        words = "EC2 took it back"
    else:
        ids = _same_maintenance(known, f"maintenance {event.event_id}")
        words = f"the maintenance is {event.outcome}"
    ends = (None, STARTED_AGAIN)
    signals = tuple(replace(s, over=words) if s.id in ids and s.over in ends else s for s in known.signals)
    return (replace(known, signals=signals),) if signals != known.signals else ()


def _same_maintenance(incident: Incident, signal_id: str) -> set[str]:
    """EC2's metadata and AWS Health name one and the same maintenance differently; its date tells that it is one."""
    dates = {s.deadline for s in incident.signals if s.id == signal_id}
    return {s.id for s in incident.signals if s.cause is Cause.MAINTENANCE and s.deadline in dates}
