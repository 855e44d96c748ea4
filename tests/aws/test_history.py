"""How a desired capacity came about, read from scaling activities."""

import asyncio
from math import inf

import pytest

from spotward.aws.history import HistoryReader, history_of
from spotward.aws.session import Aws
from spotward.model.cloud import CapacityHistory, DesiredChange, Group, MemberStep
from spotward.model.errors import Transient
from tests.aws.conftest import REGION, Moto
from tests.aws.oracle import Oracle, error
from tests.aws.stage import group

NOON = 1_795_521_600.0
"""2026-11-24T12:00:00Z"""

WEB = Group(region=REGION, name="web", min_size=0, max_size=9, desired=3, azs=())


def activity(cause: str, description: str, *, second: int, status: str = "Successful") -> dict[str, str]:
    return {
        "Cause": cause,
        "Description": description,
        "StartTime": f"2026-11-24T12:00:{second:02d}.250000+00:00",
        "StatusCode": status,
    }


ASKED = "At 2026-11-24T12:00:05Z a user request explicitly set group desired capacity changing the desired capacity "
UPDATED = "At 2026-11-24T12:00:07Z a user request update of AutoScalingGroup constraints to min: 0, max: 9, desired: 3 "
SCHEDULED = "At 2026-11-24T12:00:08Z the scheduled action night executed. Setting desired capacity from 3 to 2.  "
DIFFERENCE = "an instance was started in response to a difference between desired and actual capacity, increasing the "


def test_who_set_it_is_told_once_and_in_order_however_many_launches_came_of_it() -> None:
    both = f"{ASKED}from 2 to 4.  {UPDATED}changing the desired capacity from 4 to 3.  {SCHEDULED}"
    launched = [
        activity(
            f"{both}At 2026-11-24T12:00:1{n}Z {DIFFERENCE}capacity from {n} to {n + 1}.", "Launching: i-9", second=n
        )
        for n in (3, 2)
    ]
    assert history_of({"Activities": launched}) == CapacityHistory(
        since=0.0,
        changes=(
            DesiredChange(time=NOON + 5, before=2, after=4),
            DesiredChange(time=NOON + 7, before=4, after=3),
            DesiredChange(time=NOON + 8, before=3, after=2),
        ),
    )


@pytest.mark.parametrize(
    ("cause", "description", "joined"),
    [
        ("an instance was added in response to user request. Keeping the capacity at the new 5.", "Attaching an", True),
        ("instance i-1 was taken out of service in response to a user request, shrinking", "Terminating EC2", False),
        ("instance i-1 was detached in response to a user request", "Detaching EC2", False),
        ("instance i-1 was moved out of standby in response to a user", "Moving EC2 instance out of Standby", True),
    ],
)
def test_who_joined_and_left_by_request_is_told(cause: str, description: str, joined: bool) -> None:
    cause = f"At 2026-11-24T12:00:03Z {cause} request.".replace("request. request", "request")
    told = history_of({"Activities": [activity(cause, f"{description} instance: i-1", second=3)]})
    assert told.steps == (MemberStep(time=NOON + 3.25, instance_id="i-1", joined=joined),)
    assert told.changes == ()


def test_what_the_group_does_by_itself_and_what_failed_is_no_step() -> None:
    own = "At 2026-11-24T12:00:03Z an instance was taken out of service in response to a difference between desired"
    asked = "At 2026-11-24T12:00:03Z an instance was added in response to user request."
    told = history_of(
        {
            "Activities": [
                activity(f"{ASKED}from 4 to 3.  {own}", "Terminating EC2 instance: i-1", second=9),
                activity(asked, "Attaching an existing EC2 instance: i-2", second=8, status="Failed"),
            ]
        }
    )
    assert told.steps == ()


def test_before_the_oldest_activity_of_a_page_that_is_not_the_last_nothing_is_known() -> None:
    one = activity(f"{ASKED}from 4 to 3.", "Terminating EC2 instance: i-1", second=9)
    assert history_of({"Activities": [one], "NextToken": "more"}).since == NOON + 9.25
    assert history_of({"Activities": [one]}).since == 0.0


def read(aws: Aws) -> CapacityHistory:
    return asyncio.run(HistoryReader(aws).read(WEB))


def test_an_endpoint_that_has_no_activities_tells_nothing(moto: Moto, aws: Aws) -> None:
    group(moto, "web", size=1)
    assert read(aws) == CapacityHistory(since=inf)
    assert aws.counter.counts == {"autoscaling.DescribeScalingActivities": 1}


@pytest.mark.parametrize("code", ["AccessDenied", "InvalidAction"])
def test_where_it_may_not_be_asked_the_look_goes_on_without(oracle: Oracle, oracle_aws: Aws, code: str) -> None:
    oracle.replies["DescribeScalingActivities"] = (403, error(code, "you may not"))
    assert read(oracle_aws) == CapacityHistory(since=inf)


def test_what_passes_is_tried_again_by_whoever_asked(oracle: Oracle, oracle_aws: Aws) -> None:
    oracle.replies["DescribeScalingActivities"] = (400, error("Throttling", "Rate exceeded"))
    with pytest.raises(Transient):
        read(oracle_aws)
