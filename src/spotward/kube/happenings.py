"""A source of events: what the cluster's own Events tell, for rules that take them.

What stood there before we began is of no interest, and is not even read: an Event lives for an hour, and to act on the
last hour at each start would be to act twice. From then on each is told as it comes. Where the server has forgotten our
place (410), all that there is is read again, and what is older than the last that we heard is left out; what is told
twice all the same is one occurrence, by its name. While the server is away nothing is missed: it is gone on from the
last that was heard. Our own Events are never told: a rule that makes some would hear itself.
"""

from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from functools import partial
from typing import Any

from spotward.engine.ports import Clock, Delivery
from spotward.events.kubernetes import TYPE, kubernetes_occurrence, speaker
from spotward.kube.client import Kube
from spotward.kube.resources import EVENTS
from spotward.kube.tidings import CONTROLLER
from spotward.kube.watch import Changed, Listed, News, Wanted, Watch
from spotward.model.flow_event import Occurred
from spotward.model.occurrence import Occurrence

CLOCKS_DIFFER_SECONDS = 60.0
"""So far the clocks of those who write Events may be behind ours."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Told:
    """One Event, read."""

    occurrence: Occurrence
    own: bool
    """We wrote it."""


def told(said: dict[str, Any], *, cluster: str) -> Told:
    """Raises PayloadError, KeyError or TypeError for what is no Event."""
    return Told(occurrence=kubernetes_occurrence(said, cluster=cluster), own=speaker(said) == CONTROLLER)


def named_types(globs: Sequence[str]) -> tuple[str, ...]:
    """The globs among these that name Events of a cluster. One that only may mean them, such as `*`, is none: nobody
    who wrote it thought of the thousands that a cluster writes.
    """
    return tuple(glob for glob in globs if glob.startswith(TYPE))


class Happenings:
    """One cluster's Events."""

    def __init__(
        self, kube: Kube, clock: Clock, *, cluster: str, types: Sequence[str], wanted: Callable[[Occurrence], bool]
    ) -> None:
        """types: what rules name, at least one of `named_types`. wanted: does a rule mean such events?"""
        self._kube, self._clock, self._cluster, self._types = kube, clock, cluster, tuple(types)
        self._means = wanted
        self._heard_time = 0.0

    @property
    def name(self) -> str:
        """How an operator would name it."""
        return f"Events of the Kubernetes cluster {self._cluster}"

    async def deliveries(self) -> AsyncGenerator[Delivery | None, None]:
        """Each Event that a rule takes, from now on; None as a sign of life. Raises OutsideError."""
        self._heard_time = self._clock.now()
        async with aclosing(Watch(kube=self._kube, wanted=self._wanted()).news()) as news:
            async for each in news:
                fresh = self._fresh(each)
                self._heard_time = self._clock.now()
                yield None
                for one in fresh:
                    occurred = Occurred(time=self._heard_time, occurrence=one, door=self.name)
                    yield Delivery(event=occurred)

    def _fresh(self, news: News[Told]) -> list[Occurrence]:
        """What of it is new, and taken by a rule."""
        match news:
            case Changed(item=item):
                items: tuple[Told, ...] = (item,)
            case Listed(items=listed):
                since = self._heard_time - CLOCKS_DIFFER_SECONDS
                items = tuple(each for each in listed if (each.occurrence.time or 0.0) >= since)
            case _:
                items = ()
        return [each.occurrence for each in items if not each.own and self._means(each.occurrence)]

    def _wanted(self) -> Wanted[Told]:
        """Where rules name but one reason, the server sends no others."""
        one = self._types[0].removeprefix(TYPE) if len(set(self._types)) == 1 else "*"
        selector = "" if "*" in one else f"reason={one}"
        return Wanted(
            resource=EVENTS, reader=partial(told, cluster=self._cluster), field_selector=selector, from_now=True
        )
