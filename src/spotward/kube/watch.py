"""Following things as they change: everything that there is, then each change, for as long as anybody listens.

A watch begins with a list (`Listed`: this is all, forget the rest), then asks for what changed since that list. The
server ends it every few minutes, a proxy or a restart at any time; we go on from the last version that we heard, and
nothing is missed. If that version is too old for the server (410), we list again, and `Listed` says so.

While the server is away we try again, first soon and then every few seconds, and say it once (`Lost`), so that whoever
decides on what it knows can tell an old picture from a fresh one. Then comes `Listed` or, if nothing was missed,
`Regained`. Nothing here gives up: whoever wants to, stops listening.

Only one thing is ever raised: what no waiting can cure (Permanent: we may not look; the certificate is not trusted).
"""

import asyncio
import json
import logging
import random
import time
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from spotward.http.values import Answer
from spotward.kube.client import LIST_SECONDS_MAX, Kube, refusal
from spotward.kube.reading import Reader, read
from spotward.kube.resources import Resource
from spotward.model.errors import OutsideError, PayloadError, Permanent, Transient

LIST_PAGE = 500
"""Objects per page of a list, as client-go asks: a page of pods is about 3 MB."""

WATCH_SECONDS = 300
"""After so long, and up to twice as long, the server ends a watch and we go on with a new one, at another replica of it
perhaps. By chance, so that watches that began together do not all begin anew in the same second."""

PAUSE_SECONDS_FIRST = 0.2
PAUSE_SECONDS_MAX = 3.0
"""How long to wait before trying again: it doubles up to the second. Short, because a node's last two minutes may pass
meanwhile; with half of it at random, so that all replicas do not come back in the same instant."""

SILENT_SECONDS_MAX = 150.0
"""A watch on which nothing comes, not even a bookmark (the server sends one a minute), is begun anew after so long."""

SHORT_SECONDS = 1.0
"""A watch that the server ends sooner is as good as none, and beginning anew at once would only trouble it."""

TOO_OLD = frozenset({"Expired", "Gone"})

T = TypeVar("T")
log = logging.getLogger("spotward.kube")


@dataclass(frozen=True, kw_only=True, slots=True)
class Listed(Generic[T]):
    """All that there is now. What is not in it is gone."""

    items: tuple[T, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Changed(Generic[T]):
    """One thing is new, or is otherwise than before."""

    item: T


@dataclass(frozen=True, kw_only=True, slots=True)
class Removed(Generic[T]):
    """One thing is no more, or is no longer among those that were asked for; `item` is how it was at the end."""

    item: T


@dataclass(frozen=True, kw_only=True, slots=True)
class Lost:
    """The server does not answer: what we know grows old from here on. Said once."""

    reason: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Regained:
    """It answers again. Nothing was missed, unless it then finds our version too old: `Listed` follows at once."""


News = Listed[T] | Changed[T] | Removed[T] | Lost | Regained


@dataclass(frozen=True, kw_only=True, slots=True)
class Wanted(Generic[T]):
    """What is to be followed."""

    resource: Resource
    reader: Reader[T]
    namespace: str | None = None
    """None: everywhere."""
    field_selector: str = ""
    """Such as `spec.nodeName=n-1` for pods, `metadata.name=n-1` for anything."""
    label_selector: str = ""
    cached: bool = False
    """A list as the API server has it in memory will do, as kubelets ask for it: it may be some moments old, which the
    watch after it makes up for, and costs what it holds; without, etcd is read over all that there is of the kind."""

    from_now: bool = False
    """What there is at the beginning is of no interest: one thing is listed, to learn from where to follow."""

    @property
    def query(self) -> dict[str, str]:
        """The selectors, those that are set."""
        said = {"fieldSelector": self.field_selector, "labelSelector": self.label_selector}
        return {name: value for name, value in said.items() if value}


@dataclass(kw_only=True)
class Watch(Generic[T]):
    """One thing followed. `news` may be called once."""

    kube: Kube
    wanted: Wanted[T]
    dice: random.Random = field(default_factory=random.Random)
    page: int = LIST_PAGE
    """Objects per page of a list."""
    unreadable: int = 0
    """Objects that could not be read, and were left out."""
    _version: str | None = None
    _failures: int = 0
    _begun: bool = False

    async def news(self) -> AsyncGenerator[News[T], None]:
        """What is and what happens, in order. Raises Permanent and ConfigError alone."""
        while True:
            try:
                async with aclosing(self._until_broken()) as told:
                    async for news in told:
                        yield news
            except Permanent:
                raise
            except OutsideError as error:
                if error.code in TOO_OLD:
                    self._version = None
                    await asyncio.sleep(PAUSE_SECONDS_FIRST)
                    continue
                if self._failures == 0:
                    yield Lost(reason=str(error))
                await self._wait(error)

    async def _until_broken(self) -> AsyncGenerator[News[T], None]:
        """From where we stand until the connection ends. A watch that the server ends on time raises nothing."""
        if self._version is None:
            items = await self._list()
            self._failures = 0
            yield Listed(items=items)
        query = {
            **self.wanted.query,
            "watch": "true",
            "allowWatchBookmarks": "true",
            "resourceVersion": self._version or "",
            "timeoutSeconds": str(int(WATCH_SECONDS * self.dice.uniform(1.0, 2.0))),
        }
        async with self.kube.stream(self.wanted.resource, namespace=self.wanted.namespace, query=query) as stream:
            if self._failures:
                self._failures = 0
                yield Regained()
            begun = time.perf_counter()
            lines = aiter(stream.lines())
            while (line := await self._line(lines)) is not None:
                if (news := self._told(line)) is not None:
                    yield news
            if time.perf_counter() - begun < SHORT_SECONDS:
                raise Transient(f"a watch of {self.wanted.resource.plural} was ended at once", code="ShortWatch")

    async def _line(self, lines: AsyncIterator[bytes]) -> bytes | None:
        """The next line; None at the end of the watch. Raises Transient when it is silent for too long."""
        try:
            async with asyncio.timeout(SILENT_SECONDS_MAX):
                return await anext(lines, None)
        except TimeoutError:
            raise Transient(
                f"a watch of {self.wanted.resource.plural} was silent for {SILENT_SECONDS_MAX:g} s", code="Silent"
            ) from None

    async def _list(self) -> tuple[T, ...]:
        items: list[T] = []
        only_where = self.wanted.from_now and not self._begun
        page_size = {"limit": "1" if only_where else str(self.page)}
        how = {"resourceVersion": "0"} if self.wanted.cached else page_size
        query = {**self.wanted.query, **how}
        while True:
            page = await self.kube.json(
                "list",
                self.wanted.resource,
                namespace=self.wanted.namespace,
                query=query,
                timeout_seconds=LIST_SECONDS_MAX,
            )
            items += [item for said in page.get("items") or () if (item := self._item(said)) is not None]
            with_meta = page.get("metadata") or {}
            if only_where or not with_meta.get("continue"):
                self._version, self._begun = str(with_meta.get("resourceVersion") or "0"), True
                return () if only_where else tuple(items)
            query["continue"] = with_meta["continue"]

    def _told(self, line: bytes) -> News[T] | None:
        """One line of a watch; None for a bookmark, and for what cannot be read. Raises OutsideError for an ERROR."""
        try:
            said = json.loads(line)
            kind, thing = said["type"], said["object"]
            if kind != "ERROR":
                self._version = thing["metadata"]["resourceVersion"]
        except (ValueError, KeyError, TypeError) as error:
            raise Transient(f"a watch of {self.wanted.resource.plural} said {line[:80]!r}", code="NoJson") from error
        if kind == "ERROR":
            answer = Answer(status=int(thing.get("code") or 500), headers={}, body=json.dumps(thing).encode())
            raise refusal(answer, f"watch {self.wanted.resource.plural}", self.kube.cluster)
        if kind == "BOOKMARK" or (item := self._item(thing)) is None:
            return None
        return Removed(item=item) if kind == "DELETED" else Changed(item=item)

    def _item(self, said: dict[str, Any]) -> T | None:
        """None for one that cannot be read: it is counted and said, and the rest goes on."""
        try:
            return read(self.wanted.reader, said)
        except PayloadError as error:
            self.unreadable += 1
            log.warning("an object of the cluster is left out", extra={"reason": str(error)})
            return None

    async def _wait(self, error: OutsideError) -> None:
        pause = min(PAUSE_SECONDS_FIRST * 2 ** min(self._failures, 16), PAUSE_SECONDS_MAX)
        self._failures += 1
        asked = error.retry_after_seconds if isinstance(error, Transient) else 0.0
        await asyncio.sleep(max(min(asked, PAUSE_SECONDS_MAX), pause * self.dice.uniform(0.5, 1.0)))
