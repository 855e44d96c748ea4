"""The log: one line per page, keys instead of prose; words on a terminal, JSON otherwise; never a secret.

Other libraries' loggers (uvicorn, botocore, urllib3) come out in the same form, from WARNING on.
"""

import logging
import os
import re
import sys
from collections.abc import Mapping
from functools import partial
from typing import Any, TextIO

import structlog
from structlog.typing import EventDict, Processor

from spotward.engine.clock import SystemClock
from spotward.engine.core import Step
from spotward.engine.ports import Clock
from spotward.engine.words import action_words
from spotward.model.event import Event
from spotward.model.page import Page
from spotward.model.units import clock as time_of_day
from spotward.model.units import moment

SECRET_NAME = re.compile(r"secret|password|passwd|authorization|credential|session_?token|api_?key", re.IGNORECASE)
"""Values under such a name are never written."""

ACCESS_KEY_ID = re.compile(r"\b(AKIA|ASIA)[A-Z0-9]{12,}\b")
"""AWS access key ids; they are no secrets by themselves, and nobody needs them whole."""

HIDDEN = "***"

LINE_ITEMS_MAX = 5
"""A line names no more deeds, refusals or notes than this; the journal has them all."""

log = structlog.get_logger("spotward")


def set_up(
    *, as_json: bool | None = None, level: str = "INFO", stream: TextIO | None = None, clock: Clock | None = None
) -> None:
    """Configure logging for the process; by default words where the stream is a terminal, and JSON where not.

    clock: the time of day that a person reads, so that it is that of the pages; programs get the machine's own.
    """
    stream = stream or sys.stderr
    as_json = not stream.isatty() if as_json is None else as_json
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True) if as_json else _time_of_day(clock or SystemClock()),
    ]
    # A traceback is made text first, so that what must not be read is hidden in it too. structlog's own on a terminal
    # is prettier, and shows every local variable: requests, answers, user data.
    last: list[Processor] = [
        structlog.processors.format_exc_info,
        hide_secrets,
        structlog.processors.JSONRenderer() if as_json else _words(),
    ]
    handler = _Handler(stream)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *last],
        )
    )
    logging.basicConfig(handlers=[handler], level=logging.WARNING, force=True)
    logging.getLogger("spotward").setLevel(level)
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *shared,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,
    )


def go_on_unread(stream: TextIO) -> None:
    """Whoever read it is gone: what is written to it from now on goes nowhere, and the work goes on."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, stream.fileno())
    os.close(nowhere)


class _Handler(logging.StreamHandler[TextIO]):
    """A line that nobody reads any more is no reason to tell standard error so, each time."""

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - the name is logging's
        if isinstance(sys.exc_info()[1], BrokenPipeError):
            go_on_unread(self.stream)
        else:
            super().handleError(record)


def _time_of_day(clock: Clock) -> Processor:
    def stamp(_logger: Any, _method: str, line: EventDict) -> EventDict:
        return {**line, "timestamp": time_of_day(clock.now())}

    return stamp


def _words() -> structlog.dev.ConsoleRenderer:
    """`14:05:09  stopping; a second signal ends at once  signal=SIGTERM`: as the lines of pages are."""
    plain = partial(structlog.dev.KeyValueColumnFormatter, value_style="", reset_style="", value_repr=str)
    return structlog.dev.ConsoleRenderer(
        exception_formatter=structlog.dev.plain_traceback,
        columns=[
            structlog.dev.Column("timestamp", plain(key_style=None, postfix=" ")),
            structlog.dev.Column("level", lambda _, level: "" if level == "info" else f"{level}:"),
            structlog.dev.Column("logger", lambda *_: ""),
            structlog.dev.Column("event", plain(key_style=None, postfix=" ")),
            structlog.dev.Column("", plain(key_style="")),
        ],
    )


def hide_secrets(_logger: Any, _method: str, line: EventDict) -> EventDict:
    """The line without what nobody should read."""
    return {name: HIDDEN if SECRET_NAME.search(name) else _hidden(value) for name, value in line.items()}


def _hidden(value: Any) -> Any:
    match value:
        case str():
            return ACCESS_KEY_ID.sub(lambda found: found.group(1) + HIDDEN, value)
        case Mapping():
            return {k: HIDDEN if SECRET_NAME.search(str(k)) else _hidden(v) for k, v in value.items()}
        case list() | tuple() | set() | frozenset():
            return [_hidden(each) for each in value]
        case _:
            return value


def log_step(_event: Event, step: Step) -> None:
    """A listener: one line for each page."""
    if step.page is not None:
        log_page(step.page)


def log_page(page: Page) -> None:
    """One line."""
    parts = {
        "asked": [action_words(asked.action) for asked in page.asked if asked.action.mutates],
        "refused": [f"{refusal.subject}: {refusal.reason}" for refusal in page.refusals],
        "notes": [f"{note.subject}: {note.text}" for note in page.notes],
    }
    shown = {name: _few(lines) for name, lines in parts.items() if lines}
    log.info("page", number=page.number, time=moment(page.time), on=page.event_kind, because=page.event_text, **shown)


def _few(lines: list[str]) -> list[str]:
    rest = len(lines) - LINE_ITEMS_MAX
    return lines if rest <= 0 else [*lines[:LINE_ITEMS_MAX], f"and {rest} more"]
