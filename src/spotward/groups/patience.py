"""How long a swap waits for nodes to become empty, and what a notice makes of one that was in no hurry.

A swap whose new members serve does not give up while it waits: it looks at nothing and asks for nothing, it only holds
room. But a budget may never open. Then the old node stays, whose pods would not go, and the new one leaves: it is
emptied like any other, and its pods have the old node to go back to. That a group stays one larger for ever is what
nobody would notice, and to take the pods along is what nobody asked for.
"""

from dataclasses import replace

from spotward.groups.residence import in_sight, must_be_emptied, what_holds
from spotward.groups.retire import is_taken
from spotward.groups.steps import Scene, Steps
from spotward.groups.swap_facts import with_trouble
from spotward.model.undertaking import Emptying, Swap, SwapCause
from spotward.model.units import listed, span
from spotward.model.world import World

UNBEGUN_FACTOR = 4
"""So many times longer is one waited for whose emptying has not begun: its turn comes after others."""


def overtaken(swap: Swap, world: World) -> Swap:
    """When EC2 gives notice of a member that it advised to leave, the swap under way is the one for the notice.

    It insists from then on, and what it has launched is used. What had been given up to the budgets is so no more.
    """
    taken = [old.id for old in swap.olds if is_taken(world, old.id)]
    if not taken:
        return swap
    swap = replace(swap, kept=tuple(i for i in swap.kept if i not in taken)) if swap.kept else swap
    if swap.cause is not SwapCause.REBALANCE:
        return swap
    dooms = (world.dooms.get(i) for i in taken)
    deadlines = [doom.deadline for doom in dooms if doom is not None and doom.deadline is not None]
    return replace(swap, cause=SwapCause.INTERRUPTION, deadline=min(deadlines))


def keep_stuck(steps: Steps, scene: Scene) -> Steps:
    """Old members that could not be emptied in time stay."""
    olds = {old.id for old in steps.swap.olds}
    for each in steps.swap.emptying:
        if each.id not in olds or is_taken(scene.world, each.id) or not in_sight(scene.world):
            continue
        until = _patience_ends(each, scene)
        if scene.world.time < until:
            steps = steps.waking(until)
        elif must_be_emptied(steps.swap, scene.world, each.id):
            steps = _kept(steps, each, scene)
    return steps


def _patience_ends(each: Emptying, scene: Scene) -> float:
    incident = scene.world.incidents.get(each.id)
    limit = scene.policy.drain_limit_seconds
    if incident is None or incident.begun_time is None:
        return each.since + UNBEGUN_FACTOR * limit
    return max(each.since, incident.begun_time) + limit


def _kept(steps: Steps, each: Emptying, scene: Scene) -> Steps:
    reasons = listed(what_holds(scene.world.incidents.get(each.id)), most=2)
    waited = span(scene.world.time - each.since)
    swap = with_trouble(steps.swap, f"{each.id} could not be emptied within {waited}, so it stays: {reasons}")
    return steps.at(replace(swap, kept=(*swap.kept, each.id)))
