"""The core at work without deeds: questions are asked and answered until nothing is left to ask.

`plan` and `run --once --dry-run` are this. A guard refuses every deed, in the words "dry run", so that the pages say
what would have been done. Nothing is stored.
"""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from spotward.engine.core import Core
from spotward.engine.crew import Crew
from spotward.engine.live_policy import LivePolicy
from spotward.engine.ports import Clock, Hands
from spotward.engine.words import action_words
from spotward.model.decision import Wish
from spotward.model.event import Event
from spotward.model.page import Page
from spotward.model.world import World


def dry_run_guard(_world: World, wish: Wish) -> str | None:
    """Admits questions alone, and says of a deed what would be done and why."""
    return f"dry run: would {action_words(wish.action)}, because {wish.reason}" if wish.action.mutates else None


@dataclass(frozen=True, kw_only=True, slots=True)
class Rehearsal:
    """What came of it."""

    world: World
    pages: tuple[Page, ...]


async def rehearse(
    core: Core, hands: Hands, clock: Clock, events: Sequence[Event], *, tell: Callable[[World], None]
) -> Rehearsal:
    """Feed the events, answer what is asked, until it is quiet. `core` must have `dry_run_guard`.

    tell: hears of each new World, so that whoever answers knows what is known already.
    """
    inbox: asyncio.Queue[Event] = asyncio.Queue()
    crew = Crew(hands, clock, LivePolicy(), inbox.put)
    for event in events:
        inbox.put_nowait(event)
    world, coming = World(), len(events)
    pages: list[Page] = []
    while coming:
        step = core.step(world, await inbox.get(), page_number=len(pages) + 1)
        world = step.world
        tell(world)
        if step.page is not None:
            pages.append(step.page)
        for asked in step.asked:
            crew.start(asked)
        coming += len(step.asked) - 1
    return Rehearsal(world=world, pages=tuple(pages))
