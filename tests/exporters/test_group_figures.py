"""What is counted as what, whatever Auto Scaling says; and pages that can be read whatever groups are called."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.openmetrics.parser import text_string_to_metric_families as openmetrics
from prometheus_client.parser import text_string_to_metric_families as text_format

from spotward.aws.census import Census, CountedGroup, PricedMember
from spotward.web.exposition import rendered
from spotward.web.group_exposition import group_families
from tests.exporters.scraping import Figures, figures, labels

STATES = [
    *("Pending", "Pending:Wait", "Pending:Proceed", "Quarantined", "InService", "EnteringStandby", "Standby"),
    *("Terminating", "Terminating:Wait", "Terminating:Proceed", "Terminated", "Detaching", "Detached"),
    *("Warmed:Pending", "Warmed:Pending:Wait", "Warmed:Stopped", "Warmed:Running", "Warmed:Hibernated"),
    "ReplacingRootVolume",
]
"""LifecycleState of the API reference's `Instance`, of which new ones come from time to time."""

KINDS = ("pending", "inservice", "standby", "terminating")


def census(*states: str, name: str = "web", warm: int = 0, **known: float) -> Census:
    members = tuple(
        PricedMember(instance_id=f"i-{n}", instance_type="m5.large", az="us-east-1a", state=state, spot=True, **known)
        for n, state in enumerate(states)
    )
    group = CountedGroup(name=name, min_size=0, max_size=9, desired=2, warm=warm, members=members)
    return Census(region="us-east-1", as_of=0.0, groups=(group,))


def told(of: Census) -> Figures:
    return figures(text_format(rendered(group_families(of))))


def counts(of: Census, *kinds: str) -> list[float]:
    found = told(of)
    each = labels(asg_name=of.groups[0].name, region="us-east-1")
    return [
        found[
            f"aws_autoscaling_{kind}_total" if kind == "instances" else f"aws_autoscaling_{kind}_instances_total", each
        ]
        for kind in kinds
    ]


@pytest.mark.parametrize(
    ("state", "kind"),
    [
        ("Pending", "pending"),
        ("Pending:Wait", "pending"),
        ("Pending:Proceed", "pending"),
        ("InService", "inservice"),
        ("Standby", "standby"),
        ("EnteringStandby", "standby"),
        ("Terminating", "terminating"),
        ("Terminating:Wait", "terminating"),
        ("Terminated", "terminating"),
        ("Quarantined", None),
        ("Detaching", None),
    ],
)
def test_each_state_counts_as_what_it_is(state: str, kind: str | None) -> None:
    assert counts(census(state), "instances", *KINDS) == [1, *(float(each == kind) for each in KINDS)]


@given(st.lists(st.sampled_from(STATES) | st.text(min_size=1, max_size=9), max_size=9))
def test_no_member_counts_twice_and_warm_pools_are_no_members(states: list[str]) -> None:
    total, *kinds = counts(census(*states), "instances", *KINDS)
    assert sum(kinds) <= total == sum(not state.startswith("Warmed:") for state in states)


def test_a_warm_pool_is_told_by_its_own_size_or_by_its_listed_instances() -> None:
    each = labels(asg_name="web", region="us-east-1")
    assert told(census("InService", warm=3))["aws_autoscaling_warm_pool_instances", each] == 3
    assert told(census("InService", "Warmed:Stopped"))["aws_autoscaling_warm_pool_instances", each] == 1


@given(st.text(min_size=1, max_size=30))
def test_whatever_a_group_is_called_both_formats_are_read_back(name: str) -> None:
    of = census("InService", name=name, price=0.03, on_demand=0.1, cheapest=0.02, bid=0.1)
    plain = told(of)
    page = rendered(group_families(of), openmetrics=True)
    assert plain == figures(openmetrics(page))  # type: ignore[no-untyped-call]  # the library says no types here
    assert plain["aws_autoscaling_instances_total", labels(asg_name=name, region="us-east-1")] == 1


def test_what_is_not_known_is_absent_and_not_nothing() -> None:
    found = {name for name, _ in told(census("InService"))}
    assert not [name for name in found if name.startswith("aws_instance_")]
    each = labels(region="us-east-1")
    assert told(census("InService", "Pending"))["spotward_export_unpriced_instances", each] == 2
    assert told(census("InService", on_demand=0.1))["spotward_export_unpriced_instances", each] == 0
