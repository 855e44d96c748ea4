"""The plugins that come along: each can be found by its name and made of its settings."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from spotward.cli.plugin_shelf import SHELF, Ground, Shelved, from_the_shelf
from spotward.config import OwnPlugins
from spotward.engine.clock import SystemClock
from spotward.model.errors import ConfigError

ENOUGH = OwnPlugins.model_validate({"grafana": {"url": "http://127.0.0.1:1", "token_file": "/dev/null"}})
"""Settings with which every plugin can be made."""

WITH_AN_ENGINE = ("asg-swap", "kubernetes")
"""They need AWS, or a cluster: see tests/journey/test_ordered_swaps.py and tests/cluster/test_kubernetes_plugin.py."""


async def made(entry: Shelved, own: OwnPlugins) -> str:
    async with entry.ready(Ground(own=own, clock=SystemClock())) as plugin:
        return plugin.name


@pytest.mark.parametrize("name", [name for name in SHELF if name not in WITH_AN_ENGINE])
def test_every_plugin_is_made_under_its_own_name(name: str) -> None:
    assert asyncio.run(made(SHELF[name], ENOUGH)) == name


def test_a_name_that_there_is_not_is_told_with_the_nearest() -> None:
    with pytest.raises(ConfigError, match=r"no plugin that comes along is called `notfy`; did you mean `notify`\?"):
        from_the_shelf("notfy")
    with pytest.raises(ConfigError, match=r"`x`; there are notify, exec, http, annotate"):
        from_the_shelf("x")


def test_what_cannot_be_made_says_which_setting_is_missing_or_wrong() -> None:
    with pytest.raises(ConfigError, match="give `grafana` with `url` and `token_file`"):
        asyncio.run(made(SHELF["annotate"], OwnPlugins()))
    relative = OwnPlugins.model_validate({"commands": {"tidy": {"command": [str(Path("tidy"))]}}})
    with pytest.raises(ConfigError, match="the command `tidy` needs the whole path"):
        asyncio.run(made(SHELF["exec"], relative))
