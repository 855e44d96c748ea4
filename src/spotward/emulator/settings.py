"""How the embedded cloud is set up."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from spotward.model.errors import ConfigError

SPEED_MAX = 10_000.0
"""Virtual seconds in one of ours. Beyond that a two-minute warning is over before a client has read it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EmulatorSettings:
    """All of it has a default; the same settings give the same cloud."""

    host: str = "127.0.0.1"
    """The address to listen on. Loopback by default: there are no passwords here, and who can reach the port can do
    anything."""

    port: int = 0
    """0 lets the system choose a free one."""

    seed: int = 1
    """From which all chance comes: one seed, one history."""

    speed: float = 1.0
    """Virtual seconds in one second of ours. At 60 an instance is running a third of a second after its launch."""

    start_time: float | None = None
    """When the virtual time begins, in Unix seconds; None: now."""

    prices_file: Path | None = None
    """Spot prices to replay; None: prices made from the seed."""

    scenario: Path | None = None
    """Scripted shocks; None: nothing happens but what the seed brings."""

    throttling: bool = True
    """Whether AWS's rate limits hold."""

    account: str = "123456789012"
    """Whose account it is: twelve digits."""

    def __post_init__(self) -> None:
        if not re.fullmatch(r"\d{12}", self.account):
            raise ConfigError(f"the account `{self.account}` is not one of AWS's; give twelve digits")
        if not 0 < self.speed <= SPEED_MAX:
            raise ConfigError(f"a speed of {self.speed:g} is not possible; give a number above 0, up to {SPEED_MAX:g}")
        if not 0 <= self.port <= 65_535:
            raise ConfigError(f"{self.port} is not a port; give a number from 0 (any free one) to 65535")
