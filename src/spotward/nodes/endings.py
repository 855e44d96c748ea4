"""How an incident comes to its end, and who is told at its beginning and its end."""

from dataclasses import replace

from spotward.model.incident import STARTED_AGAIN, Cause, Incident
from spotward.model.units import listed
from spotward.nodes.hooks import lost_one_of_ours, may_join, open_duties
from spotward.nodes.keys import Errand, key_of
from spotward.nodes.report import ending, notification
from spotward.nodes.scene import Scene, Steps
from spotward.nodes.tidings import drained, heard, marked, telling_of_mark

TELLING_FAILURES_MAX = 3
"""After so many failures nobody is told."""


def told(steps: Steps, scene: Scene) -> Steps:
    """Tell the cluster and the people: at the beginning, and when nothing more can be done."""
    incident = steps.incident
    if not incident.node or incident.causes == {Cause.ARRIVAL}:
        return steps
    policy = scene.policy
    if policy.tell_cluster and incident.held:
        steps = _begin_told(steps, scene)
    if policy.notify and _to_tell(incident, Errand.NOTIFY_BEGIN, scene) and incident.begun_time is not None:
        steps = steps.wishing(notification(incident, scene, Errand.NOTIFY_BEGIN), "its owners should know")
    if not _is_done(incident, scene):
        return steps
    if policy.tell_cluster and _to_tell(incident, Errand.TELL_END, scene):
        steps = steps.wishing(drained(incident, scene), "its owners should know what became of the pods")
    if policy.notify and _to_tell(incident, Errand.NOTIFY_END, scene):
        wish = notification(incident, scene, Errand.NOTIFY_END)
        steps = steps.wishing(wish, "its owners should know what became of the pods")
    return steps


def _begin_told(steps: Steps, scene: Scene) -> Steps:
    """What was heard is told together with what was set on the node, and so after it: the cordon is in more haste."""
    incident = steps.incident
    if incident.marked or incident.begun_time is not None:
        errand, tell = telling_of_mark(incident), marked
    elif incident.marking and not _is_hopeless(incident, scene):
        return steps
    else:
        errand, tell = Errand.TELL_BEGIN, heard
    if not _to_tell(incident, errand, scene):
        return steps
    return steps.wishing(tell(incident, scene), "its owners should know")


def _is_hopeless(incident: Incident, scene: Scene) -> bool:
    """Was the mark refused, or did it fail?"""
    key = key_of(incident, Errand(incident.marking))
    return scene.refused(key) or scene.failures(key) > 0


def _to_tell(incident: Incident, errand: Errand, scene: Scene) -> bool:
    """Is it to be told, and is nobody at it? It waits while others act, and is not put into words again and again."""
    return not scene.in_flight(key_of(incident, errand)) and _untold(incident, errand, scene)


def _untold(incident: Incident, errand: Errand, scene: Scene) -> bool:
    key = key_of(incident, errand)
    given_up = scene.refused(key) or scene.failures(key) >= TELLING_FAILURES_MAX
    return errand.value not in incident.told and not given_up


def _is_done(incident: Incident, scene: Scene) -> bool:
    """Was it emptied, as far as that goes, or is it gone?"""
    if incident.begun_time is None and not incident.drained:
        return False
    return incident.drained or incident.off_time is not None or scene.node(incident) is None


def ended(steps: Steps, scene: Scene) -> Steps:
    """The end, once there is nothing left to do or to undo, and everyone knows."""
    incident = steps.incident
    why = _why_over(incident, scene)
    if why is None or not _everyone_knows(incident, scene):
        return steps
    until = _announced_until(incident, scene)
    if scene.now < until:
        rested = steps.at(incident.at_rest()).waking(until)
        return rested.noting(why) if incident.pods or incident.drained else rested
    return steps.at(replace(incident, ended=why, ended_time=scene.now))


def _announced_until(incident: Incident, scene: Scene) -> float:
    """For so long EC2 may go on announcing maintenance that is done; heard anew it must be known for what it is."""
    done = (s.deadline for s in incident.signals if s.cause is Cause.MAINTENANCE and s.over == STARTED_AGAIN)
    ends = [deadline + scene.policy.forget_seconds for deadline in done if deadline is not None]
    return max(ends, default=0.0) if scene.node(incident) is not None else 0.0


def _everyone_knows(incident: Incident, scene: Scene) -> bool:
    if not incident.node or not _is_done(incident, scene):
        return True
    policy = scene.policy
    wanted = [Errand.TELL_END] * policy.tell_cluster + [Errand.NOTIFY_END] * policy.notify
    return not any(_untold(incident, errand, scene) for errand in wanted)


def _why_over(incident: Incident, scene: Scene) -> str | None:
    waiting = any(open_duties(incident))
    if any(each.open for each in incident.surges):
        return None
    if not incident.node:
        return _why_none_of_ours(incident, scene) if scene.world.cluster.seen else None
    if scene.node(incident) is None:
        return ending(incident) if scene.world.cluster.seen and not waiting else None
    if incident.held or incident.marks or incident.marking or incident.out_of_service or incident.off_time is not None:
        return None
    over = listed(dict.fromkeys(s.over for s in incident.signals if s.over is not None), most=2)
    return f"{incident.node} stays: {over}"


def _why_none_of_ours(incident: Incident, scene: Scene) -> str | None:
    """Strangers' news are let go; the hook of one that is tagged as ours is completed first."""
    waiting = [duty for duty in open_duties(incident) if not duty.launching]
    known = incident.instance_id in scene.world.instances or incident.off_time is not None
    if any(open_duties(incident)) and not known:
        return None
    if any(duty.launching for duty in open_duties(incident)):
        return None if may_join(incident, scene) else f"{incident.instance_id} is no node of this cluster"
    if waiting and lost_one_of_ours(incident, scene):
        return None
    return f"{incident.instance_id} is no node of this cluster"
