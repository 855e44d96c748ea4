"""How long it is remembered what a group had, and what no rule takes; and what is forgotten when it is too much."""

from collections.abc import Iterator

from spotward.model.altered import altered
from spotward.model.decision import WakeAt, next_beat
from spotward.model.flow import Flow, Turn
from spotward.model.world import World
from spotward.rules.intake import REMEMBER_SECONDS
from spotward.rules.rulebook import Rules
from spotward.rules.schedule import MARK

SWEEP_SECONDS = 600.0
"""How often it is looked what may be forgotten, as long as anything is remembered."""

SWEEPER = "rules"
"""Who is woken for it. No flow is called so: their keys hold a dot."""

TURNS_MAX = 50_000
"""How many groups are remembered; then those that were not heard of for longest are forgotten early."""

TURNS_KEPT_SHARE = 0.9
"""So many of them stay then, so that it is not looked through all of them at each further one."""


def sweep_wake(world: World) -> WakeAt:
    """When it is looked next what may be forgotten."""
    return WakeAt(time=next_beat(world.time, SWEEP_SECONDS), subject=SWEEPER)


def ended_turn(flow: Flow, turn: Turn | None, rules: Rules, now: float) -> Turn:
    """What is remembered of a group whose flow has just ended."""
    rule = rules.rule(flow.rule)
    waits = (rule.cooldown_seconds, rule.repeat_seconds or 0.0) if rule is not None else (0.0,)
    before = turn or Turn(heard_time=flow.born, begun_time=flow.born, number=1, keep_until=now)
    return altered(before, ended_time=now, keep_until=now + max(REMEMBER_SECONDS, *waits))


def forgettable(world: World) -> Iterator[str]:
    """Keys of the turns that are forgotten now."""
    idle = sorted((turn.heard_time, key) for key, turn in world.turns.items() if world.flows.of_group(key) is None)
    over = {key for _, key in idle if world.turns[key].keep_until <= world.time}
    yield from (key for _, key in idle if key in over)
    left = len(world.turns) - len(over)
    if left >= TURNS_MAX:
        surplus = left - int(TURNS_MAX * TURNS_KEPT_SHARE)
        yield from [key for _, key in idle if key not in over and not key.startswith(MARK)][:surplus]
