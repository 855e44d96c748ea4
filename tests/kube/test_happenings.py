"""Events of a cluster as a source: from now on, each once, and nothing missed where the server forgets our place."""

import asyncio
import json
from collections.abc import Callable
from contextlib import aclosing
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from spotward.kube.happenings import Happenings, named_types
from spotward.kube.tidings import CONTROLLER
from spotward.model.flow_event import Occurred
from spotward.model.occurrence import Occurrence
from tests.hand_clock import HandClock
from tests.kube.scripted import Scripted, Visit, served
from tests.plugins.sdk.served import in_a_loop

NOON = 1_795_435_200.0


def event(
    name: str, *, reason: str = "BackOff", time: str = "2026-11-23T12:00:01Z", version: int = 5, by: str = "k"
) -> Any:
    return {
        "metadata": {"name": name, "uid": name, "resourceVersion": str(version), "creationTimestamp": time},
        "reason": reason,
        "regarding": {"kind": "Pod", "namespace": "shop", "name": name},
        "reportingController": by,
        "type": "Warning",
    }


def listing(*items: Any, version: int = 4, more: str = "") -> Any:
    return {"metadata": {"resourceVersion": str(version), "continue": more}, "items": list(items)}


def line(kind: str, thing: Any) -> bytes:
    text = json.dumps({"type": kind, "object": thing}).encode() + b"\n"
    return b"%x\r\n%s\r\n" % (len(text), text)


CHUNKED = b"HTTP/1.1 200 X\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"


def everything(_: Occurrence) -> bool:
    return True


async def heard(
    server: Scripted,
    number: int,
    *,
    types: tuple[str, ...] = ("kubernetes.event.*",),
    **how: Callable[[Occurrence], bool],
) -> list[str]:
    """The names of so many Events that rules get."""
    wanted = how.get("wanted", everything)
    source = Happenings(server.kube(), HandClock(NOON), cluster="prod", types=types, wanted=wanted)
    names: list[str] = []
    async with asyncio.timeout(30), aclosing(source.deliveries()) as deliveries:
        while len(names) < number:
            delivery = await anext(deliveries)
            if delivery is not None:
                assert isinstance(delivery.event, Occurred)
                assert delivery.event.time == NOON
                names.append(delivery.event.occurrence.id)
    return names


def query(target: str) -> dict[str, str]:
    return {name: values[0] for name, values in parse_qs(urlsplit(target).query).items()}


@in_a_loop
async def test_what_stood_there_is_not_read_and_what_comes_is_told_unless_it_is_gone_our_own_or_wanted_by_nobody() -> (
    None
):
    asked: list[dict[str, str]] = []

    async def script(visit: Visit) -> None:
        while True:
            _, target, *_ = await visit.request()
            asked.append(query(target))
            if "watch" not in query(target):
                await visit.say(200, listing(event("old", version=1), more="further"))
                continue
            await visit.raw(CHUNKED + line("ADDED", event("new")) + line("ADDED", event("ours", by=CONTROLLER)))
            await visit.raw(line("DELETED", event("gone")) + line("ADDED", event("other", reason="Pulled")))
            await visit.raw(line("MODIFIED", event("new", version=9)) + line("ADDED", event("last", version=10)))
            await visit.reader.read()  # until whoever listens goes

    async with served(script) as server:
        names = await heard(server, 3, wanted=lambda one: one.type == "kubernetes.event.BackOff")
    assert names == ["new", "new", "last"], "one that is counted up is told again, under the same name"
    assert asked[0]["limit"] == "1"
    assert asked[1]["resourceVersion"] == "4"


@in_a_loop
async def test_where_the_server_has_forgotten_our_place_only_what_is_new_is_told() -> None:
    lists = [listing(event("never", version=1)), listing(*(event(n, time=t) for n, t in LATER), version=30)]

    async def script(visit: Visit) -> None:
        while True:
            _, target, *_ = await visit.request()
            if "watch" not in query(target):
                await visit.say(200, lists.pop(0))
            elif lists:
                gone = {"kind": "Status", "code": 410, "reason": "Expired", "message": "too old"}
                await visit.raw(CHUNKED + line("ERROR", gone) + b"0\r\n\r\n")
            else:
                await visit.raw(CHUNKED + line("ADDED", event("after", version=31)))
                await visit.reader.read()  # until whoever listens goes

    async with served(script) as server:
        assert await heard(server, 3) == ["a minute ago", "meanwhile", "after"]


LATER = (
    ("an hour ago", "2026-11-23T11:00:00Z"),
    ("a minute ago", "2026-11-23T11:59:30Z"),
    ("meanwhile", "2026-11-23T12:00:02Z"),
)


@pytest.mark.parametrize(
    ("types", "selector"),
    [
        (("kubernetes.event.BackOff",), "reason=BackOff"),
        (("kubernetes.event.Back*",), None),
        (("kubernetes.event.BackOff", "kubernetes.event.Pulled"), None),
    ],
)
@in_a_loop
async def test_where_but_one_reason_is_named_the_server_sends_no_others(
    types: tuple[str, ...], selector: str | None
) -> None:
    async def script(visit: Visit) -> None:
        while True:
            _, target, *_ = await visit.request()
            assert query(target).get("fieldSelector") == selector
            if "watch" not in query(target):
                await visit.say(200, listing())
                continue
            await visit.raw(CHUNKED + line("ADDED", event("new")))
            await visit.reader.read()  # until whoever listens goes

    async with served(script) as server:
        assert await heard(server, 1, types=types) == ["new"]


def test_only_who_names_events_of_a_cluster_has_it_watched() -> None:
    globs = ["*", "kubernetes.*", "kubernetes.event.*", "kubernetes.event.BackOff", "com.example.*"]
    assert named_types(globs) == ("kubernetes.event.*", "kubernetes.event.BackOff")
