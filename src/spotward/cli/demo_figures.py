"""What the demonstration sees of the cloud, behind its API, and the table that it ends with."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from rich.box import SIMPLE_HEAD
from rich.table import Table

from spotward.emulator import world
from spotward.emulator.site import Site
from spotward.emulator.stage import DEMO_GROUPS, GroupPlan
from spotward.sim.checks import Watch
from spotward.sim.cloud import Cloud

REGION = "us-east-1"
PRODUCT = "Linux/UNIX"


@dataclass(frozen=True, kw_only=True, slots=True)
class Reading:
    """A group at one moment."""

    on_demand: int = 0
    spot: int = 0
    usd_per_hour: float = 0.0

    @property
    def words(self) -> str:
        """`6 + 0`: on demand and Spot."""
        return f"{self.on_demand} + {self.spot}"


@dataclass(kw_only=True)
class Row:
    """What became of one group."""

    before: Reading
    after: Reading = field(default_factory=Reading)
    interrupted: int = 0
    shortfall: dict[str, float] = field(default_factory=dict)
    """Act → instance-seconds below the owner's desired capacity in it."""

    @property
    def shortfall_by_us(self) -> float:
        """While the group had the size that its owner asked for from the start."""
        return self.shortfall.get("moving", 0.0) + self.shortfall.get("interrupted", 0.0)


def outcome_table(rows: Mapping[str, Row]) -> Table:
    """What became of each group. It fits 80 columns."""
    table = Table(
        title="What became of it",
        title_justify="left",
        title_style="bold",
        box=SIMPLE_HEAD,
        show_edge=False,
        pad_edge=False,
    )
    table.add_column("group", no_wrap=True)
    for heading in ("before", "after", "USD/h", "saving", "interruptions", "shortfall"):
        table.add_column(heading, justify="right", no_wrap=True)
    for plan in DEMO_GROUPS:
        table.add_row(*_cells(plan, rows[plan.name]))
    return table


def _cells(plan: GroupPlan, row: Row) -> tuple[str, ...]:
    on_demand = (row.after.on_demand + row.after.spot) * _list_price(plan.instance_type)
    saving = 1 - row.after.usd_per_hour / on_demand if on_demand else 0.0
    return (
        plan.name if plan.opted_in else f"{plan.name} *",
        row.before.words,
        row.after.words,
        f"{on_demand:.3f} → {row.after.usd_per_hour:.3f}" if plan.opted_in else f"{on_demand:.3f}",
        f"{saving:.0%}",
        str(row.interrupted),
        f"{row.shortfall_by_us:.0f}",
    )


# ---- looking at the cloud --------------------------------------------------------------------------------------------


def watched(_cloud: Cloud, *, watch: Watch, plan: GroupPlan) -> None:
    """What opted in must be put back as it was; the rest must not be touched."""
    (watch.put_back if plan.opted_in else watch.leave_alone)(plan.name)


def _members(cloud: Cloud, group: str) -> list[dict[str, str]]:
    """The group's members in service, as EC2 describes them."""
    answer = cloud.call("autoscaling.DescribeAutoScalingGroups", {"AutoScalingGroupNames": [group]}, time=cloud.now)[
        "AutoScalingGroups"
    ][0]
    serving = [m["InstanceId"] for m in answer["Instances"] if m["LifecycleState"] == "InService"]
    described = cloud.call("ec2.DescribeInstances", {"InstanceIds": serving}, time=cloud.now) if serving else {}
    return [
        {
            "id": one["InstanceId"],
            "type": one["InstanceType"],
            "zone": one["Placement"]["AvailabilityZone"],
            "lifecycle": one.get("InstanceLifecycle", "on-demand"),
        }
        for reservation in described.get("Reservations", ())
        for one in reservation["Instances"]
        if one["State"]["Name"] == "running"
    ]


def member_ids(cloud: Cloud, group: str) -> set[str]:
    return {member["id"] for member in _members(cloud, group)}


def spot_pools(cloud: Cloud) -> list[str]:
    """The pool of each Spot member, of all groups."""
    every = (member for plan in DEMO_GROUPS for member in _members(cloud, plan.name))
    return [f"{m['type']}/{m['zone']}" for m in every if m["lifecycle"] == "spot"]


def at_rest(cloud: Cloud, group: str, warned: set[str]) -> bool:
    """Has it as many members as its owner wants, all serving, all Spot, and no note of ours on it?"""
    entry = cloud.call("autoscaling.DescribeAutoScalingGroups", {"AutoScalingGroupNames": [group]}, time=cloud.now)[
        "AutoScalingGroups"
    ][0]
    members = _members(cloud, group)
    noted = any(tag["Key"].startswith("spotward:") and tag["Key"] != "spotward:enabled" for tag in entry["Tags"])
    return (
        len(members) == len(entry["Instances"]) == entry["DesiredCapacity"] == cloud.owners_capacity(group)
        and all(m["lifecycle"] == "spot" for m in members)
        and not noted
        and not warned & {m["id"] for m in members}
    )


def reading(site: Site, group: str) -> Reading:
    members = site.look(lambda cloud: _members(cloud, group))
    spot = [m for m in members if m["lifecycle"] == "spot"]
    now = site.look(lambda cloud: cloud.now)
    prices = [site.pools.prices.at(m["type"], m["zone"], PRODUCT, now) or 0.0 for m in spot]
    listed_prices = [_list_price(m["type"]) for m in members if m["lifecycle"] != "spot"]
    return Reading(on_demand=len(members) - len(spot), spot=len(spot), usd_per_hour=sum(prices) + sum(listed_prices))


def _list_price(instance_type: str) -> float:
    return world.catalogue(REGION).on_demand_usd_per_hour(instance_type, PRODUCT) or 0.0
