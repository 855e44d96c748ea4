"""What is done about one pod: evict it; delete it at its last moment, if a budget holds it; shorten its stop.

The rungs, from gentle to hard, for a pod with grace g on a machine whose pods must have stopped at S:

    evict       as soon as its turn has come; with what is left, if that is less than g
    delete      past its budget, at S - g (never, or at once, where the settings say so)
    shorten     at S, when it is still stopping: to one second

Each rung is worked out anew from the facts, so a deadline that moves, either way, moves all of them. The turn of a tier
comes when the one before is gone; at S - g nobody waits for a turn any more.
"""

import math
from dataclasses import dataclass
from enum import StrEnum

from spotward.model.cluster import Pod
from spotward.model.incident import Fate, Incident, PodRecord
from spotward.model.units import counted
from spotward.nodes.budgets import why_held, why_never
from spotward.nodes.deadline import GRACE_SECONDS_MIN, fitting_grace, latest_start
from spotward.nodes.policy import PastBudget
from spotward.nodes.scene import Scene
from spotward.nodes.surge import why_held as why_surging
from spotward.nodes.tiers import why_spared


class Rung(StrEnum):
    """What is done now."""

    WAIT = "wait"
    EVICT = "evict"
    DELETE = "delete"
    SHORTEN = "shorten"


@dataclass(frozen=True, kw_only=True, slots=True)
class Move:
    """What is done about a pod now, and when to look again."""

    rung: Rung = Rung.WAIT
    grace_seconds: int | None = None
    """To be given instead of its own."""
    until: float = math.inf
    """For WAIT: until when, if nothing is heard before."""
    reason: str = ""
    budgets: tuple[str, ...] = ()
    """That it waits for."""


def move(record: PodRecord, pod: Pod, incident: Incident, scene: Scene, *, its_turn: bool) -> Move:
    """The move for one pod that is not to be left alone."""
    if record.fate is Fate.LEAVING and scene.now < record.retry_time:
        return Move(until=record.retry_time, reason=record.reason)
    if pod.leaving:
        return _leaving(pod, incident, scene)
    spared = why_spared(pod, incident, scene.policy)
    if spared is not None:
        return Move(reason=spared)
    latest = latest_start(scene.stop(incident), scene.grace(pod))
    if not its_turn and scene.now < latest:
        return Move(until=latest, reason="others go first")
    surging = why_surging(pod, incident, scene)
    if surging is not None and scene.now < latest:
        return Move(until=latest, reason=surging)
    return _asked(record, pod, incident, scene, latest)


def _leaving(pod: Pod, incident: Incident, scene: Scene) -> Move:
    stop = scene.stop(incident)
    end = pod.deletion_time or 0.0
    if end <= stop + GRACE_SECONDS_MIN:
        return Move(reason="it is stopping")
    if scene.now < stop:
        return Move(until=stop, reason="it is stopping, and may take longer than there is time")
    if end <= scene.now + GRACE_SECONDS_MIN:
        return Move(reason="it is being killed")
    return Move(rung=Rung.SHORTEN, grace_seconds=GRACE_SECONDS_MIN, reason="its machine goes before its grace is over")


def _asked(record: PodRecord, pod: Pod, incident: Incident, scene: Scene, latest: float) -> Move:
    grace = _instead(pod, incident, scene)
    short = f"; it gets {counted(grace, 'second')} instead of {pod.grace_seconds:.0f}" if grace is not None else ""
    covering = scene.world.cluster.budgets_of(pod)
    holding = scene.holders(pod)
    never = why_never(pod, covering)
    held = record.fate is Fate.BLOCKED or record.deadlocked or bool(holding) or never is not None
    why = never or (why_held(pod, holding, scene) if holding else record.reason)
    if held and may_pass(incident, scene, latest):
        if record.past_budget and scene.now < record.retry_time:
            return Move(until=record.retry_time, reason=record.reason)
        return Move(rung=Rung.DELETE, grace_seconds=grace, reason=f"{why}; its last moment has come{short}")
    if held and (never is not None or record.deadlocked or not _worth_asking(record, bool(holding), scene)):
        budgets = tuple(budget.id for budget in holding) or record.budgets
        return Move(
            until=_look_again(record, incident, scene, latest, asking=never is None), reason=why, budgets=budgets
        )
    if scene.now < record.retry_time and record.fate is Fate.WAITING:
        return Move(until=min(record.retry_time, latest if scene.now < latest else math.inf), reason=record.reason)
    return Move(rung=Rung.EVICT, grace_seconds=grace, reason=f"its node goes{short}")


def _instead(pod: Pod, incident: Incident, scene: Scene) -> int | None:
    """The grace to give it instead of its own, by a bound of the settings or for want of time; None leaves its own."""
    wanted = scene.grace(pod)
    fitting = fitting_grace(scene.stop(incident), scene.now, wanted)
    if fitting is None and wanted < pod.grace_seconds:
        return max(GRACE_SECONDS_MIN, math.floor(wanted))
    return fitting


def may_pass(incident: Incident, scene: Scene, latest: float) -> bool:
    """May a pod with this latest start be deleted past its budget now?"""
    match scene.past_budget(incident):
        case PastBudget.NEVER:
            return False
        case PastBudget.ALWAYS:
            return True
        case PastBudget.AT_DEADLINE:
            return scene.now >= latest


def _worth_asking(record: PodRecord, holding: bool, scene: Scene) -> bool:
    """Our view of a budget may be old: after a while the API server is asked all the same."""
    if record.fate is Fate.BLOCKED:
        return scene.now >= record.retry_time
    return not holding


def _look_again(record: PodRecord, incident: Incident, scene: Scene, latest: float, *, asking: bool) -> float:
    retry = record.retry_time if record.fate is Fate.BLOCKED else scene.now + scene.policy.held_retry_seconds
    moments = [retry] if asking and not record.deadlocked else []
    if scene.past_budget(incident) is PastBudget.AT_DEADLINE and latest > scene.now:
        moments.append(latest)
    return min(moments, default=math.inf)
