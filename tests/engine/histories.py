"""Events as a day might bring them."""

import random

from spotward.engine.core import Core
from spotward.model.action import Action
from spotward.model.event import Event, InterruptionNoticed, RebalanceAdvised, Tick, Woken
from spotward.model.world import World
from tests.engine.made import NOON, PRODUCT, REGION, WEB, a_group, answer, seen


def a_history(dice: random.Random, length: int = 60) -> list[Event]:
    """Events as a day might bring them, and answers to what the small product asks."""
    core, world = Core(PRODUCT), World()
    events: list[Event] = []
    asked: list[Action] = []
    for number in range(length):
        now = NOON + 7 * number
        ids = dice.sample([f"i-{n}" for n in range(8)], 4)
        event: Event = dice.choice(
            [
                Tick(time=now, regions=(REGION,)),
                Woken(time=now, subject=WEB),
                seen(a_group(*ids), a_group("i-x", "i-y", name="api"), time=now),
                InterruptionNoticed(time=now, region=REGION, instance_id=ids[0], deadline=now + 120),
                RebalanceAdvised(time=now, region=REGION, instance_id="i-x"),
                *(answer(action, now) for action in asked[-2:]),
            ]
        )
        step = core.step(world, event, page_number=1)
        world = step.world
        asked += [each.action for each in step.asked]
        events.append(event)
    return events
