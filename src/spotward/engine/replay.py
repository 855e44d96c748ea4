"""A recorded journal, thought through again.

The same Core over the same inputs gives the same pages: that is what makes the journal evidence. Another Core, of a
newer version or with another policy, shows which decisions would have been different.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from spotward.engine.core import Core
from spotward.engine.ports import Recording
from spotward.model.event import Event
from spotward.model.page import Page


@dataclass(frozen=True, kw_only=True, slots=True)
class Difference:
    """A decision that is another one now."""

    page_number: int
    """Of the recorded page; where there was none, the number that the new page would have had."""
    event: Event
    recorded: Page | None
    replayed: Page | None


def differences(core: Core, recording: Recording) -> Iterator[Difference]:
    """What `core` decides differently, in order.

    Each page is compared under its recorded number, so that one page more or less is one difference and not a shift of
    all that follow. The World goes on from the replayed decisions; the recorded events stay what they were.
    """
    world, number = recording.world, recording.next_page
    for entry in recording.inputs:
        number = entry.page.number if entry.page else number
        step = core.step(world, entry.event, page_number=number)
        if step.page != entry.page:
            yield Difference(page_number=number, event=entry.event, recorded=entry.page, replayed=step.page)
        if entry.page is not None:
            number += 1
        world = step.world
