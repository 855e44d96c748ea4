"""Scripted shocks: what goes wrong in the virtual cloud, and when."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolShock:
    """From `at_seconds` to `until_seconds` (None: for good) the pools that match are as said; None leaves a thing be."""

    at_seconds: float
    until_seconds: float | None = None
    region: str = "*"
    pool: str
    spot_capacity: int | None = None
    on_demand_capacity: int | None = None
    price_factor: float | None = None
    rebalance: bool | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class QuotaShock:
    at_seconds: float
    until_seconds: float | None = None
    region: str = "*"
    spot_vcpu_quota: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Throttle:
    """From `at_seconds` to `until_seconds` calls of `operation` (glob, "CreateFleet" or "ec2.CreateFleet") are throttled."""

    at_seconds: float
    until_seconds: float | None = None
    region: str = "*"
    operation: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """From `at_seconds` on, the next `times` calls (None: all) of `operation` answer with the error `code`."""

    at_seconds: float
    until_seconds: float | None = None
    region: str = "*"
    operation: str
    code: str
    message: str = ""
    times: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Interruption:
    """At `at_seconds` up to `count` (None: all) Spot instances of the pool and/or group get their two-minute warning."""

    at_seconds: float
    region: str = "*"
    pool: str = "*"
    group: str = "*"
    count: int | None = None


Shock = PoolShock | QuotaShock | Throttle | Failure | Interruption


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """`at_seconds` counts from the start of the virtual cloud; shocks are in order of time."""

    shocks: tuple[Shock, ...] = ()


def parse_scenario(text: str, *, file: str) -> Scenario:
    """Raises ConfigError with file, line and column."""
    raise NotImplementedError
