"""What is said of an incident: at its beginning what will be done and by when, at its end what became of each pod."""

from collections import Counter

from spotward.model.incident import Cause, Fate, Incident, PodRecord
from spotward.model.node_action import Notify
from spotward.model.units import clock, counted, listed, moment, span
from spotward.nodes.facts import facts
from spotward.nodes.keys import Errand, key_of
from spotward.nodes.policy import Response
from spotward.nodes.scene import Scene

CAUSES = {
    Cause.INTERRUPTION: "EC2 takes the Spot instance",
    Cause.TERMINATION: "its group takes it out",
    Cause.SHUTDOWN: "its instance is stopping",
    Cause.MAINTENANCE: "EC2 has scheduled maintenance",
    Cause.REBALANCE: "EC2 advises to move off it",
    Cause.SWAP: "it is replaced, and its successor is ready",
    Cause.ASKED: "your rules want it empty",
    Cause.ARRIVAL: "it is only coming",
}

PODS_NAMED_MAX = 8
"""No sentence names more pods than this."""


def weightiest(incident: Incident) -> Cause | None:
    """The cause that says most, of those that hold, or that held."""
    causes = incident.causes or {signal.cause for signal in incident.signals}
    return next((cause for cause in Cause if cause in causes), None)


# ---- words ---------------------------------------------------------------------------------------------------------


def opening(incident: Incident, scene: Scene) -> str:
    """What was heard, and what is done about it."""
    cause = weightiest(incident)
    why = CAUSES[cause] if cause is not None else "it was marked"
    until = f" at {clock(incident.deadline)}" if incident.deadline is not None else ""
    if cause is Cause.MAINTENANCE and incident.deadline is not None:
        until = f" for {moment(incident.deadline)}"
    return f"{incident.node}: {why}{until}; {_what_is_done(incident, scene)}"


def _what_is_done(incident: Incident, scene: Scene) -> str:
    match scene.response(incident):
        case Response.DRAIN:
            return "its pods are moved now"
        case Response.REPLACE:
            return "its pods are moved once its successor is ready"
        case Response.CORDON:
            return "no new pods come to it"
        case Response.NOTE | Response.OFF:
            starts = [scene.begins(s.cause, s.deadline) for s in incident.held]
            ahead = [start for start in starts if start > scene.now]
            return f"its pods are moved from {moment(min(ahead))} on" if ahead else "nothing is done about it"


def summary(incident: Incident) -> str:
    """What became of its pods, in one sentence."""
    moved = [record for record in incident.pods if record.fate is not Fate.LEFT]
    counts = Counter(how(record) for record in moved)
    numbers = [f"{counts[word]} {word}" for word in (GRACEFUL, SHORTENED, KILLED, STAYED) if counts[word]]
    words = f"{counted(len(moved), 'pod')}: {listed(numbers)}" if moved else "no pod had to be moved"
    past = sum(record.past_budget for record in moved)
    parts = [words] + [f"{past} past a disruption budget"] * bool(past) + _time_left(incident)
    return "; ".join(parts)


def _time_left(incident: Incident) -> list[str]:
    if incident.drained_time is None or incident.deadline is None:
        return []
    left = incident.deadline - incident.drained_time
    return [f"done {span(left)} before the deadline" if left >= 0 else f"done {span(-left)} after the deadline"]


GRACEFUL, SHORTENED, KILLED, STAYED = "in good order", "with less time than they have", "killed", "still there"


def how(record: PodRecord) -> str:
    """How a pod went."""
    if record.fate is Fate.KILLED:
        return KILLED
    if record.fate is not Fate.GONE:
        return STAYED
    return GRACEFUL if record.given_seconds is None else SHORTENED


def ending(incident: Incident) -> str:
    """The sentence with which the incident ends."""
    cause = weightiest(incident)
    why = CAUSES[cause] if cause is not None else "it was marked"
    trouble = f"; {listed(incident.trouble, most=3)}" if incident.trouble else ""
    return f"{incident.node or incident.instance_id} ({why}): {summary(incident)}{trouble}"


def is_worth_a_word(record: PodRecord) -> bool:
    """Did it not go as its owner would have it?"""
    return record.fate is not Fate.LEFT and (how(record) != GRACEFUL or record.past_budget)


def pod_words(record: PodRecord) -> str:
    """What became of one pod, in words."""
    parts = []
    if record.past_budget:
        why = f": {record.reason}" if record.fate is Fate.GONE and record.reason else ""
        parts.append(f"deleted past its disruption budget{why}")
    if record.given_seconds is not None:
        parts.append(f"given {span(record.given_seconds)} to stop instead of {span(record.grace_seconds)}")
    if record.fate is Fate.KILLED:
        parts.append("still there when its machine went off")
    elif record.fate is not Fate.GONE:
        parts.append(f"still there ({record.fate})")
    return "; ".join(parts + [record.reason] * bool(record.reason and record.fate is not Fate.GONE)) or "in good order"


def notification(incident: Incident, scene: Scene, errand: Errand) -> Notify:
    """What a person is told by webhook."""
    begins = errand is Errand.NOTIFY_BEGIN
    cause = weightiest(incident)
    known = facts(incident, scene)
    group = scene.world.group_of.get(incident.instance_id, "").rpartition("/")[2]
    fields = {
        "node": incident.node,
        "instance": incident.instance_id,
        "region": incident.region,
        "az": known.get("availability-zone", ""),
        "instance_type": known.get("instance-type", ""),
        "life_cycle": known.get("instance-life-cycle", ""),
        "group": group or next((duty.group for duty in incident.hooks), ""),
        "cause": cause.value if cause is not None else "",
        "deadline": moment(incident.deadline) if incident.deadline is not None else "",
        "pods": str(sum(record.fate is not Fate.LEFT for record in incident.pods)),
        "killed": str(sum(record.fate is Fate.KILLED for record in incident.pods)),
        "troubled": listed((r.id for r in incident.pods if is_worth_a_word(r)), most=PODS_NAMED_MAX),
    }
    return Notify(
        instance_id=incident.instance_id,
        key=key_of(incident, errand),
        moment="begin" if begins else "end",
        text=opening(incident, scene) if begins else ending(incident),
        fields=tuple(fields.items()),
    )
