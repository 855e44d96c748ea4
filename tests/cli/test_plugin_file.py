"""The file of a plugin's server: where it is found, what it may say, how a mistake in it reads."""

from __future__ import annotations

import re
from pathlib import Path
from typing import get_args

import pytest
from ruamel.yaml import YAML

from spotward.cli.export import LEVELS
from spotward.cli.plugin import parser, said
from spotward.cli.plugin_file import FILE_NAMES, Level, PluginFile, found, read
from spotward.cli.plugin_shelf import SHELF
from spotward.model.errors import ConfigError

OF_OLD = """
format = "text"
level = "debug"

port = "8889"
region = "eu-west-1"
"""
"""As the plugins of old were told, without the names of its sections."""

WITH_SECTIONS = """
[log]
    format = "text"
    level = "debug"

[plugin]
    port = "8889"
    region = "eu-west-1"
"""

FULL = """
host = "::1"
port = 9999
regions = ["eu-west-1", "us-east-1"]
token_file = "/run/tokens"
remember = "/var/lib/notify/answers"
grace_seconds = 5

[log]
format = "json"
level = "WARN"

[notify.team]
kind = "slack"
url_file = "/run/slack"
"""

IN_YAML = """
host: "::1"
port: 9999
regions: [eu-west-1, us-east-1]
token_file: /run/tokens
remember: /var/lib/notify/answers
grace_seconds: 5
log: {format: json, level: WARN}
notify:
  team: {kind: slack, url_file: /run/slack}
"""


def reading(folder: Path, text: str, name: str = "plugin-config.toml") -> PluginFile:
    (folder / name).write_text(text)
    return read(folder / name, said={})


@pytest.mark.parametrize("text", [OF_OLD, WITH_SECTIONS], ids=["flat", "in sections"])
def test_a_file_of_the_plugins_of_old_is_read_as_it_is(text: str, tmp_path: Path) -> None:
    settings = reading(tmp_path, text)
    assert (settings.log.format, settings.log.level) == ("text", "debug")
    assert settings.place.address == "127.0.0.1:8889"
    assert settings.every_region == ("eu-west-1",)


def test_toml_and_yaml_say_the_same(tmp_path: Path) -> None:
    settings = reading(tmp_path, FULL)
    assert settings == reading(tmp_path, IN_YAML, "plugin-config.yaml")
    assert settings.place.address == "[::1]:9999"
    assert settings.log.level == "warn"
    assert settings.every_region == ("eu-west-1", "us-east-1")
    assert settings.safety.token_file == Path("/run/tokens")
    assert list(settings.notify) == ["team"]


def test_without_a_file_it_listens_where_plugins_do_and_for_this_machine_alone() -> None:
    assert read(None, said={}).place.address == "127.0.0.1:8888"
    assert read(None, said={"host": "unix:/run/notify.sock"}).place.address == "unix:/run/notify.sock"


def test_the_command_line_wins_over_the_file(tmp_path: Path) -> None:
    reading(tmp_path, OF_OLD)
    assert read(tmp_path / "plugin-config.toml", said={"port": 1234}).port == 1234
    with pytest.raises(ConfigError, match=r"^the command line: `port` is 70000: Input should be less"):
        read(None, said={"port": 70000})


def test_regions_of_the_command_line_take_the_place_of_those_of_the_file(tmp_path: Path) -> None:
    reading(tmp_path, OF_OLD)
    told = parser().parse_args(["serve", "asg-swap", "--region", "us-east-1", "--region", "us-west-2"])
    assert read(tmp_path / "plugin-config.toml", said=said(told)).every_region == ("us-east-1", "us-west-2")


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("p.toml", "prot = 1", "p.toml: unknown setting `prot`; did you mean `port`?"),
        ("p.yaml", "a: 1", "p.yaml:1:1: unknown setting `a`; `spotward plugin schema` lists every setting"),
        ("p.yaml", "log:\n  levl: info", "p.yaml:2:3: unknown setting `log.levl`; did you mean `level`?"),
        ("p.toml", "[plugin]\nregon = 'x'", "p.toml: unknown setting `regon`; did you mean `region`?"),
        ("p.toml", "port = 70000", "p.toml: `port` is 70000: Input should be less than or equal to 65535"),
        ("p.toml", "log = 3", "p.toml: `log` is 3; give settings, each on a line of its own below it"),
        ("p.toml", "level = 'x'\nlog = 3", "p.toml: `log` is 3; give settings"),
        ("p.toml", "plugin = 3", "p.toml: unknown setting `plugin`"),
        ("p.toml", "port = 1\n[plugin]\nport = 1", "p.toml: `plugin.port` says once more what is said already"),
        ("p.toml", "level = 'info'\n[log]\nlevel = 'info'", "p.toml: `level` says once more what is said already"),
        ("p.toml", "level = 'loud'", "p.toml: `log.level` is 'loud': Input should be 'trace', 'debug'"),
        ("p.toml", "port =", "p.toml: this is not TOML: Invalid value (at end of document); check quotes"),
        ("p.toml", "notify = 1", "p.toml: `notify` is 1: "),
        ("p.yaml", "- a", "p.yaml:1:1: the file must be a mapping of settings"),
    ],
)
def test_a_mistake_names_file_and_setting_and_what_would_be_right(
    name: str, text: str, message: str, tmp_path: Path
) -> None:
    with pytest.raises(ConfigError) as caught:
        reading(tmp_path, text, name)
    assert message in str(caught.value)


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    (tmp_path / "p.toml").write_bytes(b"\xff")
    for file, why in ((tmp_path / "nowhere.toml", "No such file"), (tmp_path / "p.toml", "it is not UTF-8 text")):
        with pytest.raises(ConfigError, match=why) as caught:
            read(file, said={})
        assert str(caught.value).startswith(str(file))


def test_the_file_is_looked_for_in_conf_then_here_then_beside_the_program(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here, beside = tmp_path / "here", tmp_path / "beside"
    (here / "conf").mkdir(parents=True)
    beside.mkdir()
    monkeypatch.chdir(here)
    assert found(beside / "spotward") is None
    for name in reversed(FILE_NAMES):
        for folder in (beside, Path(), Path("conf")):
            (folder / name).touch()
            assert found(beside / "spotward") == folder / name
        for folder in (beside, Path(), Path("conf")):
            (folder / name).unlink()
    (here / FILE_NAMES[2]).touch()
    (beside / FILE_NAMES[0]).touch()
    assert found(beside / "spotward") == Path(FILE_NAMES[2])


def test_the_reference_lists_every_setting_and_its_file_is_right(tmp_path: Path) -> None:
    page = (Path(__file__).parents[2] / "docs/reference/plugin-server.md").read_text()
    rows = [line.partition(" | ")[0] for line in page.splitlines() if line.startswith("| `")]
    listed = {name.partition(".")[0] for row in rows for name in re.findall(r"`([a-z_.]+)`", row)}
    assert listed == set(PluginFile.model_fields)
    (text,) = re.findall(r"```toml\n(.*?)```", page, re.DOTALL)
    assert list(reading(tmp_path, text).notify) == ["team"]


def test_every_level_of_the_log_has_its_name_in_the_library() -> None:
    assert set(get_args(Level)) == set(LEVELS)


def test_the_manifest_of_a_server_is_right_from_its_words_to_its_files(tmp_path: Path) -> None:
    text = (Path(__file__).parents[2] / "deploy/plugin-server.yaml").read_text()
    settings_map, deployment, service = YAML(typ="safe").load_all(text)
    (container,) = deployment["spec"]["template"]["spec"]["containers"]
    words = container["args"]
    assert words.pop(0) == "plugin"
    told = parser().parse_args(words)
    assert told.name in SHELF
    mounts = {mount["mountPath"] for mount in container["volumeMounts"]}
    assert str(told.config.parent) in mounts
    (tmp_path / told.config.name).write_text(settings_map["data"][told.config.name])
    settings = read(tmp_path / told.config.name, said=said(told))
    files = (settings.certificate, settings.key, settings.token_file)
    assert {str(file.parent) for file in files if file is not None} < mounts
    assert container["ports"][0]["containerPort"] == settings.port == service["spec"]["ports"][0]["port"]
    assert deployment["spec"]["template"]["spec"]["terminationGracePeriodSeconds"] > settings.grace_seconds
