"""A line for each page, for engines behind a plugin that is a server of its own."""

import logging

from spotward.engine.core import Step
from spotward.engine.words import action_words
from spotward.model.event import Event

log = logging.getLogger("spotward.plugin")


def tell(_event: Event, step: Step) -> None:
    """A listener."""
    page = step.page
    if page is None:
        return
    deeds = (action_words(asked.action) for asked in page.asked if asked.action.mutates)
    others = (f"{each.subject}: {each.reason}" for each in page.refusals)
    notes = (f"{each.subject}: {each.text}" for each in page.notes)
    log.info("%s: %s", page.event_text, "; ".join((*deeds, *others, *notes)))
