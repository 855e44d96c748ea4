"""How a run is told while it goes on, and how it ended.

What it does goes to standard output: words for people, a line of JSON for each page for programs. What went wrong, and
what was given that is no business of ours, goes to standard error, in words.
"""

import sys
from collections.abc import Iterable, Sequence

import structlog
from rich.console import Console
from rich.markup import escape

from spotward.cli.nth_asked import InPlace
from spotward.cli.paper import page_lines
from spotward.engine.clock import clock_from_environment
from spotward.engine.core import Step
from spotward.engine.live import Ending
from spotward.engine.log import go_on_unread, log_page, set_up
from spotward.events.envelope import Ignored
from spotward.groups.policy import GroupsPolicy
from spotward.groups.scope import in_scope, why_not
from spotward.model.errors import ConfigError
from spotward.model.event import Event, Told
from spotward.model.page import Page
from spotward.model.units import clock as time_of_day
from spotward.model.units import counted, listed
from spotward.model.world import World
from spotward.web.doors.addresses import OpenDoors

NO_DOORS = OpenDoors()


class _Paper(Console):
    """Standard output. When its reader has gone, a run that is under way still comes to its end."""

    def on_broken_pipe(self) -> None:
        """Rich would end the process here."""
        go_on_unread(sys.stdout)


STYLES = ("auto", "text", "json")


def say_in_place(said: InPlace, style: str) -> None:
    """What of the words of another tool is not as it was there. Raises ConfigError for a style that there is not."""
    Teller(style)  # which sets the log up
    for line in said.lines:
        structlog.get_logger("spotward.compat").info(line)


def say_mended(lines: Iterable[str]) -> None:
    """What of an old configuration is otherwise than it was. The log must be set up."""
    for line in lines:
        structlog.get_logger("spotward.compat").info(line)


class Teller:
    """A listener that tells each page as it happens. Making one sets the log of the process up."""

    def __init__(self, style: str) -> None:
        """Raises ConfigError for a style that there is not, or a clock that cannot be read."""
        if style not in STYLES:
            raise ConfigError(f"--log is {style!r}; give `text`, `json` or `auto`")
        self._as_json = style == "json" or (style == "auto" and not sys.stdout.isatty())
        self._clock = clock_from_environment()
        self._console = _Paper(soft_wrap=True, highlight=False)
        set_up(as_json=self._as_json, stream=sys.stdout if self._as_json else sys.stderr, clock=self._clock)

    def __call__(self, _event: Event, step: Step) -> None:
        """A step was stored."""
        if step.page is not None:
            self.page(step.page)

    def page(self, page: Page) -> None:
        """What was decided at one event."""
        if self._as_json:
            log_page(page)
        else:
            for line in page_lines(page):
                self._console.print(line)

    def started(
        self, *, regions: Sequence[str], pages: str | None, queue: str | None, doors: OpenDoors = NO_DOORS
    ) -> None:
        """A daemon is at work. pages: where /metrics and its like are. doors: where alerts and events come in."""
        if self._as_json:
            places = {"pages": pages, "queue": queue, "doors": doors.http, "grpc_door": doors.grpc}
            structlog.get_logger("spotward").info("started", regions=regions, **places)
            return
        events = f"events come from the queue {queue}" if queue else "no queue: events are not heard of"
        where = f"metrics at {pages}/metrics" if pages else "no pages are served"
        time = time_of_day(self._clock.now())
        self._console.print(f"{time}  looking after {escape(listed(regions))}; {escape(events)}; {escape(where)}")
        if addresses := [each for each in (doors.http, doors.grpc) if each is not None]:
            self._console.print(f"{time}  alerts and events for your rules come in at {escape(listed(addresses))}")

    def quiet(self) -> None:
        """All is done: said to a person, who would wonder."""
        if not self._as_json:
            self._console.print("nothing is left to do")


def _aside() -> Console:
    return Console(stderr=True, soft_wrap=True, highlight=False)


def say_ignored(every: Iterable[Ignored]) -> None:
    """What was given and is no event for us."""
    for each in every:
        _aside().print(f"not for Spotward: {escape(each.reason)}")


def say_outside(world: World, events: Iterable[Told], policy: GroupsPolicy) -> None:
    """Whoever gave an event about a group that is not in scope is told why nothing was done."""
    for event in events:
        group = world.groups.get(world.group_of.get(event.instance_id, ""))
        if group is not None and not in_scope(group, policy):
            _aside().print(f"{event.instance_id}: its group {escape(group.id)} is {escape(why_not(group, policy))}")


def say_undone(ending: Ending) -> None:
    """What is left, and why."""
    for key, reason in ending.waiting:
        _aside().print(f"[red]not done:[/red] {escape(key)}: {escape(reason)}")
    if ending.open_undertakings:
        number = len(ending.open_undertakings)
        them = "it" if number == 1 else "them"
        _aside().print(f"{counted(number, 'undertaking')} not finished; the next run goes on with {them}")
