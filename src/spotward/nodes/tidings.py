"""Kubernetes Events of an incident: what was heard, what was set on the node, what became of its pods, and its return.

Their reasons are the words that the widely used termination handler says them with, where it has one, so that whoever
watches for those goes on seeing them. They are for people and best effort: nothing waits for them.
"""

from spotward.model.incident import Cause, Fate, Incident, PodRecord
from spotward.model.node_action import TellCluster, Tiding
from spotward.model.units import listed
from spotward.nodes.facts import facts
from spotward.nodes.keys import Errand, key_of
from spotward.nodes.report import (
    GRACEFUL,
    KILLED,
    SHORTENED,
    STAYED,
    ending,
    how,
    is_worth_a_word,
    opening,
    pod_words,
    weightiest,
)
from spotward.nodes.scene import Scene

REASONS = {
    Cause.INTERRUPTION: "SpotInterruption",
    Cause.TERMINATION: "LifecycleTermination",
    Cause.SHUTDOWN: "InstanceStopping",
    Cause.MAINTENANCE: "ScheduledMaintenance",
    Cause.REBALANCE: "RebalanceRecommendation",
    Cause.SWAP: "NodeReplacement",
    Cause.ASKED: "DrainAsked",
    Cause.ARRIVAL: "NodeArrival",
}
"""Cause → the reason of the Kubernetes Event."""

CORDONED, MARKED, UNMARKED, DRAINED, NOT_ALL_DRAINED, TAKEN_BACK = (
    "Cordon",
    "PreDrain",
    "PreDrainError",
    "CordonAndDrain",
    "CordonAndDrainError",
    "Uncordon",
)
"""Reasons of what was done to the node."""


def heard(incident: Incident, scene: Scene) -> TellCluster:
    """What was heard, where nothing is done to the node yet."""
    return _told(incident, scene, Errand.TELL_BEGIN, _news(incident, scene))


def marked(incident: Incident, scene: Scene) -> TellCluster:
    """What was set on the node; and what was heard before, if that was not told yet."""
    news = () if Errand.TELL_BEGIN.value in incident.told else (_news(incident, scene),)
    return _told(incident, scene, telling_of_mark(incident), *news, _mark(incident))


def telling_of_mark(incident: Incident) -> Errand:
    """Under which key it is told how far the node is marked."""
    return Errand.TELL_CORDON if incident.marked == Errand.CORDON else Errand.TELL_MARK


def drained(incident: Incident, scene: Scene) -> TellCluster:
    """What became of its pods: one on the node, and one on each pod that did not go in good order."""
    pods = tuple(_about_pod(record) for record in incident.pods if is_worth_a_word(record))
    reason = NOT_ALL_DRAINED if _is_incomplete(incident) else DRAINED
    node = _about_node(incident, reason, ending(incident), warning=bool(pods))
    return _told(incident, scene, Errand.TELL_END, node, *pods)


def taken_back(incident: Incident, scene: Scene, why: str) -> TellCluster:
    """The node is as it was before."""
    return _told(
        incident,
        scene,
        Errand.TELL_BACK,
        _about_node(incident, TAKEN_BACK, f"{incident.node} takes pods again: {why}"),
    )


def _told(incident: Incident, scene: Scene, errand: Errand, *tidings: Tiding) -> TellCluster:
    return TellCluster(
        instance_id=incident.instance_id,
        key=key_of(incident, errand),
        node=incident.node,
        tidings=tidings,
        annotations=tuple(facts(incident, scene).items()),
    )


def _news(incident: Incident, scene: Scene) -> Tiding:
    cause = weightiest(incident)
    return _about_node(incident, REASONS[cause] if cause is not None else DRAINED, opening(incident, scene))


def _mark(incident: Incident) -> Tiding:
    if not incident.marked:
        words = f"{incident.node} could not be cordoned; its pods are moved all the same"
        return _about_node(incident, UNMARKED, words, warning=True)
    ours = incident.marks
    parts = ["cordoned"] * ours.cordoned + [f"tainted {t.key}={t.value}" for t in ours.taints]
    parts += [f"labelled {name}" for name, _ in ours.labels]
    words = f"{incident.node} is {listed(parts) or 'marked already, by others'}"
    if incident.marked == Errand.CORDON:
        return _about_node(incident, CORDONED, words)
    return _about_node(incident, MARKED, f"{words}; its pods are moved now")


def _is_incomplete(incident: Incident) -> bool:
    """Was a pod killed with its machine, or is one still there that was to go?"""
    to_go = (record for record in incident.pods if record.fate is not Fate.LEFT)
    return not incident.drained or any(how(record) in (KILLED, STAYED) for record in to_go)


def _about_node(incident: Incident, reason: str, text: str, *, warning: bool = False) -> Tiding:
    return Tiding(about="Node", name=incident.node, uid=incident.node_uid, reason=reason, text=text, warning=warning)


def _about_pod(record: PodRecord) -> Tiding:
    reasons = {KILLED: "PodKilled", STAYED: "PodStayed", SHORTENED: "PodShortened", GRACEFUL: "PodPastBudget"}
    return Tiding(
        about="Pod",
        namespace=record.namespace,
        name=record.name,
        uid=record.uid,
        reason=reasons[how(record)],
        text=pod_words(record),
        warning=True,
    )
