"""One message queue, as SQS keeps it: pure state, told the time by its caller.

A message is *ready*, *delayed* (not yet visible), *in flight* (received, hidden until its visibility timeout) or
*gone*. Ready messages lie on a shelf; delayed ones and those in flight lie in a heap by the time at which they come
back. Nothing is searched for: what became gone or was hidden anew is skipped when its turn comes, so every call costs
O(log n) however many messages wait.

Two times are told apart. `now` is the consumer's clock, on which visibility timeouts and delays run; `stamp` is the
virtual cloud's, which is written on messages and ages them.
"""

from __future__ import annotations

import heapq
import itertools
from collections import deque
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import Any, Protocol

IN_FLIGHT_MAX = 120_000
"""Messages of one queue that may be in flight. AWS's limit, since 2024 for FIFO queues too."""

DEDUPLICATION_SECONDS = 300.0
"""How long a FIFO queue remembers a deduplication id. AWS's figure."""


class State(Enum):
    """Where a message is."""

    READY = auto()
    DELAYED = auto()
    IN_FLIGHT = auto()
    GONE = auto()


@dataclass(slots=True, kw_only=True, eq=False)
class Message:
    """One message and what became of it so far."""

    id: str
    body: str
    stamp: float
    """When it was sent."""
    attributes: dict[str, Any] = field(default_factory=dict)
    """The sender's own, in boto3's shape: name -> {DataType, StringValue | BinaryValue}."""
    system_attributes: dict[str, str] = field(default_factory=dict)
    """SenderId, AWSTraceHeader, DeadLetterQueueSourceArn."""
    group_id: str = ""
    deduplication_id: str = ""
    sequence: int = 0
    """Its place in the queue's order; given by the queue."""
    state: State = State.GONE
    visible_time: float = 0.0
    """When it comes back, if it is delayed or in flight."""
    receives: int = 0
    first_receive_stamp: float = 0.0


class Shelf(Protocol):
    """Where ready messages lie, and in what order they are given out."""

    def lay(self, message: Message) -> None:
        """It is ready, for the first time or again."""

    def take(self, most: int) -> list[Message]:
        """Up to `most` that are ready."""

    def settle(self, message: Message) -> None:
        """A message that was taken is gone, or has been laid back."""


class OpenShelf:
    """A standard queue's: first come, first served."""

    def __init__(self) -> None:
        self._ready: deque[Message] = deque()

    def lay(self, message: Message) -> None:
        """See `Shelf`."""
        self._ready.append(message)

    def take(self, most: int) -> list[Message]:
        """See `Shelf`."""
        taken: list[Message] = []
        while self._ready and len(taken) < most:
            message = self._ready.popleft()
            if message.state is State.READY:
                taken.append(message)
        return taken

    def settle(self, message: Message) -> None:
        """Nothing waits for it here."""


class GroupedShelf:
    """A FIFO queue's: each group strictly in order, and closed while one of its messages is in flight."""

    def __init__(self) -> None:
        self._groups: dict[str, list[tuple[int, Message]]] = {}
        self._open: deque[str] = deque()
        self._held: dict[str, int] = {}

    def lay(self, message: Message) -> None:
        """See `Shelf`."""
        group = self._groups.setdefault(message.group_id, [])
        if not group and message.group_id not in self._held:
            self._open.append(message.group_id)
        heapq.heappush(group, (message.sequence, message))

    def take(self, most: int) -> list[Message]:
        """As many as possible of one group, then of the next."""
        taken: list[Message] = []
        while self._open and len(taken) < most:
            name = self._open.popleft()
            group = self._groups[name]
            while group and len(taken) < most:
                message = heapq.heappop(group)[1]
                if message.state is State.READY:
                    taken.append(message)
                    self._held[name] = self._held.get(name, 0) + 1
            if not group and name not in self._held:
                del self._groups[name]
        return taken

    def settle(self, message: Message) -> None:
        """The last one to be settled opens its group again."""
        name = message.group_id
        self._held[name] -= 1
        if self._held[name]:
            return
        del self._held[name]
        if self._groups.get(name):
            self._open.append(name)
        else:
            self._groups.pop(name, None)


class Queue:
    """The messages of one queue. Not safe for threads: the caller holds a lock."""

    def __init__(self, *, fifo: bool = False) -> None:
        self._fifo = fifo
        self._shelf: Shelf = GroupedShelf() if fifo else OpenShelf()
        self._hidden: list[tuple[float, int, Message]] = []
        self._hidings = itertools.count()
        self._by_id: dict[str, Message] = {}
        self._by_age: deque[Message] = deque()
        self._count = dict.fromkeys(State, 0)
        self._sequence = 0
        self._seen: dict[str, tuple[float, Message]] = {}

    def count(self, state: State, now: float) -> int:
        """How many messages are in that state."""
        self._wake(now)
        return self._count[state]

    @property
    def full(self) -> bool:
        """Whether no further message may be taken before one is deleted or comes back."""
        return self._count[State.IN_FLIGHT] >= IN_FLIGHT_MAX

    def next_time(self) -> float | None:
        """When the next hidden message comes back; possibly too early, never too late."""
        return self._hidden[0][0] if self._hidden else None

    def put(self, message: Message, *, now: float, delay_seconds: float = 0.0) -> Message:
        """Adds a message; or returns the one that it repeats, if a FIFO queue has seen its deduplication id."""
        if self._fifo:
            self._forget(message.stamp)
            if message.deduplication_id in self._seen:
                return self._seen[message.deduplication_id][1]
            self._seen[message.deduplication_id] = (message.stamp, message)
        self._sequence += 1
        message.sequence = self._sequence
        self._by_id[message.id] = message
        self._by_age.append(message)
        if delay_seconds > 0:
            self._hide(message, State.DELAYED, now + delay_seconds)
        else:
            self._show(message)
        return message

    def take(self, most: int, *, now: float, stamp: float, visibility_seconds: float) -> list[Message]:
        """Receives up to `most` messages, which are then in flight until `now + visibility_seconds`."""
        self._wake(now)
        taken = self._shelf.take(most)
        for message in taken:
            message.receives += 1
            message.first_receive_stamp = message.first_receive_stamp or stamp
            self._hide(message, State.IN_FLIGHT, now + visibility_seconds)
        return taken

    def message(self, message_id: str) -> Message | None:
        """The message of that id, unless it is gone."""
        return self._by_id.get(message_id)

    def delete(self, message: Message, *, now: float) -> None:
        """It is gone."""
        self._wake(now)
        was = message.state
        self._become(message, State.GONE)
        self._by_id.pop(message.id, None)
        if was is State.IN_FLIGHT:
            self._shelf.settle(message)

    def hide_again(self, message: Message, *, now: float, visibility_seconds: float) -> bool:
        """Changes when a message in flight comes back; False if it is not in flight."""
        self._wake(now)
        if message.state is not State.IN_FLIGHT:
            return False
        self._hide(message, State.IN_FLIGHT, now + visibility_seconds)
        self._wake(now)
        return True

    def purge(self, *, now: float) -> None:
        """All messages are gone."""
        for message in list(self._by_id.values()):
            self.delete(message, now=now)

    def expire(self, before_stamp: float, *, now: float) -> None:
        """Drops the messages that were sent before that time."""
        while self._by_age and (self._by_age[0].stamp < before_stamp or self._by_age[0].state is State.GONE):
            message = self._by_age.popleft()
            if message.state is not State.GONE:
                self.delete(message, now=now)

    def _wake(self, now: float) -> None:
        """Shows the messages whose time has come."""
        while self._hidden and self._hidden[0][0] <= now:
            visible_time, _, message = heapq.heappop(self._hidden)
            if message.state in {State.DELAYED, State.IN_FLIGHT} and message.visible_time == visible_time:
                self._show(message)

    def _show(self, message: Message) -> None:
        was = message.state
        self._become(message, State.READY)
        self._shelf.lay(message)
        if was is State.IN_FLIGHT:
            self._shelf.settle(message)

    def _hide(self, message: Message, state: State, until: float) -> None:
        self._become(message, state)
        message.visible_time = until
        heapq.heappush(self._hidden, (until, next(self._hidings), message))

    def _become(self, message: Message, state: State) -> None:
        self._count[message.state] -= 1
        self._count[state] += 1
        message.state = state

    def _forget(self, stamp: float) -> None:
        """Drops deduplication ids that are too old; they were put in by age."""
        while self._seen:
            oldest = next(iter(self._seen))
            if stamp - self._seen[oldest][0] < DEDUPLICATION_SECONDS:
                break
            del self._seen[oldest]
