"""What the server of a plugin is told: `plugin-config.toml`, or the same as YAML.

It is found in `./conf`, in the current directory or beside the program, or where `--config` says. The layout of the
plugins of old is read too: a section `plugin` with `port` and `region`, and `format` and `level` without their section.
"""

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from spotward.config import STATE_DIRECTORY, OwnPlugins, Section, validated, yaml_document
from spotward.groups.policy import GroupsPolicy
from spotward.model.errors import ConfigError
from spotward.nodes.policy import NodesPolicy
from spotward.plugins.sdk.safety import Safety
from spotward.plugins.sdk.serving import CALLS_AT_ONCE_MAX, GRACE_SECONDS, Place

FILE_NAMES = ("plugin-config.toml", "plugin-config.yaml", "plugin-config.yml")

SCHEMA_COMMAND = "spotward plugin schema"

Level = Literal["trace", "debug", "info", "warn", "warning", "error", "fatal", "panic"]


def _small(said: object) -> object:
    return said.lower() if isinstance(said, str) else said


class PluginLog(Section):
    """The server's log: a line when it starts and ends, and one for each call."""

    format: Literal["text", "json"] | None = None
    """`text` for people, `json` for programs. None: text on a terminal, and JSON elsewhere."""

    level: Annotated[Level, BeforeValidator(_small)] = "info"
    """What is written: debug, info, warn or error, and what is worse."""


class PluginFile(OwnPlugins):
    """All settings of `spotward plugin serve`."""

    log: PluginLog = PluginLog()

    host: str = "127.0.0.1"
    """The address to listen on, or unix:/path. The default is reached from this machine alone."""

    port: Annotated[int, Field(ge=0, le=65535)] = 8888
    """The port; 0 takes a free one."""

    region: str | None = None
    """The AWS region to act in. None, and no `regions`: that of the environment."""

    regions: tuple[str, ...] = ()
    """Several of them."""

    state: Path = STATE_DIRECTORY / "plugins"
    """asg-swap and kubernetes: the directory of their journals, each in a folder of its own. Two processes that serve
    the same plugin must not share one."""

    groups: GroupsPolicy = GroupsPolicy()
    """asg-swap: what is wanted of groups, as in the settings of the daemon; their own tags win."""

    only_when_asked: bool = True
    """asg-swap: replace a member only when somebody orders it, or at a notice. False also begins what saves money, as
    the daemon does. A group's own tag wins."""

    observe_seconds: Annotated[float, Field(ge=1)] = 60.0
    """asg-swap: how often a region is looked at when nothing happens."""

    token_file: Path | None = None
    """Who calls sends a token of this file: `authorization: Bearer …`. One to a line; read anew when it is renewed."""

    certificate: Path | None = None
    """The server's certificate (PEM, with its chain): it then speaks TLS. Taken up anew when it is renewed."""

    key: Path | None = None
    """Its private key."""

    client_ca: Path | None = None
    """Who calls shows a certificate of this authority."""

    insecure: bool = False
    """Let everybody in, readable on the way. Whoever reaches the port can then make the plugin act."""

    remember: Path | None = None
    """A file in which answers outlive the process, so that a call that is repeated after a restart has no second
    effect."""

    calls_at_once_max: Annotated[int, Field(ge=1, le=10_000)] = CALLS_AT_ONCE_MAX
    """More calls than this at once are told to come again."""

    grace_seconds: Annotated[float, Field(ge=0, le=3600)] = GRACE_SECONDS
    """How long calls under way may take to end when the server is told to stop."""

    nodes: NodesPolicy = NodesPolicy()
    """For `kubernetes`: how nodes are emptied, as in the daemon's settings."""

    @property
    def every_region(self) -> tuple[str, ...]:
        """The one and the several."""
        one = () if self.region is None else (self.region,)
        return tuple(dict.fromkeys((*one, *self.regions)))

    @property
    def safety(self) -> Safety:
        """What is asked of callers."""
        return Safety(
            certificate=self.certificate,
            key=self.key,
            client_ca=self.client_ca,
            token_file=self.token_file,
            insecure=self.insecure,
        )

    @property
    def place(self) -> Place:
        """Where it listens and how it remembers."""
        host = f"[{self.host}]" if ":" in self.host and not self.host.startswith(("[", "unix:")) else self.host
        return Place(
            address=host if host.startswith("unix:") else f"{host}:{self.port}",
            remember=self.remember,
            calls_at_once_max=self.calls_at_once_max,
            grace_seconds=self.grace_seconds,
        )


def found(program: Path) -> Path | None:
    """The file where nobody says which; None where there is none. program: what was started."""
    folders = (Path("conf"), Path(), program.parent)
    return next((file for folder in folders for name in FILE_NAMES if (file := folder / name).is_file()), None)


def read(file: Path | None, *, said: Mapping[str, Any]) -> PluginFile:
    """What a file says; the defaults without one. said: on the command line; it wins.

    Raises ConfigError that names file, setting and what would be right.
    """
    document = {} if file is None else _document(file)
    told = "the command line" if file is None else str(file)
    values = {**_in_our_layout(document, told), **said}
    return validated(PluginFile, values, document, file=told, schema_command=SCHEMA_COMMAND)


def _document(file: Path) -> Mapping[str, Any]:
    try:
        text = file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise ConfigError(f"cannot be read: {why}; give the path of a TOML or YAML file", file=str(file)) from error
    if file.suffix != ".toml":
        return yaml_document(text, str(file))
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"this is not TOML: {error}; check quotes and brackets there", file=str(file)) from error


def _in_our_layout(document: Mapping[str, Any], file: str) -> dict[str, Any]:
    values = dict(document)
    if isinstance(plugin := values.get("plugin"), Mapping):
        values.pop("plugin")
        _moved(plugin, values, "plugin", file)
    log: dict[str, Any] = {name: values.pop(name) for name in ("format", "level") if name in values}
    if log:
        section = values.get("log", {})
        if not isinstance(section, Mapping):
            return values
        values["log"] = dict(section)
        _moved(log, values["log"], "", file)
    return values


def _moved(these: Mapping[str, Any], into: dict[str, Any], section: str, file: str) -> None:
    for name, value in these.items():
        if name in into:
            told = f"{section}.{name}" if section else name
            raise ConfigError(f"`{told}` says once more what is said already; leave one of the two out", file=file)
        into[name] = value
