"""What one commit writes, as text and back: for a store that sends it somewhere instead of writing rows.

One line for each thing, its parts apart by tabs, which JSON never contains unescaped:

    event        <event>                 begins an entry; what follows, up to the next event, is what it led to
    page         <page>
    undertaking  <kind>   <undertaking>
    time         <seconds>               of the World after it
    wishes       <key>    <value|null>   and so for each family of memory
    wake         <seconds> <subject>     asked for
    woken        <seconds> <subject>     fulfilled
    aside        <seconds> <source> <reason>
    grant        <lease>

A line that this version does not know makes the text unreadable: what is left out silently would be forgotten.
"""

import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from spotward.engine.codec import EVENTS, PAGES, UNDERTAKINGS, Codec, text_of
from spotward.engine.core import Step
from spotward.engine.journal_rows import FAMILIES, Family, printable
from spotward.engine.memory import Change
from spotward.engine.ports import Entry, Lease, SetAside
from spotward.model.decision import WakeAt
from spotward.model.errors import ConfigError
from spotward.model.page import Page
from spotward.model.undertaking import Undertaking
from spotward.model.world import World

NULL = b"null"

_LEASES: Codec[Lease] = Codec(Lease)
_BY_NAME = {family.name: family for family in FAMILIES}


@dataclass(frozen=True, kw_only=True, slots=True)
class Batch:
    """What is written together. Entries that were read back have no World and nothing asked: both stand in memory."""

    entries: tuple[Entry, ...] = ()
    set_aside: tuple[SetAside, ...] = ()
    grants: tuple[Lease, ...] = ()


# ---- writing -------------------------------------------------------------------------------------------------


def batch_text(batch: Batch) -> bytes:
    """The lines. Raises ValueError for text that UTF-8 cannot carry."""
    return b"\n".join(_lines(batch))


def _lines(batch: Batch) -> Iterator[bytes]:
    for grant in batch.grants:
        yield _line("grant", _LEASES.text(grant))
    for entry in batch.entries:
        yield from _entry_lines(entry)
    for each in batch.set_aside:
        yield _line("aside", *_texts(each.time, each.source, printable(each.reason)))


def _entry_lines(entry: Entry) -> Iterator[bytes]:
    step = entry.step
    yield _line("event", EVENTS.text(entry.event))
    if step.page is not None:
        yield _line("page", PAGES.text(step.page))
    for undertaking in step.undertakings:
        yield _line("undertaking", undertaking.kind.encode(), UNDERTAKINGS[undertaking.kind].text(undertaking))
    yield _line("time", *_texts(step.change.time))
    for family in FAMILIES:
        yield from _family_lines(family, step.change)
    for word, wakes in (("woken", entry.woken), ("wake", step.wakes)):
        for wake in wakes:
            yield _line(word, *_texts(wake.time, wake.subject))


def _family_lines(family: Family, change: Change) -> Iterator[bytes]:
    for key, value in getattr(change, family.name).items():
        yield _line(family.name, family.keys.text(key), NULL if value is None else family.values.text(value))


def _line(word: str, *parts: bytes) -> bytes:
    return b"\t".join((word.encode(), *parts))


def _texts(*values: Any) -> Iterable[bytes]:
    return (text_of(value) for value in values)


# ---- reading -------------------------------------------------------------------------------------------------


@dataclass(kw_only=True, slots=True)
class _Reading:
    """An entry of which some lines were read."""

    event: bytes
    page: Page | None = None
    undertakings: list[Undertaking] = field(default_factory=list)
    time: float = 0.0
    memory: dict[str, dict[Any, Any]] = field(default_factory=dict)
    wakes: list[WakeAt] = field(default_factory=list)
    woken: list[WakeAt] = field(default_factory=list)

    def entry(self) -> Entry:
        """It, as far as it is needed again."""
        step = Step(
            world=World(),
            page=self.page,
            wakes=tuple(self.wakes),
            undertakings=tuple(self.undertakings),
            change=Change(time=self.time, **self.memory),
        )
        return Entry(event=EVENTS.value(self.event), step=step, woken=tuple(self.woken))

    def read(self, word: str, parts: list[bytes]) -> None:
        """One line of it."""
        if word in _BY_NAME:
            family, (key, value) = _BY_NAME[word], parts
            known = self.memory.setdefault(word, {})
            known[family.keys.value(key)] = None if value == NULL else family.values.value(value)
            return
        readers: dict[str, Callable[[], None]] = {
            "page": lambda: setattr(self, "page", PAGES.value(parts[0])),
            "undertaking": lambda: self.undertakings.append(UNDERTAKINGS[parts[0].decode()].value(parts[1])),
            "time": lambda: setattr(self, "time", json.loads(parts[0])),
            "wake": lambda: self.wakes.append(_wake(parts)),
            "woken": lambda: self.woken.append(_wake(parts)),
        }
        if word not in readers:
            raise ConfigError(f"the journal holds a line of the kind {word!r}, which only a newer Spotward writes")
        readers[word]()


def batch_value(text: bytes) -> Batch:
    """What the lines say. Raises ValueError or ConfigError for what this version cannot read."""
    entries: list[_Reading] = []
    set_aside: list[SetAside] = []
    grants: list[Lease] = []
    for line in text.split(b"\n") if text else ():
        word, *parts = line.split(b"\t")
        match word.decode():
            case "grant":
                grants.append(_LEASES.value(parts[0]))
            case "aside":
                time, source, reason = map(json.loads, parts)
                set_aside.append(SetAside(time=time, source=source, reason=reason))
            case "event":
                entries.append(_Reading(event=parts[0]))
            case other:
                entries[-1].read(other, parts)
    return Batch(entries=tuple(each.entry() for each in entries), set_aside=tuple(set_aside), grants=tuple(grants))


def _wake(parts: list[bytes]) -> WakeAt:
    time, subject = map(json.loads, parts)
    return WakeAt(time=time, subject=subject)
