"""Emptying a node: its pods as they stand, tier by tier, and what is asked of the API server about them.

The pods are watched, not listed once: one that was on its way to the node when it was cordoned is met like any other.
No pod is asked twice at once, because all that is asked about one node goes out under one key at a time.
"""

import math
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, replace

from spotward.model.cluster import Pod, Taint
from spotward.model.cluster_view import NodePods
from spotward.model.incident import Fate, Incident, PodRecord
from spotward.model.node_action import DeletePods, EvictPods, PodOrder, WatchPods
from spotward.model.units import listed
from spotward.nodes.budgets import why_never
from spotward.nodes.keys import Errand, key_of
from spotward.nodes.ladder import Move, Rung, move
from spotward.nodes.scene import Scene, Steps
from spotward.nodes.surge import why_held as why_surging
from spotward.nodes.tiers import order, our_taint, tier, why_left, why_spared

POD_ERRANDS = (Errand.EVICT, Errand.DELETE, Errand.SHORTEN)


def watch(steps: Steps, scene: Scene) -> Steps:
    """Pods are of interest as soon as the node is marked to be emptied: both are asked at once."""
    incident = steps.incident
    begins = incident.begun_time is not None or incident.marking == Errand.MARK.value
    if not begins or scene.node(incident) is None or scene.pods(incident) is not None:
        return steps
    question = WatchPods(instance_id=incident.instance_id, key=key_of(incident, Errand.WATCH), node=incident.node)
    return steps.wishing(question, "which pods are on it?")


def empty_pods(steps: Steps, scene: Scene) -> Steps:
    """Look at each pod, and ask what is to be asked now."""
    pods = scene.pods(steps.incident)
    if steps.incident.begun_time is None or pods is None:
        return steps
    steps = steps.at(reconciled(steps.incident, pods, scene))
    if steps.incident.off_time is not None:
        return steps
    return _asked(steps, _moves(steps.incident, pods, scene), scene)


def held_up(steps: Steps, scene: Scene) -> Steps:
    """Say what keeps a node from being empty that nothing forces, where waiting alone will not change it."""
    incident = steps.incident
    if incident.begun_time is None or incident.forced:
        return steps
    pods = scene.pods(incident)
    stuck = [
        why for r in incident.pods if r.open and pods is not None and (why := _why_stuck(r, pods, incident, scene))
    ]
    text = f"{incident.node} is not empty: {listed(stuck, most=3)}" if stuck else None
    return steps.judging(f"drain of {incident.node}", text)


def _why_stuck(record: PodRecord, pods: NodePods, incident: Incident, scene: Scene) -> str | None:
    pod = pods.pods.get(record.uid)
    if pod is None or pod.leaving:
        return None
    why = (
        why_spared(pod, incident, scene.policy)
        or why_surging(pod, incident, scene)
        or why_never(pod, scene.world.cluster.budgets_of(pod))
    )
    return f"{record.id}: {why}" if why is not None else None


# ---- the pods as they stand ----------------------------------------------------------------------------------------


def reconciled(incident: Incident, pods: NodePods, scene: Scene) -> Incident:
    """The records of all pods that are or were on the node, by what is seen of them now."""
    known = {record.uid for record in incident.pods}
    fresh = sorted((pod for uid, pod in pods.pods.items() if uid not in known), key=order)
    records = [*incident.pods, *(_new(pod, pods, scene) for pod in fresh)]
    busy = any(scene.in_flight(key_of(incident, errand)) for errand in POD_ERRANDS)
    taint = our_taint(incident, scene.policy)
    after = tuple(_seen(r, pods.pods.get(r.uid), incident, scene, taint, busy=busy) for r in records)
    return incident if after == incident.pods else replace(incident, pods=after)


def _new(pod: Pod, pods: NodePods, scene: Scene) -> PodRecord:
    return PodRecord(
        uid=pod.uid,
        namespace=pod.namespace,
        name=pod.name,
        since=scene.now,
        grace_seconds=pod.grace_seconds,
        volumes=pods.volumes_of(pod),
    )


def _seen(
    record: PodRecord, pod: Pod | None, incident: Incident, scene: Scene, taint: Taint, *, busy: bool
) -> PodRecord:
    if pod is None:
        # While a deletion is not answered: the answer, due in a moment, tells whose budget was passed.
        unanswered = record.fate is not Fate.WAITING and scene.in_flight(key_of(incident, Errand.DELETE))
        return _came_to(record, Fate.GONE, scene) if record.open and not unanswered else record
    if record.fate is Fate.GONE:
        return record  # the API server said so; what is seen of it is older, and no uid comes twice
    left = why_left(pod, taint, scene.policy)
    if left is not None and not pod.leaving:
        return replace(_came_to(record, Fate.LEFT, scene), reason=left)
    if incident.off_time is not None:
        return _came_to(record, Fate.KILLED, scene) if record.open else record
    if record.fate is Fate.LEAVING and (pod.leaving or scene.now < record.retry_time):
        return record  # that it stops may be known sooner than it is seen
    if pod.leaving:
        return replace(_came_to(record, Fate.LEAVING, scene), retry_time=0.0)
    if record.fate is Fate.ASKED and busy:
        return record
    if record.fate in (Fate.WAITING, Fate.BLOCKED):
        return record
    return _came_to(record, Fate.WAITING, scene)  # asked without an answer, or it is not left alone any more


def _came_to(record: PodRecord, fate: Fate, scene: Scene) -> PodRecord:
    return record if record.fate is fate else replace(record, fate=fate, since=scene.now)


# ---- what is asked -------------------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True, slots=True)
class _Planned:
    record: PodRecord
    pod: Pod
    move: Move


def _moves(incident: Incident, pods: NodePods, scene: Scene) -> list[_Planned]:
    """What is to be done about each pod, in the order in which they go."""
    here = [(record, pods.pods[record.uid]) for record in incident.pods if record.open and record.uid in pods.pods]
    here.sort(key=lambda each: (tier(each[1], scene.policy), order(each[1])))
    turn = min((tier(pod, scene.policy) for _, pod in here), default=0)
    spent = Counter[str]()
    planned = []
    for record, pod in here:
        if record.fate is Fate.ASKED:
            continue
        its_turn = tier(pod, scene.policy) <= turn
        each = move(record, pod, incident, replace(scene, spent=spent), its_turn=its_turn)
        planned.append(_Planned(record=record, pod=pod, move=each))
        if each.rung is Rung.EVICT:
            spent.update(budget.id for budget in scene.world.cluster.budgets_of(pod))
    return planned


def _asked(steps: Steps, planned: Iterable[_Planned], scene: Scene) -> Steps:
    asks: dict[Rung, list[_Planned]] = {rung: [] for rung in Rung}
    for each in planned:
        asks[each.move.rung].append(each)
    waiting = asks.pop(Rung.WAIT)
    steps = steps.waking(min((each.move.until for each in waiting), default=math.inf))
    steps = steps.at(steps.incident.with_pods(_waiting(each) for each in waiting))
    for rung, those in asks.items():
        steps = _ask(steps, rung, those, scene)
    return steps


def _waiting(each: _Planned) -> PodRecord:
    """The record of a pod about which nothing is done now, with the reason."""
    record, waits = each.record, each.move
    held = bool(waits.budgets) or record.fate is Fate.BLOCKED
    if record.fate is Fate.LEAVING or not (held or waits.reason != record.reason):
        return record
    if not held or record.fate is Fate.BLOCKED:
        return replace(record, reason=waits.reason, budgets=waits.budgets)
    retry = 0.0 if math.isinf(waits.until) else waits.until
    return replace(record, fate=Fate.BLOCKED, reason=waits.reason, budgets=waits.budgets, retry_time=retry)


_ERRANDS = {Rung.EVICT: Errand.EVICT, Rung.DELETE: Errand.DELETE, Rung.SHORTEN: Errand.SHORTEN}


def _ask(steps: Steps, rung: Rung, those: list[_Planned], scene: Scene) -> Steps:
    """Ask for as many as one call takes; the rest follows when it is answered."""
    key = key_of(steps.incident, _ERRANDS[rung])
    those = those[: scene.policy.pods_at_once_max]
    if not those or scene.in_flight(key):
        return steps
    pause = scene.world.wishes.get(key)
    if pause is not None and pause.retry_time > scene.now:
        return steps.waking(pause.retry_time)
    steps = steps.at(steps.incident.with_pods(_as_asked(each, rung, scene) for each in those))
    return steps.wishing(_action(steps.incident, rung, key, those), _why(rung, those))


def _as_asked(each: _Planned, rung: Rung, scene: Scene) -> PodRecord:
    record, grace = each.record, each.move.grace_seconds
    if rung is Rung.SHORTEN:
        begun = (each.pod.deletion_time or scene.now) - (each.pod.deletion_grace_seconds or 0.0)
        return replace(record, given_seconds=max(0.0, scene.now - begun) + (grace or 0), reason=each.move.reason)
    covering = tuple(budget.id for budget in scene.world.cluster.budgets_of(each.pod))
    return replace(
        record,
        fate=Fate.ASKED,
        since=scene.now,
        reason=each.move.reason,
        budgets=covering,
        asked_time=record.asked_time if record.asked_time is not None else scene.now,
        given_seconds=float(grace) if grace is not None else None,
    )


def _action(incident: Incident, rung: Rung, key: str, those: list[_Planned]) -> EvictPods | DeletePods:
    orders = tuple(
        PodOrder(namespace=p.pod.namespace, name=p.pod.name, uid=p.pod.uid, grace_seconds=p.move.grace_seconds)
        for p in those
    )
    if rung is Rung.EVICT:
        return EvictPods(instance_id=incident.instance_id, key=key, node=incident.node, pods=orders)
    return DeletePods(instance_id=incident.instance_id, key=key, node=incident.node, pods=orders)


def _why(rung: Rung, those: list[_Planned]) -> str:
    if rung is Rung.EVICT and all(each.move.grace_seconds is None for each in those):
        return "its node goes"
    reasons = dict.fromkeys(f"{each.pod.id}: {each.move.reason}" for each in those)
    return "; ".join(list(reasons)[:3]) + ("; and more" if len(reasons) > 3 else "")
