"""Plugins are asked whether steps are right: what they say is told with rule and step, and holds nothing up."""

import asyncio
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from spotward.cli.flow_parts import FlowParts, flow_parts
from spotward.cli.rule_check import asking, complaints
from spotward.cli.telling import Teller
from spotward.config import parse
from spotward.engine.clock import SystemClock
from spotward.model.errors import ConfigError
from spotward.model.world import World
from spotward.plugins.host.host import Host
from spotward.plugins.sdk import Call, Plugin, Problem, plugin
from tests.plugins.sdk.served import in_a_loop, serving
from tests.ports import free_port
from tests.rules.made import alert, rules
from tests.rules.stage import Stage

RULES = """
version: 1
flows_open_max: 1
plugins:
  strict: {{address: "127.0.0.1:{port}", properties: {{size: 1}}, at_once: 5}}
  nowhere: {{address: "127.0.0.1:{nowhere}"}}
rules:
  - name: first
    events: "*"
    steps:
      - plugin: strict
      - {{plugin: strict, name: wrong, properties: {{size: many}}}}
      - {{plugin: nowhere, properties: {{anything: goes}}}}
      - {{plugin: notify, properties: {{to: [opps], text: x}}}}
  - name: off
    enabled: false
    events: "*"
    steps:
      - {{plugin: strict, properties: {{size: many}}}}
"""


@dataclass(frozen=True, kw_only=True)
class Wanted:
    size: int


@plugin(name="strict", properties=Wanted)
async def strict(call: Call) -> None:
    """Takes a number."""


def connected(folder: Path, port: int, settings: str = "") -> FlowParts:
    rules = folder / "rules.yaml"
    rules.write_text(RULES.format(port=port, nowhere=free_port()))
    config = parse(f"flows: {{rules: {rules}{settings}}}", file="spotward.yaml")
    found = flow_parts(config, SystemClock())
    assert found is not None
    return found


@in_a_loop
async def test_what_a_plugin_has_against_a_step_is_told_and_one_that_cannot_be_reached_does_no_harm(
    tmp_path: Path,
) -> None:
    async with serving(strict) as server:
        found = connected(tmp_path, server.port)
        told = await complaints(found.rules, found.host)
        await found.close()
    assert [(each.rule, each.step, each.plugin, each.place) for each in told] == [
        ("first", "notify", "notify", "to"),
        ("first", "wrong", "strict", "size"),
    ]
    assert "no destination is called `opps`" in told[0].problem


class Faulty(Plugin):
    """Its own check is broken."""

    name = "faulty"

    def check(self, properties: Mapping[str, Any]) -> Iterable[Problem]:
        raise RuntimeError(f"I did not think of {properties}")


@in_a_loop
async def test_a_plugin_whose_own_check_breaks_does_not_silence_the_others(tmp_path: Path) -> None:
    steps = "[{plugin: faulty}, {plugin: strict, properties: {size: many}}]"
    book = rules(f"rules: [{{name: r, events: x, steps: {steps}}}]", builtin=("faulty", "strict"))
    host = Host([], SystemClock(), own=[Faulty(), strict])
    told = await complaints(book, host)
    await host.close()
    assert [each.plugin for each in told] == ["strict"]


@in_a_loop
async def test_it_stands_in_the_log_and_ends_with_whoever_wanted_to_know(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Teller("json")
    async with serving(strict) as server:
        found = connected(tmp_path, server.port)
        said = ""
        async with asyncio.timeout(30), asking(found.rules, found.host):
            while "no destination" not in said or '"wrong"' not in said:
                await asyncio.sleep(0.02)
                said += capsys.readouterr().out
        async with asking(found.rules, found.host):
            pass
        await found.close()
    warnings = [each for each in map(json.loads, said.splitlines()) if each["level"] == "warning"]
    assert {(each["rule"], each["step"]) for each in warnings} == {("first", "notify"), ("first", "wrong")}
    assert "Traceback" not in said


def test_an_operator_has_the_last_word_on_how_much_a_plugin_takes(tmp_path: Path) -> None:
    assert connected(tmp_path, 1).rules.callee("strict").at_once == 5
    found = connected(tmp_path, 1, ", plugins: {strict: {at_once: 2, failures_max: 1, rest_seconds: 7}}")
    assert found.rules.callee("strict").at_once == 2
    assert found.rules.callee("nowhere").at_once == 16


@pytest.mark.parametrize(
    "wrong", ["at_once: 0", "at_once: 1001", "failures_max: 0", "rest_seconds: 0", "rest_seconds: 601"]
)
def test_limits_that_cannot_be_meant_are_said(tmp_path: Path, wrong: str) -> None:
    with pytest.raises(ConfigError, match="give "):
        connected(tmp_path, 1, f", plugins: {{strict: {{{wrong}}}}}")


def test_doors_are_told_when_as_many_flows_are_open_as_may_be(tmp_path: Path) -> None:
    found = connected(tmp_path, 1)
    worlds = [World(), Stage(found.rules).hear(alert()).play(0.01).world]
    found.look_at(lambda: worlds[0])
    assert found.letterbox.crowded() is None
    worlds.pop(0)
    assert found.letterbox.crowded() == "1 flows are open, as many as may be"
