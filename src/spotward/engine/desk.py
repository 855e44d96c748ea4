"""Where code outside the core orders something, and waits to hear how it ended.

An order goes in as an event like any other, and the desk listens to every step to see which orders changed. It keeps
nothing itself: an order stands in the journal. Asked again with a key, by the same process or by its next life, the
desk finds the order there and joins it, or tells how it ended. What was done is not done again; what failed or was
refused is, for who asks again wants another try.

Whoever stops waiting ends nothing by that. Where the engine begins anew within a process (another replica had taken
over), those who wait go on waiting: what the journal does not know is said to it again.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field

from spotward.engine.core import Step
from spotward.engine.inbox import Inbox, Letter
from spotward.engine.ports import Store
from spotward.model.errors import OutsideError
from spotward.model.event import Event, Restarted
from spotward.model.flow_event import Status
from spotward.model.order import Order, Ordered
from spotward.model.world import World

Tell = Callable[[str], Awaitable[None]]
"""Hears how far an order is, in words."""

DESK = "desk"
"""The sender of what is ordered here."""

GOOD = (Status.DONE, Status.IGNORED)
"""Such an end stands: who asks again hears of it."""


@dataclass(kw_only=True, slots=True)
class _Wait:
    """Those who wait for one order."""

    letters: tuple[Event, ...]
    """What is said to the engine unless the journal knows the order already; the order itself comes last."""
    askers: list["asyncio.Queue[Order | OutsideError]"] = field(default_factory=list)

    def tell(self, what: Order | OutsideError) -> None:
        for asker in self.askers:
            asker.put_nowait(what)


class Desk:
    """Takes orders in, and tells how they ended."""

    def __init__(self) -> None:
        self.world = World()
        """All that is known, as it is stored."""
        self._engine: tuple[Inbox, Store] | None = None
        self._runs = False
        self._waits: dict[str, _Wait] = {}
        self._looking: set[asyncio.Task[None]] = set()

    def serve(self, inbox: Inbox, store: Store) -> None:
        """An engine is about to run: orders go to it once it has begun."""
        self._engine, self._runs = (inbox, store), False

    def heard(self, event: Event, step: Step) -> None:
        """A step was stored: the desk is a listener of the engine."""
        self.world = step.world
        if isinstance(event, Restarted):
            self._runs = True
            for key in self._waits:
                self._look(key)
        for undertaking in step.undertakings:
            if isinstance(undertaking, Order) and undertaking.key in self._waits:
                self._waits[undertaking.key].tell(undertaking)

    async def ask(self, ordered: Ordered, *, news: Sequence[Event] = (), tell: Tell | None = None) -> Order:
        """The order, once it is over: begun now, joined, or remembered.

        news: what the core must hear before the order, for instance of the notice that it is about. tell: hears of
        progress. Raises OutsideError when the journal cannot be looked into.
        """
        mine: asyncio.Queue[Order | OutsideError] = asyncio.Queue()
        wait = self._waits.get(ordered.order)
        if wait is None:
            wait = self._waits[ordered.order] = _Wait(letters=(*news, ordered))
            self._look(ordered.order)
        wait.askers.append(mine)
        try:
            return await _ended(mine, tell)
        finally:
            wait.askers.remove(mine)
            if not wait.askers and self._waits.get(ordered.order) is wait:
                del self._waits[ordered.order]

    # ---- what the journal knows ------------------------------------------------------------------------------

    def _look(self, key: str) -> None:
        if self._engine is None or not self._runs:
            return
        task = asyncio.create_task(self._looked(key, *self._engine))
        self._looking.add(task)
        task.add_done_callback(self._looking.discard)

    async def _looked(self, key: str, inbox: Inbox, store: Store) -> None:
        """Who waits was noted down before: what ends while we look is heard of, and what ended earlier is found."""
        try:
            known = await _known(key, store)
        except OutsideError as error:
            if (wait := self._waits.get(key)) is not None:
                wait.tell(error)
            return
        wait = self._waits.get(key)
        if wait is None:
            return
        if known is not None and (known.ended is None or known.status in GOOD):
            wait.tell(known)
            return
        for letter in wait.letters:
            await inbox.put(Letter(event=letter, sender=DESK))


async def _known(key: str, store: Store) -> Order | None:
    """The order as it stands in the journal, or None. Raises OutsideError."""
    found = await store.undertakings(subject=key)
    return next((each for each in found if isinstance(each, Order) and each.key == key), None)


async def _ended(heard: "asyncio.Queue[Order | OutsideError]", tell: Tell | None) -> Order:
    said = ""
    while True:
        now = await heard.get()
        if isinstance(now, OutsideError):
            raise now
        if now.ended is not None:
            return now
        if tell is not None and now.progress not in ("", said):
            said = now.progress
            await tell(said)
