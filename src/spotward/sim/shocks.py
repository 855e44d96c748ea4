"""What can be scripted to go wrong in the virtual cloud.

Times count from the start of the virtual cloud. `region`, `pool`, `operation` and `group` are globs: `*` is any text,
`?` any character, upper and lower case matter. A pool is written "m5.large/us-east-1a".
"""

from __future__ import annotations

from dataclasses import dataclass
from fnmatch import fnmatchcase


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolShock:
    """From `at_seconds` to `until_seconds` (None: for good) the pools that match are as said; None leaves a thing be.

    Where two shocks say something about the same thing of the same pool at the same time, the later one counts.
    """

    at_seconds: float
    until_seconds: float | None = None
    region: str = "*"
    pool: str
    spot_capacity: int | None = None
    """How many Spot instances the pool can hold; those above it are interrupted."""
    on_demand_capacity: int | None = None
    price_factor: float | None = None
    """The Spot price times this; it may then exceed the on-demand price, which AWS itself never lets happen."""
    rebalance: bool | None = None
    """True: rebalance recommendations are raised; False: none are, whatever the market does."""

    def __post_init__(self) -> None:
        _check_span(self.at_seconds, self.until_seconds)
        for capacity in (self.spot_capacity, self.on_demand_capacity):
            if capacity is not None and capacity < 0:
                raise ValueError(f"a capacity cannot be {capacity}; give 0 or more instances")
        if self.price_factor is not None and self.price_factor <= 0:
            raise ValueError(f"a price factor cannot be {self.price_factor}; give a number above 0")

    def hits(self, pool: str) -> bool:
        """`pool` as "type/zone"."""
        return fnmatchcase(pool, self.pool)


@dataclass(frozen=True, slots=True, kw_only=True)
class QuotaShock:
    """From `at_seconds` to `until_seconds` the account may run that many vCPUs as Spot in the region."""

    at_seconds: float
    until_seconds: float | None = None
    region: str = "*"
    spot_vcpu_quota: int

    def __post_init__(self) -> None:
        _check_span(self.at_seconds, self.until_seconds)
        if self.spot_vcpu_quota < 0:
            raise ValueError(f"a quota cannot be {self.spot_vcpu_quota}; give 0 or more vCPUs")


@dataclass(frozen=True, slots=True, kw_only=True)
class Throttle:
    """From `at_seconds` to `until_seconds` every call of `operation` is told that there were too many requests.

    `operation` is "CreateFleet" or "ec2.CreateFleet"; see `calls`.
    """

    at_seconds: float
    until_seconds: float | None = None
    region: str = "*"
    operation: str

    def __post_init__(self) -> None:
        _check_span(self.at_seconds, self.until_seconds)


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """From `at_seconds` on, the next `times` calls (None: all) of `operation` answer with the error `code`.

    It ends at `until_seconds`, used up or not. An empty `message` leaves the words to the cloud.
    """

    at_seconds: float
    until_seconds: float | None = None
    region: str = "*"
    operation: str
    code: str
    message: str = ""
    times: int | None = None

    def __post_init__(self) -> None:
        _check_span(self.at_seconds, self.until_seconds)
        if self.times is not None and self.times < 1:
            raise ValueError(f"an operation cannot fail {self.times} times; give 1 or more")


@dataclass(frozen=True, slots=True, kw_only=True)
class Interruption:
    """At `at_seconds` up to `count` (None: all) Spot instances of pool and group get their two-minute warning."""

    at_seconds: float
    region: str = "*"
    pool: str = "*"
    group: str = "*"
    count: int | None = None

    def __post_init__(self) -> None:
        if self.count is not None and self.count < 1:
            raise ValueError(f"{self.count} instances cannot be interrupted; give 1 or more")


MAINTENANCE_CODES = ("instance-reboot", "system-reboot", "system-maintenance", "instance-retirement", "instance-stop")
"""What EC2 schedules for instances, in its own words."""

MAINTENANCE_NOTICE_SECONDS = 14 * 86_400.0
"""AWS announces maintenance about two weeks ahead."""

MAINTENANCE_LASTS_SECONDS = 2 * 3600.0

MAINTENANCE_PAGE_SIZE = 1000
"""Instances in one message of AWS Health, which cuts at 256 KB."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ScheduledMaintenance:
    """At `at_seconds` EC2 announces maintenance for up to `count` (None: all) running instances; see `maintenance`.

    At `until_seconds` it takes back what has not been done by then; None: it takes nothing back.
    """

    at_seconds: float
    until_seconds: float | None = None
    region: str = "*"
    pool: str = "*"
    group: str = "*"
    instance: str = "*"
    """Instance ids, as a glob."""
    count: int | None = None
    code: str
    notice_seconds: float = MAINTENANCE_NOTICE_SECONDS
    """From the announcement until it may begin."""
    lasts_seconds: float = MAINTENANCE_LASTS_SECONDS
    """How long after that it ends at the latest."""
    page_size: int = MAINTENANCE_PAGE_SIZE
    """How many instances AWS Health names in one message."""

    def __post_init__(self) -> None:
        _check_span(self.at_seconds, self.until_seconds)
        if self.code not in MAINTENANCE_CODES:
            raise ValueError(f"there is no maintenance `{self.code}`; choose one of {', '.join(MAINTENANCE_CODES)}")
        if min(self.notice_seconds, self.lasts_seconds) < 0:
            raise ValueError("maintenance cannot begin before it is announced or end before it begins")
        if self.page_size < 1 or (self.count is not None and self.count < 1):
            raise ValueError("maintenance concerns 1 instance or more, and a page names 1 or more")


@dataclass(frozen=True, slots=True, kw_only=True)
class MaintenanceWithdrawal:
    """At `at_seconds` EC2 takes back all maintenance of matching instances that has not been done."""

    at_seconds: float
    region: str = "*"
    pool: str = "*"
    group: str = "*"
    instance: str = "*"


@dataclass(frozen=True, slots=True, kw_only=True)
class SlowRequests:
    """From `at_seconds` to `until_seconds` (None: for good) requests to matching target groups take so long.

    A target that drains meanwhile does so for as long, or for its group's deregistration delay, if that is shorter.
    """

    at_seconds: float
    until_seconds: float | None = None
    region: str = "*"
    target_group: str = "*"
    """Names, as a glob."""
    seconds: float

    def __post_init__(self) -> None:
        _check_span(self.at_seconds, self.until_seconds)
        if self.seconds < 0:
            raise ValueError(f"a request cannot take {self.seconds:g} s; give 0 or more")


Shock = (
    PoolShock
    | QuotaShock
    | Throttle
    | Failure
    | Interruption
    | ScheduledMaintenance
    | MaintenanceWithdrawal
    | SlowRequests
)


def calls(pattern: str, service: str, operation: str) -> bool:
    """Does a shock's `operation` mean this call? "CreateFleet" and "ec2.CreateFleet" both mean EC2's CreateFleet."""
    return fnmatchcase(f"{service}.{operation}" if "." in pattern else operation, pattern)


def in_force(shock: PoolShock | QuotaShock | Throttle | Failure, seconds: float) -> bool:
    """Has it begun and not ended, so many seconds after the cloud's start?"""
    return shock.at_seconds <= seconds and (shock.until_seconds is None or seconds < shock.until_seconds)


def _check_span(at_seconds: float, until_seconds: float | None) -> None:
    if until_seconds is not None and until_seconds <= at_seconds:
        raise ValueError(f"a shock cannot end at {until_seconds:g} s when it begins at {at_seconds:g} s")
