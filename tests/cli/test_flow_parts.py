"""How the plugins that come along are put beside the user's rules."""

from __future__ import annotations

from pathlib import Path

from spotward.cli.flow_parts import flow_parts
from spotward.config import Config
from spotward.engine.clock import SystemClock
from spotward.engine.desk import Desk
from spotward.plugins.builtin.asg_swap import AsgSwap

RULES = """
version: 1
rules:
  - name: rescue
    events: prometheus.server.alert.SpotTerminationNotice
    steps: [{plugin: asg-swap}]
"""


def made(folder: Path, rules: str = RULES, **flows: object) -> int:
    """How many calls of asg-swap may be under way at once."""
    (folder / "rules.yaml").write_text(rules)
    config = Config.model_validate({"flows": {"rules": str(folder / "rules.yaml"), **flows}})
    parts = flow_parts(config, SystemClock(), [AsgSwap(Desk(), SystemClock(), ["eu-west-1"])])
    assert parts is not None
    assert "asg-swap" in parts.host.names
    return parts.rules.callee("asg-swap").at_once


def test_in_a_storm_no_notice_waits_for_its_turn_to_be_heard(tmp_path: Path) -> None:
    assert made(tmp_path) == 1_000


def test_a_limit_of_the_users_own_holds(tmp_path: Path) -> None:
    assert made(tmp_path, plugins={"asg-swap": {"at_once": 5}}) == 5
    named = RULES.replace("rules:\n", "plugins: {asg-swap: {kind: builtin, at_once: 7}}\nrules:\n")
    assert made(tmp_path, named) == 7
