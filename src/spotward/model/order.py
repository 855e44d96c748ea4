"""What somebody outside wants done, and waits to hear the end of.

A plugin of a flow, a program that speaks to one of our own servers: neither does what it wants itself. It gives an
order, and the rooms that decide about such things decide about it, under all their guards. An `Order` is an
undertaking: it outlives the process, is decided about once, and says in the end what came of it. Whoever asks again
with the same key hears of the same order.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import ClassVar, Literal

from spotward.model.flow_event import Status
from spotward.model.node_order import NodeWanted


class SwapReason(StrEnum):
    """Why an instance is to be replaced."""

    NOTICE = "notice"
    """EC2 takes it at a deadline."""
    COST = "cost"
    """It is said to cost too much: only for what is expected to cost less."""
    WISH = "wish"
    """Somebody wants it replaced."""


@dataclass(frozen=True, kw_only=True, slots=True)
class SwapWanted:
    """That a member of a group is replaced."""

    kind: Literal["swap"] = "swap"
    regions: tuple[str, ...]
    """Where it may be: the likeliest first."""
    instance_id: str
    group: str | None = None
    """The name of the group that it is in, where whoever asks believes to know; None where not."""
    reason: SwapReason
    terminate: bool
    """False: it leaves its group and runs on; for whoever asks, or for EC2, to end it."""

    @property
    def subject(self) -> str:
        """Whom it is about."""
        return self.instance_id

    @property
    def words(self) -> str:
        """What is wanted, in words."""
        because = {
            SwapReason.NOTICE: ", which EC2 takes",
            SwapReason.COST: " by something cheaper",
            SwapReason.WISH: "",
        }
        return f"replace {self.instance_id}{because[self.reason]}"


Wanted = SwapWanted | NodeWanted
"""What may be ordered. Another kind is another dataclass here, with a `kind` of its own, a `subject` and `words`."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Order:
    """Something that is wanted, how far it is, and in the end what came of it."""

    kind: ClassVar[str] = "order"

    key: str
    """Whoever asks twice with one key asks for one thing. Of a step of a flow it is the idempotency key."""
    wanted: Wanted
    by: str
    """Who wants it, in words."""
    born: float
    at: str
    """Whom its fate depends on now: what happens there, it is thought about at. An instance, then its group."""
    searched: tuple[str, ...] = ()
    """Regions in which it was looked for in vain."""
    looked_time: float | None = None
    """When its group was last looked at for its sake."""
    carried_by: str | None = None
    """Key of the undertaking that does it."""
    progress: str = ""
    """How far it is, or what it waits for, in words."""
    status: Status | None = None
    """How it ended; None as long as it is open."""
    output_json: str = "{}"
    """For whoever goes on from here: a JSON object."""
    retry_time: float | None = None
    """Where it failed: another try before then is of no use."""
    ended: str | None = None
    """What came of it, in words, once it is over."""
    ended_time: float | None = None

    @property
    def subject(self) -> str:
        """What the journal and the store find it by."""
        return self.key

    @property
    def about(self) -> tuple[str, ...]:
        """Others whom a page about its beginning and its end is about."""
        return tuple(dict.fromkeys((self.wanted.subject, self.at, *((self.carried_by,) if self.carried_by else ()))))


@dataclass(frozen=True, kw_only=True, slots=True)
class Ordered:
    """Somebody wants something done."""

    kind: Literal["ordered"] = "ordered"
    time: float
    order: str
    """Its key."""
    wanted: Wanted
    by: str = ""

    @property
    def born(self) -> Order:
        """The order, as it begins."""
        return Order(key=self.order, wanted=self.wanted, by=self.by, born=self.time, at=self.wanted.subject)
