"""What Prometheus is told of groups and of what their members cost: the metrics of the autoscaling exporter.

Names, labels and help texts of the first eleven are those of the exporter whose place it takes, so that alert rules and
dashboards go on working. `aws_instance_stability_score` is not among them: the recommender behind it always said 0, and
nothing here knows better yet. What the old one overlooked is counted: members that wait at a lifecycle hook are pending
or terminating like the others, and those of a warm pool, which are no members, have a metric of their own.
"""

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

from spotward.aws.census import Census, CountedGroup, PricedMember
from spotward.market.saving import cost_score
from spotward.web.exposition import Family

OF_GROUP = ("asg_name", "region")
OF_MEMBER = ("asg_name", "region", "instance_id", "instance_type", "availability_zone")

WARM = "Warmed:"
"""How the state of an instance of a warm pool begins, where one is listed as a member."""

STATES = {
    "Pending": "pending",
    "InService": "inservice",
    "Standby": "standby",
    "EnteringStandby": "standby",
    "Terminating": "terminating",
    "Terminated": "terminating",
}
"""Auto Scaling's state, without what follows a colon (`Pending:Wait`) → what it counts as. Members that are being
detached, or that are in quarantine, are none of these; they are among all members, and told with their state."""


@dataclass(frozen=True, kw_only=True, slots=True)
class GroupFigure:
    """A metric of each group."""

    name: str
    help: str
    figure: Callable[[CountedGroup], float]


@dataclass(frozen=True, kw_only=True, slots=True)
class MemberFigure:
    """A metric of each member of whom it is known."""

    name: str
    help: str
    figure: Callable[[PricedMember], float | None]


def _total(name: str, words: str, figure: Callable[[CountedGroup], float]) -> GroupFigure:
    return GroupFigure(
        name=f"aws_autoscaling_{name}_total",
        help=f"Total number of {words} in the auto scaling group",
        figure=figure,
    )


def _counts_as(what: str) -> Callable[[CountedGroup], float]:
    return lambda group: sum(STATES.get(member.state.partition(":")[0]) == what for member in _members(group))


def _members(group: CountedGroup) -> Iterator[PricedMember]:
    """Those that are members."""
    return (member for member in group.members if not member.state.startswith(WARM))


GROUP_FIGURES = (
    _total("instances", "instances", lambda group: sum(1 for _ in _members(group))),
    _total("pending_instances", "pending instances", _counts_as("pending")),
    _total("inservice_instances", "in service instances", _counts_as("inservice")),
    _total("standby_instances", "standby instances", _counts_as("standby")),
    _total("terminating_instances", "terminating instances", _counts_as("terminating")),
    _total("spot_instances", "spot instances", lambda group: sum(member.spot for member in _members(group))),
    GroupFigure(
        name="aws_autoscaling_warm_pool_instances",
        help="Instances in the warm pool of the auto scaling group, which are no members of it",
        figure=lambda group: max(group.warm, sum(member.state.startswith(WARM) for member in group.members)),
    ),
    GroupFigure(
        name="aws_autoscaling_desired_capacity",
        help="Desired capacity of the auto scaling group",
        figure=lambda group: group.desired,
    ),
    GroupFigure(
        name="aws_autoscaling_min_size",
        help="Least size of the auto scaling group",
        figure=lambda group: group.min_size,
    ),
    GroupFigure(
        name="aws_autoscaling_max_size",
        help="Largest size of the auto scaling group",
        figure=lambda group: group.max_size,
    ),
)

MEMBER_FIGURES = (
    MemberFigure(
        name="aws_instance_spot_bid_price",
        help="Spot bid price used to request the spot instance",
        figure=lambda member: member.bid,
    ),
    MemberFigure(
        name="aws_instance_cost_score",
        help="Current cost score of spot instance reported by the spot recommender",
        figure=lambda member: (
            None
            if member.price is None
            else cost_score(member.price, cheapest=member.cheapest, on_demand=member.on_demand)
        ),
    ),
    MemberFigure(
        name="aws_instance_current_price",
        help="Current price of spot instance reported by the spot recommender.",
        figure=lambda member: member.price,
    ),
    MemberFigure(
        name="aws_instance_on_demand_price",
        help="Current on demand price of spot instance reported by the spot recommender",
        figure=lambda member: member.on_demand,
    ),
    MemberFigure(
        name="aws_instance_optimal_bid_price",
        help="Optimal spot bid price of instance reported by the spot recommender",
        figure=lambda member: member.on_demand if member.spot else None,
    ),
)

STATE_INSTANCES = Family(
    name="aws_autoscaling_lifecycle_state_instances",
    help="Instances of the auto scaling group by lifecycle state, as Auto Scaling says it",
    labels=(*OF_GROUP, "lifecycle_state"),
    samples=(),
)

UNPRICED = Family(
    name="spotward_export_unpriced_instances",
    help="Instances of the groups whose on-demand price is not known",
    labels=("region",),
    samples=(),
)

FAMILIES = (
    *(Family(name=each.name, help=each.help, labels=OF_GROUP, samples=()) for each in GROUP_FIGURES),
    STATE_INSTANCES,
    *(Family(name=each.name, help=each.help, labels=OF_MEMBER, samples=()) for each in MEMBER_FIGURES),
    UNPRICED,
)
"""All of them, without samples."""


def group_families(census: Census) -> Iterator[Family]:
    """What is told of one region."""
    region = census.region
    for total in GROUP_FIGURES:
        samples = tuple(((group.name, region), float(total.figure(group))) for group in census.groups)
        yield Family(name=total.name, help=total.help, labels=OF_GROUP, samples=samples)
    yield replace(STATE_INSTANCES, samples=tuple(_states(census)))
    for priced in MEMBER_FIGURES:
        told = tuple(_each_member(census, priced.figure))
        yield Family(name=priced.name, help=priced.help, labels=OF_MEMBER, samples=told)
    unpriced = sum(member.on_demand is None for group in census.groups for member in _members(group))
    yield replace(UNPRICED, samples=(((region,), float(unpriced)),))


def _states(census: Census) -> Iterator[tuple[tuple[str, ...], float]]:
    for group in census.groups:
        for state, number in sorted(Counter(member.state for member in group.members).items()):
            yield (group.name, census.region, state), float(number)


def _each_member(
    census: Census, figure: Callable[[PricedMember], float | None]
) -> Iterator[tuple[tuple[str, ...], float]]:
    for group in census.groups:
        for member in _members(group):
            if (value := figure(member)) is not None:
                yield (group.name, census.region, member.instance_id, member.instance_type, member.az), value
