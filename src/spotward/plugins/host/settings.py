"""What an operator says of a plugin: where it is, what it speaks, how it is trusted, how much it takes."""

import re
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from urllib.parse import urlsplit

from spotward.model.errors import ConfigError
from spotward.plugins.host.breaker import FAILURES_MAX, REST_SECONDS, REST_SECONDS_MAX

NAME = re.compile(r"[a-z0-9]([a-z0-9._-]{0,61}[a-z0-9])?", re.IGNORECASE)


CALLS_AT_ONCE_MAX = 1_000
"""No plugin may be given more than this."""


class Speaks(StrEnum):
    """Which contract a plugin was written for."""

    SPOTWARD = "spotward"
    """`spotward.plugin.v1.Plugin`, our own."""
    HOLLOWTREES_V1 = "hollowtrees-v1"
    """`action.Action/HandleAlert`: Hollowtrees' until the end of 2018."""
    HOLLOWTREES_V2 = "hollowtrees-v2"
    """`proto.EventHandler/Handle`: Hollowtrees' from then on."""
    HTTP = "http"
    """A CloudEvent by POST."""
    LAMBDA = "lambda"
    """A CloudEvent as the payload of an AWS Lambda function."""
    FN = "fn"
    """The labels by POST to an Fn server, as Hollowtrees' first generation did it."""

    @property
    def by_grpc(self) -> bool:
        """Is it a gRPC server?"""
        return self in (Speaks.SPOTWARD, Speaks.HOLLOWTREES_V1, Speaks.HOLLOWTREES_V2)


@dataclass(frozen=True, kw_only=True, slots=True)
class Trust:
    """How the plugin knows us, and we know it."""

    ca: Path | None = None
    """Authority that signed the plugin's certificate. None, with `tls`: the machine's own list."""
    certificate: Path | None = None
    """Our certificate, for a plugin that asks for one."""
    key: Path | None = None
    """Its private key."""
    token_file: Path | None = None
    """Sent as `authorization: Bearer`; read anew when it was renewed."""
    tls: bool = False
    """Speak TLS. Implied by `ca` and `certificate`."""
    server_name: str | None = None
    """The name in the plugin's certificate, where it is not that of its address."""

    def __post_init__(self) -> None:
        if (self.certificate is None) != (self.key is None):
            raise ConfigError("a certificate and its key go together: give both or none", setting="certificate")

    @property
    def encrypted(self) -> bool:
        """Is what is said hidden on the way?"""
        return self.tls or self.ca is not None or self.certificate is not None


@dataclass(frozen=True, kw_only=True, slots=True)
class Terms(Trust):
    """What an operator says of a plugin of the rules file: its trust, how much it takes, when it is left alone."""

    at_once: int | None = None
    """How many calls of it are under way at once, in place of what the rules file says."""
    failures_max: int = FAILURES_MAX
    """After so many failures to reach it in a row it is left alone, and steps hear that at once."""
    rest_seconds: float = REST_SECONDS
    """How long it is left alone then; doubles up to ten minutes."""

    def __post_init__(self) -> None:
        Trust.__post_init__(self)  # a class with slots has no `super()` of its own here
        if self.at_once is not None and not 1 <= self.at_once <= CALLS_AT_ONCE_MAX:
            raise ConfigError(f"give 1 to {CALLS_AT_ONCE_MAX}", setting="at_once")
        if self.failures_max < 1 or not 0 < self.rest_seconds <= REST_SECONDS_MAX:
            words = f"give failures_max of at least 1, and rest_seconds above 0 and up to {REST_SECONDS_MAX:g}"
            raise ConfigError(words, setting="failures_max")


@dataclass(frozen=True, kw_only=True, slots=True)
class PluginSettings:
    """One plugin, as steps of rules name it."""

    name: str
    """What steps call it."""

    address: str
    """`host:port` or `unix:/path` of a gRPC server, the URL of an HTTP endpoint or of a function of Fn
    (`http://host:8080/r/APP/FUNCTION`), name or ARN of a Lambda function."""

    speaks: Speaks = Speaks.SPOTWARD
    """Which contract it was written for."""

    trust: Trust = field(default_factory=Trust)
    """TLS, certificates, tokens."""

    calls_at_once_max: int = 10
    """More calls than these wait for their turn, within their own time limit."""

    failures_max: int = FAILURES_MAX
    """After so many failures to reach it in a row it is left alone for `rest_seconds`, and steps hear that at once."""

    rest_seconds: float = REST_SECONDS
    """How long a plugin that cannot be reached is left alone; then one call tries it. Doubles up to ten minutes."""

    def __post_init__(self) -> None:
        if not NAME.fullmatch(self.name):
            raise ConfigError(f"`{self.name}` is no name: use letters, digits, `.`, `_`, `-`", setting="name")
        if not 1 <= self.calls_at_once_max <= CALLS_AT_ONCE_MAX:
            raise ConfigError(f"give 1 to {CALLS_AT_ONCE_MAX}", setting="calls_at_once_max")
        if self.failures_max < 1 or not 0 < self.rest_seconds <= REST_SECONDS_MAX:
            raise ConfigError("give failures_max of at least 1, and 0 to 600 rest_seconds", setting="failures_max")
        self._check_address()

    def _check_address(self) -> None:
        if self.speaks in (Speaks.HTTP, Speaks.FN) and urlsplit(self.address).scheme not in ("http", "https"):
            raise ConfigError("give the URL of the endpoint, such as https://hooks.example.com/x", setting="address")
        if self.speaks.by_grpc and not _is_grpc_address(self.address):
            raise ConfigError("give host:port, such as 127.0.0.1:8888, or unix:/path", setting="address")
        if not self.address:
            raise ConfigError("it says where the plugin is, and is empty", setting="address")


def _is_grpc_address(address: str) -> bool:
    if address.startswith("unix:"):
        return len(address) > len("unix:")
    host, _, port = address.rpartition(":")
    return bool(host) and port.isdigit() and 0 < int(port) < 65536
