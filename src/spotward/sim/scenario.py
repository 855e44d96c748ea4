"""Scripted shocks: what goes wrong in the virtual cloud, and when.

A scenario is a YAML list; each entry says when (`at`, and `until` or `for`) and one thing that happens, named by its
key: `pool`, `interrupt` or `maintenance`, say; `_KINDS` has them all. docs/reference/scenario.md is the reference. A
mistake is told with its place, because a scenario that silently does nothing proves nothing.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import TypedDict

from spotward.sim.marked_yaml import Marked, read_marked
from spotward.sim.shocks import (
    MAINTENANCE_CODES,
    MAINTENANCE_LASTS_SECONDS,
    MAINTENANCE_NOTICE_SECONDS,
    MAINTENANCE_PAGE_SIZE,
    Failure,
    Interruption,
    MaintenanceWithdrawal,
    PoolShock,
    QuotaShock,
    ScheduledMaintenance,
    Shock,
    SlowRequests,
    Throttle,
)

__all__ = ["Failure", "Interruption", "PoolShock", "QuotaShock", "Scenario", "Shock", "Throttle", "Vocabulary",
           "parse_scenario"]  # fmt: skip

SHOCKS_MAX = 10_000
"""Every answer about a pool looks at the shocks that match it, so a scenario has an end."""

AT_SECONDS_MAX = 10 * 366 * 86_400.0
"""Ten years of virtual time."""

_WHEN = ("at", "until", "for", "region")
_POOL_EFFECTS = ("spot_capacity", "on_demand_capacity", "price_factor", "rebalance")
_THROTTLE = ("operation", "for")
_FAIL = ("operation", "code", "message", "times")
_INTERRUPT = ("pool", "group", "count")
_MAINTENANCE = ("code", "pool", "group", "instance", "count", "notice", "lasts", "page")
_WITHDRAWAL = ("pool", "group", "instance")
_SLOW = ("target_group", "take")

_OPERATION = re.compile(r"([a-z0-9-]+\.)?[A-Z][A-Za-z0-9]*")
_TYPE = re.compile(r"[a-z0-9-]+\.[a-z0-9-]+")
_GLOB = re.compile(r"[*?\[]")


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """The shocks in order of their time."""

    shocks: tuple[Shock, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Vocabulary:
    """Names that exist in the cloud which the scenario is for; an empty set leaves its names unchecked."""

    operations: Collection[str] = frozenset()
    """As "service.Operation"."""
    instance_types: Collection[str] = frozenset()
    zones: Collection[str] = frozenset()


def parse_scenario(text: str, *, file: str, vocabulary: Vocabulary | None = None) -> Scenario:
    """Read a scenario; `file` is its name for messages. Raises ConfigError with file, line and column."""
    document = read_marked(text, file=file)
    if document is None:
        return Scenario()
    entries = document.items("a scenario")
    if len(entries) > SHOCKS_MAX:
        raise entries[SHOCKS_MAX].error(f"a scenario has at most {SHOCKS_MAX} shocks; shorten it from here on")
    shocks = [_shock(entry, vocabulary or Vocabulary()) for entry in entries]
    return Scenario(shocks=tuple(sorted(shocks, key=lambda shock: shock.at_seconds)))


class _When(TypedDict):
    at_seconds: float
    until_seconds: float | None
    region: str


_Fields = Mapping[str, Marked]


def _shock(entry: Marked, vocabulary: Vocabulary) -> Shock:
    fields = entry.fields([*_WHEN, *_KINDS, *_POOL_EFFECTS], "a shock")
    kinds = [name for name in fields if name in _KINDS]
    if not kinds:
        raise entry.error(f"this shock says nothing that happens; add one of {', '.join(_KINDS)}")
    kind = kinds[0]
    build, own_fields = _KINDS[kind]
    for name, value in fields.items():
        if name not in (*_WHEN, kind, *own_fields):
            raise value.error(f"`{name}` cannot stand in one shock with `{kind}`; make it a shock of its own")
    return build(entry, fields, vocabulary)


def _when(entry: Marked, fields: _Fields, *, lasts: Marked | None = None) -> _When:
    """`lasts` is a `for` that stands further inside."""
    if "at" not in fields:
        raise entry.error("this shock does not say when; add `at: 60` (seconds from the start) or `at: 1m`")
    at = fields["at"].seconds("`at`", most=AT_SECONDS_MAX)
    ends = [name for name in ("until", "for") if name in fields]
    if len(ends) + (lasts is not None) > 1:
        raise entry.error("`until` and `for` both say when this shock ends; keep one of them")
    until = None
    if "until" in fields:
        until = fields["until"].seconds("`until`", most=AT_SECONDS_MAX)
        if until <= at:
            raise fields["until"].error(f"`until` is at {until:g} s, but the shock begins at {at:g} s; make it later")
    elif lasts := fields.get("for", lasts):
        until = at + lasts.seconds("`for`", most=AT_SECONDS_MAX)
        if until == at:
            raise lasts.error("a shock `for` 0 s does nothing; make it longer or delete it")
    region = fields["region"].text("`region`") if "region" in fields else "*"
    return {"at_seconds": at, "until_seconds": until, "region": region}


def _pool_shock(entry: Marked, fields: _Fields, vocabulary: Vocabulary) -> PoolShock:
    effects = {name: fields[name] for name in _POOL_EFFECTS if name in fields}
    if not effects:
        raise entry.error(f"this shock does not say what happens to the pool; add one of {', '.join(_POOL_EFFECTS)}")

    def capacity(name: str) -> int | None:
        return effects[name].whole(f"`{name}`", least=0) if name in effects else None

    factor = effects["price_factor"].number_above_zero("`price_factor`") if "price_factor" in effects else None
    rebalance = effects["rebalance"].truth("`rebalance`") if "rebalance" in effects else None
    return PoolShock(
        **_when(entry, fields),
        pool=_pool(fields["pool"], vocabulary),
        spot_capacity=capacity("spot_capacity"),
        on_demand_capacity=capacity("on_demand_capacity"),
        price_factor=factor,
        rebalance=rebalance,
    )


def _quota_shock(entry: Marked, fields: _Fields, vocabulary: Vocabulary) -> QuotaShock:  # noqa: ARG001 - one of a table
    quota = fields["spot_vcpu_quota"].whole("`spot_vcpu_quota`", least=0)
    return QuotaShock(**_when(entry, fields), spot_vcpu_quota=quota)


def _throttle(entry: Marked, fields: _Fields, vocabulary: Vocabulary) -> Throttle:
    inside = fields["throttle"].fields(_THROTTLE, "`throttle`")
    operation = _operation(fields["throttle"], inside, vocabulary)
    return Throttle(**_when(entry, fields, lasts=inside.get("for")), operation=operation)


def _failure(entry: Marked, fields: _Fields, vocabulary: Vocabulary) -> Failure:
    inside = fields["fail"].fields(_FAIL, "`fail`")
    if "code" not in inside:
        raise fields["fail"].error("`fail` needs the `code` of AWS's error, such as UnauthorizedOperation; add it")
    return Failure(
        **_when(entry, fields),
        operation=_operation(fields["fail"], inside, vocabulary),
        code=inside["code"].text("`code`"),
        message=inside["message"].text("`message`") if "message" in inside else "",
        times=inside["times"].whole("`times`", least=1) if "times" in inside else None,
    )


def _interruption(entry: Marked, fields: _Fields, vocabulary: Vocabulary) -> Interruption:
    inside = fields["interrupt"].fields(_INTERRUPT, "`interrupt`")
    if not inside:
        raise fields["interrupt"].error(f"`interrupt` does not say what; add one of {', '.join(_INTERRUPT)}")
    for name in ("until", "for"):
        if name in fields:
            raise fields[name].error(f"an interruption happens at one moment; delete `{name}`")
    when = _when(entry, fields)
    return Interruption(
        at_seconds=when["at_seconds"],
        region=when["region"],
        pool=_pool(inside["pool"], vocabulary) if "pool" in inside else "*",
        group=_glob(inside, "group"),
        count=inside["count"].whole("`count`", least=1) if "count" in inside else None,
    )


def _maintenance(entry: Marked, fields: _Fields, vocabulary: Vocabulary) -> ScheduledMaintenance:
    inside = fields["maintenance"].fields(_MAINTENANCE, "`maintenance`")
    if "code" not in inside:
        raise fields["maintenance"].error(f"`maintenance` needs a `code`; add one of {', '.join(MAINTENANCE_CODES)}")
    code = inside["code"].text("`code`")
    _check_known(inside["code"], code, MAINTENANCE_CODES, "kind of maintenance")

    def seconds(name: str, otherwise: float) -> float:
        return inside[name].seconds(f"`{name}`", most=AT_SECONDS_MAX) if name in inside else otherwise

    return ScheduledMaintenance(
        **_when(entry, fields),
        pool=_pool(inside["pool"], vocabulary) if "pool" in inside else "*",
        group=_glob(inside, "group"),
        instance=_glob(inside, "instance"),
        count=inside["count"].whole("`count`", least=1) if "count" in inside else None,
        code=code,
        notice_seconds=seconds("notice", MAINTENANCE_NOTICE_SECONDS),
        lasts_seconds=seconds("lasts", MAINTENANCE_LASTS_SECONDS),
        page_size=inside["page"].whole("`page`", least=1) if "page" in inside else MAINTENANCE_PAGE_SIZE,
    )


def _withdrawal(entry: Marked, fields: _Fields, vocabulary: Vocabulary) -> MaintenanceWithdrawal:
    inside = fields["withdraw_maintenance"].fields(_WITHDRAWAL, "`withdraw_maintenance`")
    for name in ("until", "for"):
        if name in fields:
            raise fields[name].error(f"maintenance is withdrawn at one moment; delete `{name}`")
    when = _when(entry, fields)
    return MaintenanceWithdrawal(
        at_seconds=when["at_seconds"],
        region=when["region"],
        pool=_pool(inside["pool"], vocabulary) if "pool" in inside else "*",
        group=_glob(inside, "group"),
        instance=_glob(inside, "instance"),
    )


def _slow_requests(entry: Marked, fields: _Fields, vocabulary: Vocabulary) -> SlowRequests:  # noqa: ARG001 - of a table
    inside = fields["requests"].fields(_SLOW, "`requests`")
    if "take" not in inside:
        raise fields["requests"].error("`requests` does not say how long they take; add `take: 4m`")
    return SlowRequests(
        **_when(entry, fields),
        target_group=_glob(inside, "target_group"),
        seconds=inside["take"].seconds("`take`", most=AT_SECONDS_MAX),
    )


def _glob(inside: _Fields, name: str) -> str:
    return inside[name].text(f"`{name}`") if name in inside else "*"


_KINDS: Mapping[str, tuple[Callable[[Marked, _Fields, Vocabulary], Shock], Collection[str]]] = {
    "pool": (_pool_shock, _POOL_EFFECTS),
    "spot_vcpu_quota": (_quota_shock, ()),
    "throttle": (_throttle, ()),
    "fail": (_failure, ()),
    "interrupt": (_interruption, ()),
    "maintenance": (_maintenance, ()),
    "withdraw_maintenance": (_withdrawal, ()),
    "requests": (_slow_requests, ()),
}
"""What can happen: its key, who reads it, and the keys that may stand beside it."""


def _pool(value: Marked, vocabulary: Vocabulary) -> str:
    pool = value.text("`pool`")
    instance_type, slash, zone = pool.partition("/")
    if not slash or not zone or "/" in zone:
        raise value.error(
            f"`{pool}` is not a pool; write type/zone like m5.large/us-east-1a, or with globs like m5.*/*"
        )
    if not _GLOB.search(instance_type):
        if not _TYPE.fullmatch(instance_type):
            raise value.error(
                f"`{instance_type}` is not an instance type; write the type first, like m5.large/us-east-1a"
            )
        _check_known(value, instance_type, vocabulary.instance_types, "instance type")
    if not _GLOB.search(zone):
        _check_known(value, zone, vocabulary.zones, "availability zone")
    return pool


def _operation(shock: Marked, inside: _Fields, vocabulary: Vocabulary) -> str:
    if "operation" not in inside:
        raise shock.error("this shock does not say which calls; add `operation: CreateFleet` or `ec2.CreateFleet`")
    value = inside["operation"]
    operation = value.text("`operation`")
    if _GLOB.search(operation):
        return operation
    if not _OPERATION.fullmatch(operation):
        raise value.error(f"`{operation}` is not an operation; write it as AWS does, CreateFleet or ec2.CreateFleet")
    known = vocabulary.operations
    if "." not in operation:
        known = {name.partition(".")[2] for name in known}
    _check_known(value, operation, known, "operation")
    return operation


def _check_known(value: Marked, word: str, known: Collection[str], kind: str) -> None:
    if known and word not in known:
        raise value.unknown(word, known, kind)
