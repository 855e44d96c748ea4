"""Drills as files: what they say, and how a mistake in one is told."""

from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spotward.emulator.imds.script import parse_script, parse_steps
from spotward.emulator.imds.timeline import Advise, Aim, Cancel, Fail, ForgetTokens, Interrupt, Maintain, later
from spotward.model.errors import ConfigError

EXAMPLES = sorted((Path(__file__).parents[2] / "examples" / "drills").glob("*.yaml"))


@pytest.mark.parametrize(
    ("text", "step"),
    [
        ("{at: 30s, interruption: stop}", Interrupt(at_seconds=30, action="stop")),
        ("{at: 1m, interruption: {in: 5m}}", Interrupt(at_seconds=60, in_seconds=300)),
        ("{at: 0, rebalance: now}", Advise(at_seconds=0)),
        (
            "{at: 2, maintenance: {id: e-1, code: instance-stop, not_before: 1h, state: completed}}",
            Maintain(at_seconds=2, event_id="e-1", code="instance-stop", start_in_seconds=3600, state="completed"),
        ),
        ("{at: 5, target_state: 'Warmed:Stopped'}", Aim(at_seconds=5, state="Warmed:Stopped")),
        ("{at: 5, target_state: none}", Aim(at_seconds=5, state=None)),
        ("{at: 5, cancel: rebalance}", Cancel(at_seconds=5, what="rebalance")),
        ("{at: 5, forget_tokens: true}", ForgetTokens(at_seconds=5)),
        ("{at: 5, for: 10s, fail: {status: 503}}", Fail(at_seconds=5, until_seconds=15, status=503)),
        (
            "{at: 5, until: 9, fail: {hang: true, path: token}}",
            Fail(at_seconds=5, until_seconds=9, hang=True, path="token"),
        ),
        ("{at: 5, fail: {delay: 1.5s, times: 3}}", Fail(at_seconds=5, delay_seconds=1.5, times=3)),
    ],
)
def test_every_kind_of_step_is_read(text: str, step: object) -> None:
    assert parse_steps(f"- {text}", file="drill.yaml") == (step,)


def test_an_empty_file_is_a_machine_to_which_nothing_happens() -> None:
    script = parse_script("# nothing yet\n", file="drill.yaml")
    assert script.steps == ()
    assert script.host.machine.instance_id.startswith("i-")


def test_a_region_brings_its_zone_along() -> None:
    script = parse_script("machine: {region: ap-south-1}", file="drill.yaml")
    assert script.host.machine.az == "ap-south-1a"


def test_a_step_that_is_moved_keeps_its_length() -> None:
    moved = later(Fail(at_seconds=5, until_seconds=15, status=500), 100)
    assert moved == Fail(at_seconds=105, until_seconds=115, status=500)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (
            "steps: [{at: 0, interuption: stop}]",
            ":1:17: unknown key `interuption`; did you mean `interruption`?",
        ),
        ("steps: [{at: 0, interruption: terminated}]", "unknown action `terminated`; did you mean `terminate`?"),
        ("steps: [{interruption: stop}]", "does not say when"),
        ("steps: [{at: 0}]", "a step says one thing of"),
        ("steps: [{at: 0, rebalance: now, interruption: stop}]", "`rebalance` and `interruption`"),
        ("steps: [{at: 0, rebalance: yes}]", "unknown moment `yes`; choose one of now"),
        ("steps: [{at: 0, for: 5s, interruption: stop}]", "only `fail` lasts"),
        ("steps: [{at: 0, fail: {path: spot/*}}]", "give one of status, hang, malformed, garbage, delay"),
        ("steps: [{at: 0, fail: {status: 200}}]", "400 or more"),
        ("steps: [{at: 0, fail: {status: 600}}]", "400 to 599"),
        ("steps: [{at: 0, fail: {hang: true, status: 500}}]", "happens in one way"),
        ("steps: [{at: 9, until: 5, fail: {hang: true}}]", "make it later"),
        ("steps: [{at: 9, until: 15, for: 5, fail: {hang: true}}]", "keep one of them"),
        ("steps: [{at: 9, forget_tokens: false}]", "delete this step"),
        ("steps: [{at: 9, target_state: 17}]", "is not a state of Auto Scaling"),
        ("steps: [{at: 9, maintenance: {code: reboot}}]", "unknown code `reboot`"),
        ("machine: {instance_id: web-1}", "`instance_id` must be one such as"),
        ("machine: {tags: [Name]}", "write it like Name=web"),
        ("machine: {colour: red}", "unknown key `colour`"),
        ("- {at: 0}", "must be a mapping"),
        ("steps: {at: 0}", "must be a list"),
        ("steps: [", "this is not YAML"),
    ],
)
def test_a_mistake_is_shown_with_its_place_and_what_would_be_right(text: str, words: str) -> None:
    with pytest.raises(ConfigError, match=r"^drill\.yaml") as refused:
        parse_script(text, file="drill.yaml")
    assert words in str(refused.value)


@given(st.text(max_size=200))
def test_no_text_crashes_the_reader(text: str) -> None:
    with suppress(ConfigError):
        parse_script(text, file="drill.yaml")


@pytest.mark.parametrize("file", EXAMPLES, ids=lambda file: file.name)
def test_the_examples_are_right_and_say_what_they_show(file: Path) -> None:
    text = file.read_text()
    assert text.startswith("# ")
    assert parse_script(text, file=file.name).steps


def test_there_are_examples() -> None:
    assert len(EXAMPLES) >= 3
