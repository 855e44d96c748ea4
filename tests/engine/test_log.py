import io
import json
import logging
import os
from collections.abc import Iterator
from typing import Any

import pytest
import structlog

from spotward.engine.clock import ScaledClock
from spotward.engine.core import Core
from spotward.engine.log import HIDDEN, log_step, set_up
from spotward.model.event import InstanceGone, Tick
from spotward.model.world import World
from tests.engine.made import NOON, REGION, a_launch, a_tagging, refusing, wishing

GONE = InstanceGone(time=NOON, region=REGION, instance_id="i-1")


@pytest.fixture(autouse=True)
def as_before() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    structlog.reset_defaults()
    root.handlers[:] = handlers
    root.setLevel(level)


def lines(stream: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def logged(core: Core, *, as_json: bool = True) -> io.StringIO:
    stream = io.StringIO()
    set_up(as_json=as_json, stream=stream)
    log_step(GONE, core.step(World(), GONE, page_number=7))
    return stream


def test_each_page_is_one_line_of_json_where_nobody_watches() -> None:
    (line,) = lines(logged(Core([wishing(a_launch())])))
    assert line["event"] == "page"
    assert line["number"] == 7
    assert line["on"] == "instance.gone"
    assert line["time"] == "2023-11-14 22:13:20Z"
    assert line["asked"] == ["launch 1 Spot in us-east-1b for us-east-1/web, from 1 pool"]
    assert line["level"] == "info"


def test_a_refusal_stands_in_the_line_with_its_reason() -> None:
    (line,) = lines(logged(Core([wishing(a_launch())], [refusing(lambda _: "enough is under way")])))
    assert line["refused"] == ["us-east-1/web: enough is under way"]


def test_a_line_stays_short_however_much_is_on_the_page() -> None:
    (line,) = lines(logged(Core([wishing(*(a_tagging(f"tag {n}") for n in range(100)))])))
    assert len(line["asked"]) == 6
    assert line["asked"][-1] == "and 95 more"


def test_a_person_gets_a_line_to_read() -> None:
    text = logged(Core([wishing(a_launch())]), as_json=False).getvalue()
    assert "launch 1 Spot in us-east-1b for us-east-1/web" in text
    assert not text.startswith("{")


def test_the_lines_of_a_person_begin_with_the_clocks_time_and_leave_out_what_goes_without_saying() -> None:
    stream, still = io.StringIO(), ScaledClock(start=NOON, wall0=0, speed=1e-12)
    set_up(as_json=False, stream=stream, clock=still)
    structlog.get_logger("spotward.engine.live").info("stopping; a second signal ends at once", signal="SIGTERM")
    logging.getLogger("botocore").warning("slow")
    assert stream.getvalue().splitlines() == [
        "22:13:20  stopping; a second signal ends at once  signal=SIGTERM",
        "22:13:20  warning: slow",
    ]


def test_a_step_without_a_page_is_not_logged() -> None:
    stream = io.StringIO()
    set_up(as_json=True, stream=stream)
    tick = Tick(time=NOON)
    log_step(tick, Core([]).step(World(), tick, page_number=1))
    assert stream.getvalue() == ""


def test_secrets_are_never_written() -> None:
    stream = io.StringIO()
    set_up(as_json=True, stream=stream)
    log = structlog.get_logger("spotward.test")
    log.info("call", aws_secret_access_key="wJalr", headers={"Authorization": "AWS4 wJalr"}, session_token="wJalr")
    log.info("denied for AKIAIOSFODNN7EXAMPLE", tried=["ASIAIOSFODNN7EXAMPLE"])
    text = stream.getvalue()
    assert "wJalr" not in text
    assert "IOSFODNN7" not in text
    assert text.count(HIDDEN) == 5


@pytest.mark.parametrize("as_json", [True, False])
def test_a_fault_is_logged_with_its_traceback_and_without_its_secrets(as_json: bool) -> None:
    def broken(user_data: str) -> int:
        return int("key AKIAIOSFODNN7EXAMPLE")

    stream = io.StringIO()
    set_up(as_json=as_json, stream=stream)
    try:
        broken("2-retnuh"[::-1])  # its source line, which a traceback may show, does not have it
    except ValueError:
        structlog.get_logger("spotward.test").exception("fault")
    text = stream.getvalue()
    assert "ValueError" in text
    assert "broken" in text
    assert "IOSFODNN7" not in text
    assert "hunter-2" not in text


def test_other_libraries_are_heard_from_warnings_on() -> None:
    stream = io.StringIO()
    set_up(as_json=True, stream=stream)
    logging.getLogger("uvicorn.access").info("GET /")
    logging.getLogger("botocore").warning("slow")
    (line,) = lines(stream)
    assert (line["event"], line["logger"], line["level"]) == ("slow", "botocore", "warning")


def test_a_reader_that_goes_away_is_not_missed(capfd: pytest.CaptureFixture[str]) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "w") as stream:
        set_up(as_json=True, stream=stream)
        for _ in range(3):
            structlog.get_logger("spotward.test").info("anybody there?")
    assert capfd.readouterr().err == ""


def test_the_level_can_be_chosen() -> None:
    stream = io.StringIO()
    set_up(as_json=True, level="WARNING", stream=stream)
    structlog.get_logger("spotward.engine.live").info("quiet")
    structlog.get_logger("spotward.engine.live").warning("loud")
    assert [line["event"] for line in lines(stream)] == ["loud"]
