"""How the engine reaches the outside. The docstrings here are the contract; `tests/engine` holds adapters to it.

A `Source` brings events in, `Hands` do what was decided, a `Recommender` answers one heavy question, a `Clock` knows
the time, a `Store` remembers. None of them decides anything.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from spotward.engine.core import Step
from spotward.model.action import Action, RecommendPools
from spotward.model.decision import WakeAt
from spotward.model.errors import PayloadError
from spotward.model.event import Event, PoolsRecommended
from spotward.model.page import Page
from spotward.model.undertaking import Undertaking
from spotward.model.world import World


class Clock(Protocol):
    """Where the shell and the adapters get the time. Thinking never sees one."""

    def now(self) -> float:
        """Unix seconds, UTC."""
        ...

    async def sleep_until(self, moment: float) -> None:
        """Return when it is `moment` or later; at once if it is already."""
        ...


# ---- in ------------------------------------------------------------------------------------------------------


async def nothing_to_acknowledge() -> None:
    """For a source that nobody waits on."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Delivery:
    """One thing that a source heard."""

    event: Event | PayloadError
    """A PayloadError stands for something unreadable: it is set aside in the store, then acknowledged like the rest."""

    acknowledge: Callable[[], Awaitable[None]] = nothing_to_acknowledge
    """Called once, after what the event led to is stored, never before. A delivery that was not acknowledged may come
    again, to this process or to another. Failing is harmless: the failure is logged and the delivery comes again."""


class Source(Protocol):
    """Something that hears of events: a queue, a webhook, a file."""

    @property
    def name(self) -> str:
        """How an operator would name it, for logs and metrics."""
        ...

    def deliveries(self) -> AsyncIterator[Delivery | None]:
        """Deliveries as they come. The iterator is asked for the next one only when there is room for it.

        None is a sign of life: it was listened to, and can be heard. A source that may be silent for long while it is
        well gives one each time that it has listened, or its trouble would last until somebody has something to say.

        It ends when the source is exhausted (a file), and is cancelled when Spotward stops; until then it may hold what
        it has read and not delivered, for that was not acknowledged. It may raise OutsideError: the shell then waits,
        longer each time, and calls `deliveries` again.
        """
        ...


# ---- out -----------------------------------------------------------------------------------------------------


class Hands(Protocol):
    """Whoever does what was asked: AWS, the virtual cloud, a dry run."""

    async def do(self, action: Action, attempt: int) -> Event:
        """Do it once, and answer with the event that says what came of it; the event carries the action's key.

        `attempt` makes the client token where the call has one: the same action with the same attempt is the same call.
        Never retries by itself beyond a single call's own transport, and has a time limit of its own.
        Raises OutsideError, which the shell turns into `Failed`; may also return `Failed` itself.
        """
        ...


class Recommender(Protocol):
    """Whoever ranks pools. Behind a port because it may be heavy, remote or of another make."""

    async def recommend(self, question: RecommendPools) -> PoolsRecommended:
        """The pools that fit, best first; an answer without offers says why. Raises OutsideError."""
        ...


# ---- memory --------------------------------------------------------------------------------------------------

WHOLE_JOURNAL = "journal"
"""The subject of the lease that one process takes on everything; later ones lease a group or a cluster each."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Owner:
    """A process that may hold leases."""

    host: str
    pid: int
    instance: str
    """Tells two lives of one pid on one host apart."""

    @property
    def words(self) -> str:
        """How an operator would find it."""
        return f"process {self.pid} on {self.host}"


@dataclass(frozen=True, kw_only=True, slots=True)
class Lease:
    """The right to write about a subject."""

    subject: str
    owner: Owner
    fence: int
    """Each new grant for a subject has a higher one; a write that carries an older one is refused."""
    expires_time: float
    """By the store's clock: until then nobody else is given the subject, unless its owner is known to be dead."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Entry:
    """One event and all that it led to: written whole or not at all."""

    event: Event
    step: Step
    woken: tuple[WakeAt, ...] = ()
    """The wakes that this event fulfils, which are then due no more."""


@dataclass(frozen=True, kw_only=True, slots=True)
class SetAside:
    """Something that could not be read, kept for a person to look at."""

    time: float
    source: str
    reason: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Remembered:
    """What a process starts from."""

    world: World
    """Memory alone: undertakings, wishes, pools, dooms, pauses, verdicts. Never observations, for they may be stale."""
    next_page: int
    wakes: tuple[WakeAt, ...]
    """Those not fulfilled yet, earliest first; some may be overdue."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Input:
    """An event as it was recorded, with the page that it led to then."""

    event: Event
    page: Page | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Recording:
    """A piece of a journal that can be replayed: the World at a snapshot, and every input since then."""

    world: World
    next_page: int
    inputs: tuple[Input, ...]


class Leasing(Protocol):
    """Who may write, and act, about a subject. Every method may raise Transient."""

    async def lease(self, subject: str, owner: Owner, ttl_seconds: float) -> Lease:
        """Take a subject. Asked again by the same owner it is a new grant with a higher fence.

        Raises LeaseHeld, naming the holder, while another owner has it and neither its time has run out nor it is
        known to be dead.
        """
        ...

    async def renew(self, lease: Lease, ttl_seconds: float) -> Lease:
        """The same grant for longer. Raises StaleLease."""
        ...

    async def release(self, lease: Lease) -> None:
        """Give the subject up. A lease that is stale already is left as it is."""
        ...

    def may_act(self, lease: Lease) -> bool:
        """May a deed be begun now? True only while it is certain, without asking anybody, that nobody else can have
        been given the subject, and that what is begun now has some time before anybody can. It may be asked from any
        thread, and before each single call.
        """
        ...


class Store(Leasing, Protocol):
    """What must outlive the process. A second implementation must pass `tests/engine/store_contract.py`.

    Every method may raise Transient (code `StoreUnavailable`): nothing was written, and trying again may help.
    Writes are fenced: they carry a lease, and raise StaleLease, having written nothing, unless that lease's fence is
    the newest of its subject and was not released. That an expired lease may still write until somebody takes it is
    meant: then nobody else has written.
    """

    async def load(self) -> Remembered:
        """What to start from."""
        ...

    async def commit(self, lease: Lease, entries: Sequence[Entry], set_aside: Sequence[SetAside] = ()) -> None:
        """Write all of it or nothing, durably: when this returns, neither a killed process nor a lost power supply
        takes it back. For each entry: the input event, the page, the changed undertakings, the changed memory (with
        every asked action in full), the wakes that it asks for; and the wakes that it fulfils are struck out.

        Only after it returns may a deed of these entries begin, and a source be acknowledged.
        """
        ...

    async def due_wakes(self, before: float) -> tuple[WakeAt, ...]:
        """Wakes not fulfilled yet with a time up to `before`, earliest first: how another process finds what waits."""
        ...

    async def snapshot(self, lease: Lease, world: World, next_page: int) -> None:
        """Keep the whole World as it stands after the last committed input, for replay; then forget what the store's
        retention no longer wants: inputs before the snapshots that are kept, pages and ended undertakings by age and
        number. Raises StaleLease.
        """
        ...

    async def recording(self) -> Recording | None:
        """The newest snapshot that has inputs after it (or the newest of all), with the inputs up to the next one.

        None in an empty store.
        """
        ...

    async def pages(
        self, *, subject: str | None = None, limit: int = 100, before: int | None = None
    ) -> tuple[Page, ...]:
        """Pages, newest first, at most `limit`; about one subject; with numbers below `before`."""
        ...

    async def undertakings(
        self, *, subject: str | None = None, ended: bool | None = None, limit: int = 100
    ) -> tuple[Undertaking, ...]:
        """Undertakings, the youngest first, ended ones included unless told otherwise."""
        ...

    async def unreadable(self, *, limit: int = 100) -> tuple[SetAside, ...]:
        """What was set aside, newest first."""
        ...

    async def close(self) -> None:
        """Let go of files and connections. Leases are not released by it."""
        ...
