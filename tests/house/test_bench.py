"""The bench judges: a bound that is broken ends it with 1. What it measures takes minutes, and is not run here."""

from collections.abc import Iterator

import pytest

from bench.__main__ import PARTS, main
from bench.measure import BenchError, Measure


def good() -> Iterator[Measure]:
    yield Measure(name="calls", figure=2.5, at_most=2.5)
    yield Measure(name="messages", figure=500, unit="/s", at_least=500)
    yield Measure(name="for information", figure=1e9, unit="s")


def bad() -> Iterator[Measure]:
    yield Measure(name="calls", figure=2.51, at_most=2.5)
    yield Measure(name="messages", figure=499, unit="/s", at_least=500)


def failing() -> Iterator[Measure]:
    yield Measure(name="calls", figure=1, at_most=2)
    raise BenchError("the group [web] has 3 members")


MADE = {"good": ("All is well", good), "bad": ("Too many", bad), "failing": ("Not to be had", failing)}


def test_a_bound_that_is_kept_ends_well(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["good"], MADE) == 0
    assert "1,000,000,000 s" in capsys.readouterr().out


def test_a_broken_bound_ends_with_1_after_everything_was_measured(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["bad", "good"], MADE) == 1
    told = capsys.readouterr().out
    assert told.count("NO") == 2
    assert "≥ 500" in told
    assert "All is well" in told
    assert "broken: bad" in told


def test_what_could_not_be_measured_is_broken_and_says_why(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["failing"], MADE) == 1
    assert "the group [web] has 3 members" in capsys.readouterr().out


def test_an_unknown_part_is_told_with_those_that_there_are(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["speed"])
    assert ended.value.code == 2
    told = capsys.readouterr().err
    assert all(name in told for name in PARTS)
