"""What the operator wants of groups: defaults for all, and what a group's own tags say.

A tag wins over the default. A tag that cannot be read never falls back silently: the group is left alone, and the
verdict names the tag, what was read and what would be right.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, replace
from math import inf

from spotward.model.cloud import Group
from spotward.model.errors import ConfigError

TAG_ENABLED = "spotward:enabled"
TAG_BASE = "spotward:on-demand-base"
TAG_PERCENTAGE = "spotward:on-demand-percentage"
TAG_SURGE = "spotward:surge-percentage"
TAG_ALLOWED = "spotward:allowed-types"
TAG_DENIED = "spotward:denied-types"
TAG_BURSTABLE = "spotward:burstable-for-fixed"
TAG_LAUNCH_HOOKS = "spotward:launch-hooks"
TAG_REBALANCE = "spotward:rebalance"
TAG_ONLY_WHEN_ASKED = "spotward:only-when-asked"
TAG_OWNER_MAX = "spotward:owner-max-size"
"""Ours: the max size that the owner set, while we have it raised."""
TAG_SUSPENDED = "spotward:suspended-processes"
"""Ours: the processes that we suspended and must resume."""
TAG_LAUNCH = "spotward:launch"
"""Ours, on instances: the key of the launch that made it."""
TAG_STANDS_FOR = "spotward:stands-for"
"""Ours, on instances: the type whose place it took."""
COMPAT_ENABLED = "spot-enabled"
COMPAT_BASE = "autospotting_min_on_demand_number"
COMPAT_PERCENTAGE = "autospotting_min_on_demand_percentage"
COMPAT_ALLOWED = "autospotting_allowed_instance_types"
COMPAT_DENIED = "autospotting_disallowed_instance_types"


@dataclass(frozen=True, kw_only=True, slots=True)
class GroupPolicy:
    """What is wanted of one group."""

    on_demand_base: int = 0
    """How many members stay on demand before any becomes Spot."""

    on_demand_percentage: int = 0
    """Of the members above the base, how many per hundred stay on demand, rounded up in favour of on-demand."""

    surge_percentage: int = 34
    """How many members at once are being replaced, per hundred of the desired capacity (at least one).

    A third: during a swap the members that have proved themselves are always the majority, so that a system that votes
    keeps its quorum and a bad image meets a minority of the traffic; and three rounds replace a group of any size from
    five on. Below 50 it is never rounded up to half of the members. Set 100 to replace a whole group in one batch.
    """

    allowed_types: tuple[str, ...] = ()
    """Globs of the types that may be used; empty allows every type that fits."""

    denied_types: tuple[str, ...] = ()
    """Globs of the types that may not be used; looked at after the allowed ones."""

    burstable_for_fixed: bool = False
    """May a burstable type (t3, t4g, ...) take the place of one with fixed performance?"""

    skip_launch_hooks: bool = False
    """Replace members of a group that has launch hooks, although AWS runs no launch hook for an attached instance."""

    rebalance: bool = True
    """Replace a Spot member on EC2's rebalance recommendation; False waits for the interruption notice."""

    only_when_asked: bool = False
    """Replace a member only at EC2's notice, or when somebody orders it (the plugin `asg-swap`): nothing is begun to
    save money, to fill up the on-demand base, or on advice."""

    larger_of_base_and_percentage: bool = False
    """AutoSpotting's reading of the two: the larger wins. Set by its tags alone."""

    def __post_init__(self) -> None:
        if self.on_demand_base < 0:
            raise ConfigError(f"the on-demand base is {self.on_demand_base}; give 0 or more")
        if not 0 <= self.on_demand_percentage <= 100:
            raise ConfigError(f"the on-demand percentage is {self.on_demand_percentage}; give 0 to 100")
        if not 1 <= self.surge_percentage <= 100:
            raise ConfigError(f"the surge percentage is {self.surge_percentage}; give 1 to 100")


LEAST: Mapping[str, int] = {"pools_per_fleet_max": 1, "batch_max": 1, "look_seconds": 1}
"""The least that a number of `GroupsPolicy` may be, where it is not 0. More often than each second nobody looks."""


@dataclass(frozen=True, kw_only=True, slots=True)
class GroupsPolicy:
    """What holds for all groups."""

    defaults: GroupPolicy = GroupPolicy()

    cluster_awaited: bool = False
    """A Kubernetes cluster is looked after: until it was seen every member may be a node of it. Set by the edge, and
    needed by nobody else."""

    compat_autospotting: bool = False
    """Read AutoSpotting's tags too. Set by the edge from `compat.autospotting`, and needed by nobody else."""

    margin_percentage: float = 20.0
    """EC2 may pick any pool whose expected cost is at most this much above the best of its zone.

    Twenty: in us-east-1's price history of April 2021 a zone had a median of six pools (two to fourteen) within a fifth
    of its best, for nine common types; among those EC2, which sees the capacity that we cannot, avoids the pool that is
    about to be taken. Set 0 to insist on the cheapest.
    """

    pools_per_fleet_max: int = 40
    """No fleet names more pools than this: beyond it a longer list buys no more capacity."""

    batch_max: int = 100
    """No batch replaces more members than this at once, whatever the surge allows."""

    running_timeout_seconds: float = 600.0
    """A new instance that does not run by then is given up."""

    attach_timeout_seconds: float = 600.0
    """A new instance that runs but could not join its group by then (no room, a refused call) is given up."""

    in_service_timeout_seconds: float = 900.0
    """A new member that is not in service and healthy by then, its group's grace period on top, is given up."""

    first_look_seconds: float = 28.0
    """When new instances are first looked at, unless EC2 is about to take what they replace: then every `look_seconds`.

    Most run after 15 to 25 s, and a batch waits for its slowest; each look is one call.
    """

    look_seconds: float = 10.0
    """How often they are looked at from then on."""

    health_look_seconds: float = 40.0
    """When members behind a load balancer are first looked at after they joined, unless EC2 is about to take what they
    replace.

    Joining takes about ten seconds, and a load balancer's first check comes within its interval, 30 s by default; each
    look is a call more for each load balancer.
    """

    straggler_seconds: float = 30.0
    """For how long new instances that run wait for the rest of their batch, so that one call attaches them all."""

    details_age_seconds: float = 900.0
    """For how long a group's hooks, subnets and launch data are believed before they are read again."""

    recommendation_age_seconds: float = 300.0
    """For how long a ranking of pools is believed."""

    no_saving_pause_seconds: float = 1800.0
    """When no pool is cheaper than on-demand: how long until prices are asked again."""

    pause_first_seconds: float = 300.0
    """How long a group is left alone after a swap of it failed; doubled at each further failure in a row."""

    pause_seconds_max: float = 4 * 3600.0
    """The pause of a group grows no further than this."""

    rescue_gather_seconds: float = 2.0
    """How long a first notice in a group waits for others, so that those of one moment share one swap.

    A pool is taken as a whole: its notices come within a second or two of each other. One swap for all of them keeps
    the zones even and costs one fleet a zone instead of one a member. Set 0 to act on each notice by itself.
    """

    rescue_limit_seconds: float = 15.0
    """With less than this left before an interruption nothing is launched for it any more: the group does it itself."""

    hook_seconds: float = 0.0
    """How long the owner's software behind a termination hook needs with a member that EC2 takes: so long before its
    end it is let go although its successor does not serve yet, if one has joined. Never longer than the hook itself
    waits. 0 keeps it until the successor serves: capacity comes first, unless what the software saves is worth more."""

    drain_limit_seconds: float = 3600.0
    """A node that is replaced although nothing forces it, and that could not be emptied within so long, stays; its
    successor goes. An hour: a budget that opens at all opens within a roll-out, and until then both are paid for."""

    rebalance_at_once_max: int = 20
    """How many members are being replaced at once on advice alone, over all groups: so much advice is about the market
    and not about machines, and moving a whole fleet would be the outage that it warns of. The others are looked at
    again later, the longer it lasts the less often. Set 0 to wait for the notice everywhere."""

    allow_unpriced: bool = False
    """Replace even where no price is to be had, trusting that Spot is cheaper than on-demand."""

    price_max_of_on_demand: float = 1.0
    """A pool that is expected to cost more than this share of the on-demand price is no saving."""

    asked_cooldown_seconds: float = 300.0
    """After a member was replaced because somebody ordered it, its group is left alone for so long: the next order
    waits, and so does what saves money. Five minutes, as Auto Scaling's own default: what the change did shows by then.
    A notice of EC2 waits for nothing."""

    asked_wait_seconds: float = 600.0
    """How long an order may wait (for another swap of its group, for a group that is left alone, for a pool) before it
    fails with the reason."""

    asked_gain_percentage: float = 5.0
    """A Spot member that is said to be too expensive is replaced only by what is expected to cost at least this much
    less: each replacement costs minutes of two instances. Set 0 for anything that costs less."""

    swaps_at_once_max: int = 50
    """How many swaps may be under way at once over all groups; 0 begins none."""

    def __post_init__(self) -> None:
        for each in fields(self):
            value, least = getattr(self, each.name), LEAST.get(each.name, 0)
            if isinstance(value, int | float) and not least <= value < inf:
                raise ConfigError(
                    f"`{each.name}` is {value:g}; give a number from {least} up", setting=f"groups.{each.name}"
                )


def policy_of(group: Group, policy: GroupsPolicy) -> GroupPolicy:
    """What is wanted of this group: the defaults, with its tags on top.

    Raises ConfigError naming the tag, what was read and what would be right.
    """
    wanted = policy.defaults
    if policy.compat_autospotting:
        wanted = _compatible(group.tags, wanted)
    changes: dict[str, object] = {}
    for tag, (field, read) in _READERS.items():
        if tag in group.tags:
            changes[field] = _read(tag, group.tags[tag], read)
    if TAG_BASE in group.tags or TAG_PERCENTAGE in group.tags:
        changes["larger_of_base_and_percentage"] = False
    return _with(wanted, changes)


def _with(wanted: GroupPolicy, changes: Mapping[str, object]) -> GroupPolicy:
    return replace(wanted, **changes)  # type: ignore[arg-type]  # each reader gives what its field takes


def _compatible(tags: Mapping[str, str], wanted: GroupPolicy) -> GroupPolicy:
    changes: dict[str, object] = {}
    for tag, (field, read) in _COMPATIBLE_READERS.items():
        if tag in tags:
            changes[field] = _read(tag, tags[tag], read)
    if COMPAT_BASE in tags or COMPAT_PERCENTAGE in tags:
        changes["larger_of_base_and_percentage"] = True
    return _with(wanted, changes)


def _read(tag: str, text: str, read: Callable[[str], object]) -> object:
    try:
        return read(text.strip())
    except ValueError as error:
        raise ConfigError(f"its tag {tag} says {text!r}, which is not {error}; correct the tag") from None


def _at_least_zero(text: str) -> int:
    if not text.isascii() or not text.isdigit():
        raise ValueError("a whole number of 0 or more")
    return int(text)


def _percentage(text: str) -> int:
    number = text.removesuffix("%").strip()
    if not number.isascii() or not number.isdigit() or int(number) > 100:
        raise ValueError("a whole number from 0 to 100")
    return int(number)


def _rounded_percentage(text: str) -> int:
    try:
        number = float(text)
    except ValueError:
        number = -1.0
    if not 0 <= number <= 100:
        raise ValueError("a number from 0 to 100")
    return round(number)


def _surge(text: str) -> int:
    number = _percentage(text)
    if number == 0:
        raise ValueError("a whole number from 1 to 100")
    return number


def _globs(text: str) -> tuple[str, ...]:
    return tuple(text.replace(",", " ").split())


def _truth(text: str) -> bool:
    if text.lower() not in ("true", "false"):
        raise ValueError("`true` or `false`")
    return text.lower() == "true"


def _word(*, yes: str, no: str) -> Callable[[str], bool]:
    def read(text: str) -> bool:
        if text.lower() not in (yes, no):
            raise ValueError(f"`{yes}` or `{no}`")
        return text.lower() == yes

    return read


_READERS: Mapping[str, tuple[str, Callable[[str], object]]] = {
    TAG_BASE: ("on_demand_base", _at_least_zero),
    TAG_PERCENTAGE: ("on_demand_percentage", _percentage),
    TAG_SURGE: ("surge_percentage", _surge),
    TAG_ALLOWED: ("allowed_types", _globs),
    TAG_DENIED: ("denied_types", _globs),
    TAG_BURSTABLE: ("burstable_for_fixed", _truth),
    TAG_LAUNCH_HOOKS: ("skip_launch_hooks", _word(yes="skip", no="respect")),
    TAG_REBALANCE: ("rebalance", _word(yes="replace", no="off")),
    TAG_ONLY_WHEN_ASKED: ("only_when_asked", _truth),
}

_COMPATIBLE_READERS: Mapping[str, tuple[str, Callable[[str], object]]] = {
    COMPAT_BASE: ("on_demand_base", _at_least_zero),
    COMPAT_PERCENTAGE: ("on_demand_percentage", _rounded_percentage),
    COMPAT_ALLOWED: ("allowed_types", _globs),
    COMPAT_DENIED: ("denied_types", _globs),
}
