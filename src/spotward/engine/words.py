"""Events and actions in an operator's words, and whom they are about."""

from collections.abc import Iterable

from spotward.engine.flow_words import action_words as flow_action_words
from spotward.engine.flow_words import event_words as flow_event_words
from spotward.engine.flow_words import subjects_of_event as subjects_of_flow_event
from spotward.engine.node_words import (
    node_action_words,
    node_event_words,
    subjects_of_node_action,
    subjects_of_node_event,
)
from spotward.model.action import (
    Action,
    AttachInstances,
    FindInstance,
    LaunchFleet,
    ObserveGroup,
    ObserveInstances,
    ObserveRegion,
    Question,
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
from spotward.model.cloud import Lifecycle, group_id
from spotward.model.event import (
    Done,
    Event,
    Failed,
    FleetAnswered,
    GroupObserved,
    InstanceFound,
    InstanceGone,
    InstanceLaunched,
    InstancesObserved,
    InterruptionNoticed,
    MaintenanceEnded,
    MaintenanceScheduled,
    Notice,
    NoticeWithdrawn,
    Observation,
    Outcome,
    PoolsRecommended,
    RebalanceAdvised,
    RegionObserved,
    Restarted,
    TargetStateChanged,
    Tick,
    Woken,
)
from spotward.model.flow_action import CallPlugin
from spotward.model.flow_event import FlowCancelled, FlowRetried, Occurred, PluginAnswered, PluginProgressed
from spotward.model.node_action import NodeAction
from spotward.model.order import Ordered
from spotward.model.units import clock, counted, listed, moment


def event_words(event: Event, answered: Action | None = None) -> str:
    """What happened, as one line. answered: what an outcome is the outcome of, where that is remembered."""
    match event:
        case Tick():
            return f"time to look at {listed(event.regions)}" if event.regions else "time has passed"
        case Woken():
            return f"time to look again at {event.subject}"
        case Restarted():
            return "Spotward started; what was asked before and not answered is in doubt"
        case InstanceLaunched():
            return f"{event.instance_id} was launched{_in_group(event.group)}"
        case InstanceGone():
            state = f"is {event.state}" if event.state.startswith("stop") else "is gone"
            return f"{event.instance_id} {state}{_from_group(event.group)}"
        case InterruptionNoticed():
            return f"EC2 will {event.action} {event.instance_id} at {clock(event.deadline)}"
        case RebalanceAdvised():
            return f"EC2 advises to move off {event.instance_id}"
        case NoticeWithdrawn() | MaintenanceScheduled() | MaintenanceEnded() | TargetStateChanged():
            return _notice_words(event)
        case RegionObserved() | GroupObserved() | InstancesObserved() | InstanceFound() | PoolsRecommended():
            return _observation_words(event)
        case FleetAnswered() | Done() | Failed():
            return _outcome_words(event, event.key if answered is None else action_words(answered))
        case Occurred() | PluginAnswered() | PluginProgressed() | FlowCancelled() | FlowRetried() | Ordered():
            return flow_event_words(event)
        case _:
            return node_event_words(event)


def _notice_words(event: Notice) -> str:
    match event:
        case NoticeWithdrawn(notice="interruption"):
            return f"EC2 takes back that it will interrupt {event.instance_id}"
        case NoticeWithdrawn():
            return f"EC2 advises no more to move off {event.instance_id}"
        case MaintenanceScheduled():
            return f"EC2 has scheduled {event.code} of {event.instance_id} for {moment(event.start_time)}"
        case MaintenanceEnded():
            return f"the maintenance {event.event_id} of {event.instance_id} is {event.outcome}"
        case TargetStateChanged():
            return f"Auto Scaling wants {event.instance_id} to be {event.state}"


def _in_group(group: str | None) -> str:
    return f" by {group}" if group else ""


def _from_group(group: str | None) -> str:
    return f" from {group}" if group else ""


def _observation_words(event: Observation) -> str:
    match event:
        case RegionObserved():
            news = (
                f"{counted(len(event.groups), 'group')} and {counted(len(event.instances), 'instance')} new or changed"
            )
            gone = f", gone: {listed(event.gone_groups)}" if event.gone_groups else ""
            return f"{event.region} was looked at: {news}{gone}"
        case GroupObserved():
            if event.group is None:
                return f"{event.group_id} was looked at: there is no such group"
            return f"{event.group_id} was looked at: {counted(len(event.group.members), 'member')}"
        case InstancesObserved():
            states = listed([f"{i.id} {i.state}" for i in event.instances], most=3)
            missing = f"not found: {listed(event.missing, most=3)}" if event.missing else ""
            found = "; ".join(part for part in (states, missing) if part) or "none"
            return f"instances for {event.group_id} were looked at: {found}"
        case InstanceFound():
            if event.instance is None:
                return f"{event.instance_id} was looked for: EC2 does not know it"
            return f"{event.instance_id} was found{_in_its_group(event.instance.group)}"
        case PoolsRecommended():
            offers = counted(len(event.offers), "pool")
            return f"{offers} can stand in for {event.instance_type} in {event.group_id}" + (
                f": {event.reason}" if event.reason else ""
            )


def _in_its_group(group: str | None) -> str:
    return f" in {group}" if group else " in no group"


def _outcome_words(event: Outcome, what: str) -> str:
    match event:
        case FleetAnswered():
            made = listed([f"{i.id} ({i.instance_type} in {i.az})" for i in event.instances], most=3) or "nothing"
            codes = listed(sorted({failure.code for failure in event.failures}), most=3)
            return f"the fleet made {made}" + (f"; refused elsewhere: {codes}" if codes else "")
        case Done():
            return f"done: {what}"
        case Failed():
            return f"failed: {what}: {event.code}: {event.reason}"


def action_words(action: Action) -> str:
    """What is asked for, as one line."""
    match action:
        case ObserveRegion() | ObserveGroup() | ObserveInstances() | FindInstance() | RecommendPools():
            return _question_words(action)
        case LaunchFleet():
            kind = "Spot" if action.lifecycle is Lifecycle.SPOT else "on demand"
            zones = listed(sorted({pool.az for pool in action.pools}))
            pools = f", from {counted(len(action.pools), 'pool')}" if action.lifecycle is Lifecycle.SPOT else ""
            return f"launch {action.count} {kind} in {zones} for {action.subject}{pools}"
        case AttachInstances():
            return f"attach {listed(action.instance_ids)} to {action.subject}"
        case RetireMember():
            how = ("detach", "from") if action.detach else ("terminate", "through")
            return f"{how[0]} {action.instance_id} {how[1]} {action.subject}"
        case TerminateInstances():
            return f"terminate {listed(action.instance_ids)}"
        case SetMaxSize():
            return f"set the max size of {action.subject} to {action.max_size}"
        case RestoreDesired():
            return f"set the desired capacity of {action.subject} back to {action.desired}"
        case SuspendProcesses():
            return f"suspend {listed(action.processes)} of {action.subject}"
        case ResumeProcesses():
            return f"resume {listed(action.processes)} of {action.subject}"
        case TagGroup():
            return f"tag {action.subject} with {listed([f'{name}={value}' for name, value in action.tags])}"
        case UntagGroup():
            tags = "tag" if len(action.names) == 1 else "tags"
            return f"remove the {tags} {listed(action.names)} from {action.subject}"
        case _:
            return flow_action_words(action) if isinstance(action, CallPlugin) else node_action_words(action)


def _question_words(question: Question) -> str:
    match question:
        case ObserveRegion():
            return f"look at {question.region}"
        case ObserveGroup():
            return f"look at {question.subject}"
        case ObserveInstances():
            return f"look at instances for {question.subject}"
        case FindInstance():
            return f"find out where {question.instance_id} belongs"
        case RecommendPools():
            return f"rank the pools that can stand in for {question.instance_type} in {question.subject}"


# ---- whom it is about ----------------------------------------------------------------------------------------


def subjects_of_event(event: Event) -> Iterable[str]:
    """Group, instances and key of an event. Of a whole region's observation only the region."""
    match event:
        case Tick() | Restarted():
            return
        case Woken():
            yield event.subject
        case InstanceLaunched() | InstanceGone():
            yield event.instance_id
            if event.group is not None:
                yield group_id(event.region, event.group)
        case InterruptionNoticed() | RebalanceAdvised():
            yield event.instance_id
        case NoticeWithdrawn() | MaintenanceScheduled() | MaintenanceEnded() | TargetStateChanged():
            yield event.instance_id
        case Done() | Failed():
            yield from (event.subject, event.key)
        case FleetAnswered():
            yield from (group_id(event.region, event.group_name), event.key)
            yield from (instance.id for instance in event.instances)
        case RegionObserved() | GroupObserved() | InstancesObserved() | InstanceFound() | PoolsRecommended():
            yield from _subjects_of_observation(event)
        case Occurred() | PluginAnswered() | PluginProgressed() | FlowCancelled() | FlowRetried() | Ordered():
            yield from subjects_of_flow_event(event)
        case _:
            yield from subjects_of_node_event(event)


def _subjects_of_observation(event: Observation) -> Iterable[str]:
    match event:
        case RegionObserved():
            yield event.region
        case GroupObserved() | PoolsRecommended():
            yield event.group_id
        case InstancesObserved():
            yield from (event.group_id, event.key)
            yield from (instance.id for instance in event.instances)
            yield from event.missing
        case InstanceFound():
            yield event.instance_id
            if event.instance is not None and event.instance.group is not None:
                yield group_id(event.region, event.instance.group)


def subjects_of_action(action: Action) -> Iterable[str]:
    """Group, instances and key of a deed; of a question only its subject."""
    yield action.subject
    if not action.mutates:
        return
    yield action.key
    match action:
        case AttachInstances() | TerminateInstances():
            yield from action.instance_ids
        case RetireMember():
            yield action.instance_id
        case CallPlugin():
            yield action.rule
        case _ if isinstance(action, NodeAction):
            yield from subjects_of_node_action(action)
        case _:
            return
