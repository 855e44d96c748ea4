"""What an event tells an open incident: what came of its deeds, and what is seen of its node, pods and machine."""

from collections.abc import Callable
from dataclasses import replace

from spotward.model.event import Done, Event, Failed, InstanceFound, InstanceGone, InstanceLaunched, Restarted
from spotward.model.incident import Cause, Fate, HookDuty, Incident, Marks, PodRecord
from spotward.model.node_event import (
    BudgetsSeen,
    NodeMarked,
    PodAnswer,
    PodResult,
    PodsAnswered,
    TargetsSeen,
    WorkloadSeen,
)
from spotward.model.units import span
from spotward.model.world import World
from spotward.nodes.balancers import targets_seen
from spotward.nodes.intake import OFF_STATES
from spotward.nodes.keys import Errand, hook_key, key_of
from spotward.nodes.policy import NodesPolicy
from spotward.nodes.surge import surge_done, surge_failed, surge_seen

BUSY_RETRY_SECONDS = 2.0
"""When a server that sheds load did not say when to come back."""

FAILED_RETRY_FIRST_SECONDS = 1.0
"""How long a pod waits after the server failed on it; doubled at each further failure."""

FAILED_RETRY_SECONDS_MAX = 8.0

SHOWN_SECONDS = 10.0
"""For so long after a deed the cluster may not show what it did: answers and watches are two ways."""

RETURNING = frozenset({Cause.INTERRUPTION, Cause.SHUTDOWN, Cause.MAINTENANCE, Cause.TERMINATION})
"""Causes that are over when a machine that was off is on again."""


def learned(incident: Incident, world: World, event: Event, policy: NodesPolicy) -> Incident:
    """The incident once the event is known."""
    match event:
        case NodeMarked():
            return _marked(incident, event)
        case PodsAnswered():
            return _answered(incident, world, event, policy)
        case Done():
            return _done(incident, event)
        case Failed():
            return _failed(incident, event)
        case InstanceGone() | InstanceFound() | InstanceLaunched():
            return _machine(incident, event)
        case TargetsSeen():
            return targets_seen(incident, event)
        case WorkloadSeen():
            return surge_seen(incident, world, event)
        case BudgetsSeen():
            return _budgets_changed(incident, world, event)
        case Restarted():
            return _in_doubt(incident)
        case _:
            return incident


# ---- the node ------------------------------------------------------------------------------------------------------


def _marked(incident: Incident, event: NodeMarked) -> Incident:
    """What was set is ours from now on, beside what was ours before."""
    before = incident.marks
    marks = Marks(
        cordoned=before.cordoned or event.cordoned,
        taints=tuple(dict.fromkeys((*before.taints, *event.taints))),
        labels=tuple(dict.fromkeys((*before.labels, *event.labels))),
    )
    level = next((e for e in (Errand.CORDON, Errand.MARK) if event.key == key_of(incident, e)), Errand.CORDON)
    return replace(incident, marks=marks, marked=level.value, marking="", marked_time=event.time)


def _done(incident: Incident, event: Done) -> Incident:
    incident = surge_done(_hook_done(incident, event), event)
    deeds: dict[str, Callable[[Incident], Incident]] = {
        key_of(incident, Errand.UNCORDON): lambda i: replace(i, marks=Marks(), marked="", marked_time=None),
        key_of(incident, Errand.IN_SERVICE): lambda i: replace(i, out_of_service=False),
        key_of(incident, Errand.OUT_OF_SERVICE): lambda i: replace(i, clear_time=event.time + SHOWN_SECONDS),
        key_of(incident, Errand.DELETE_NODE): lambda i: replace(i, clear_time=event.time + SHOWN_SECONDS),
    }
    change = deeds.get(event.key)
    if change is not None:
        return change(incident)
    told = next((errands for first, errands in TELLINGS.items() if event.key == key_of(incident, first)), ())
    new = tuple(errand.value for errand in told if errand.value not in incident.told)
    return replace(incident, told=(*incident.told, *new)) if new else incident


TELLINGS = {
    Errand.TELL_BEGIN: (Errand.TELL_BEGIN,),
    Errand.TELL_CORDON: (Errand.TELL_BEGIN, Errand.TELL_CORDON),
    Errand.TELL_MARK: (Errand.TELL_BEGIN, Errand.TELL_MARK),
    Errand.TELL_END: (Errand.TELL_END,),
    Errand.TELL_BACK: (Errand.TELL_BACK,),
    Errand.NOTIFY_BEGIN: (Errand.NOTIFY_BEGIN,),
    Errand.NOTIFY_END: (Errand.NOTIFY_END,),
}
"""What is told → what is known by it: with the node's mark goes what was heard."""


def _failed(incident: Incident, event: Failed) -> Incident:
    """A hook about which Auto Scaling says for good that nobody waits is no duty any more."""
    if event.transient:
        return incident
    incident = surge_failed(incident, event)
    if event.key in {key_of(incident, Errand.CORDON), key_of(incident, Errand.MARK)} and not event.outcome_unknown:
        incident = replace(incident, marking="")
    if event.code != NOBODY_WAITS:
        return incident
    words = f"Auto Scaling does not wait any more ({event.code}: {event.reason})"
    hooks = tuple(
        replace(duty, over=words) if duty.over is None and event.key in _keys_of(incident, duty) else duty
        for duty in incident.hooks
    )
    return replace(incident, hooks=hooks)


NOBODY_WAITS = "ValidationError"
"""Auto Scaling's word for a token that no hook waits for (any more). A permission that is missing is not that: somebody
may give it while the hook still waits."""


def _keys_of(incident: Incident, duty: HookDuty) -> tuple[str, ...]:
    return (hook_key(incident, Errand.COMPLETE, duty), hook_key(incident, Errand.HEARTBEAT, duty))


def _hook_done(incident: Incident, event: Done) -> Incident:
    def after(duty: HookDuty) -> HookDuty:
        if event.key == hook_key(incident, Errand.COMPLETE, duty):
            return replace(duty, over="completed")
        if event.key == hook_key(incident, Errand.HEARTBEAT, duty):
            return replace(duty, beat_time=event.time, beats=duty.beats + 1)
        return duty

    return replace(incident, hooks=tuple(after(duty) for duty in incident.hooks))


# ---- the machine ---------------------------------------------------------------------------------------------------


def _machine(incident: Incident, event: InstanceGone | InstanceFound | InstanceLaunched) -> Incident:
    if isinstance(event, InstanceLaunched):
        return back_on(incident, event.time) if incident.off_time is not None else incident
    if isinstance(event, InstanceGone):
        state = event.state
    else:
        state = event.instance.state if event.instance is not None else "terminated"
    if state in OFF_STATES and (incident.off_time is None or incident.off_state != state):
        return replace(incident, off_time=incident.off_time or event.time, off_state=state)
    if state == "running" and incident.off_time is not None and isinstance(event, InstanceFound):
        return back_on(incident, event.time)
    return incident


def back_on(incident: Incident, time: float) -> Incident:
    """The machine that was off is on again: what made it go off is over."""
    over = f"the machine is on again, {span(max(0.0, time - (incident.off_time or time)))} after it went off"
    signals = tuple(replace(s, over=over) if s.over is None and s.cause in RETURNING else s for s in incident.signals)
    return replace(incident, signals=signals, off_time=None, off_state="")


# ---- pods ----------------------------------------------------------------------------------------------------------


def _answered(incident: Incident, world: World, event: PodsAnswered, policy: NodesPolicy) -> Incident:
    answers = {answer.uid: answer for answer in event.answers}
    records = tuple(
        _after_answer(record, answers[record.uid], incident, world, event, policy)
        if record.uid in answers and record.open
        else record
        for record in incident.pods
    )
    if event.key == key_of(incident, Errand.FORGET):
        incident = replace(incident, clear_time=event.time + SHOWN_SECONDS)
    return replace(incident, pods=records)


def _after_answer(
    record: PodRecord,
    answer: PodAnswer,
    incident: Incident,
    world: World,
    event: PodsAnswered,
    policy: NodesPolicy,
) -> PodRecord:
    now = event.time
    record = replace(record, tries=record.tries + 1)
    match answer.result:
        case PodResult.ACCEPTED:
            past = record.past_budget or event.key == key_of(incident, Errand.DELETE)
            why = record.reason if past else ""
            return _at(record, Fate.LEAVING, now, why, past_budget=past, retry_time=now + SHOWN_SECONDS)
        case PodResult.GONE:
            return _at(record, Fate.GONE, now, record.reason)
        case PodResult.BLOCKED | PodResult.TWO_BUDGETS | PodResult.REFUSED:
            return _heldback_on(record, answer, incident, world, now, policy)
        case PodResult.BUSY:
            return _again(record, answer.retry_after_seconds or BUSY_RETRY_SECONDS, answer.reason, now)
        case PodResult.FAILED:
            pause = min(FAILED_RETRY_FIRST_SECONDS * 2 ** min(record.tries - 1, 10), FAILED_RETRY_SECONDS_MAX)
            return _again(record, max(answer.retry_after_seconds, pause), answer.reason, now)


def _heldback_on(
    record: PodRecord, answer: PodAnswer, incident: Incident, world: World, now: float, policy: NodesPolicy
) -> PodRecord:
    pods = world.cluster.pods.get(incident.node)
    pod = pods.pods.get(record.uid) if pods is not None else None
    covering = world.cluster.budgets_of(pod) if pod is not None else ()
    budgets = tuple(budget.id for budget in covering) or record.budgets
    expected = pod is not None and not all(budget.lets_go(pod) for budget in covering)
    pause = policy.held_retry_seconds if expected else policy.blocked_retry_seconds
    return _at(
        record,
        Fate.BLOCKED,
        now,
        answer.reason,
        budgets=budgets if answer.result is not PodResult.REFUSED else (),
        deadlocked=answer.result is PodResult.TWO_BUDGETS,
        retry_time=now + max(answer.retry_after_seconds, pause),
    )


def _again(record: PodRecord, seconds: float, reason: str, now: float) -> PodRecord:
    return replace(record, fate=Fate.WAITING, reason=reason, retry_time=now + seconds)


def _at(record: PodRecord, fate: Fate, now: float, reason: str, **changes: object) -> PodRecord:
    since = record.since if record.fate is fate else now
    return replace(record, fate=fate, since=since, reason=reason, **changes)  # type: ignore[arg-type]  # fields of it


def _budgets_changed(incident: Incident, world: World, event: BudgetsSeen) -> Incident:
    """A pod that waited for a budget that lets it go now is asked at once."""
    changed = {*event.gone, *(budget.id for budget in event.budgets)}
    pods = world.cluster.pods.get(incident.node)
    if pods is None:
        return incident

    def after(record: PodRecord) -> PodRecord:
        pod = pods.pods.get(record.uid)
        waits = record.fate is Fate.BLOCKED and (event.whole or not changed.isdisjoint(record.budgets))
        if not waits or pod is None:
            return record
        covering = world.cluster.budgets_of(pod)
        if len(covering) > 1 or not all(budget.lets_go(pod) for budget in covering):
            return record
        return replace(record, fate=Fate.WAITING, deadlocked=False, budgets=(), retry_time=event.time)

    return replace(incident, pods=tuple(after(record) for record in incident.pods))


def _in_doubt(incident: Incident) -> Incident:
    """After a restart what was asked of a pod may have been done or not: it is looked at before it is asked again. And
    what held a pod back may be gone since, without anybody telling so: that is looked at again, too.
    """
    return replace(incident, pods=tuple(_after_restart(record) for record in incident.pods))


def _after_restart(record: PodRecord) -> PodRecord:
    match record.fate:
        case Fate.ASKED:
            return replace(record, fate=Fate.WAITING)
        case Fate.BLOCKED:
            return replace(record, fate=Fate.WAITING, deadlocked=False, budgets=(), retry_time=0.0)
        case _:
            return record
