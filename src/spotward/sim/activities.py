"""Scaling activities: what a group did, why, and how it ended, in AWS's own sentences.

Each is told twice: by DescribeScalingActivities, and to EventBridge when it ends.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, Literal

from spotward.sim.region import Region, stamp, when

ACTIVITIES_KEPT = 500
"""Activities that a group remembers. AWS keeps six weeks."""

Kind = Literal["launch", "terminate", "attach", "detach", "standby"]

Failure = Literal["Failed", "Cancelled"]
"""How an activity ends that did not end well; one whose lifecycle action was abandoned is cancelled."""

_EVENTS = {
    ("launch", True): ("EC2 Instance Launch Successful", "EC2", "AutoScalingGroup"),
    ("launch", False): ("EC2 Instance Launch Unsuccessful", "EC2", "AutoScalingGroup"),
    ("attach", True): ("EC2 Instance Launch Successful", "EC2", "AutoScalingGroup"),
    ("attach", False): ("EC2 Instance Launch Unsuccessful", "EC2", "AutoScalingGroup"),
    ("terminate", True): ("EC2 Instance Terminate Successful", "AutoScalingGroup", "EC2"),
}
"""(kind, ended well) -> detail-type, origin, destination. Detaching and Standby tell nobody."""


@dataclass(slots=True, kw_only=True, eq=False)
class Activity:
    """One scaling activity."""

    id: str
    number: int
    """The how-many-eth of its group: of two that begin together, the later one has the higher."""
    kind: Kind
    group: str
    group_arn: str
    description: str
    cause: str
    start_time: float
    zone: str
    subnet: str | None
    instance_id: str = ""
    end_time: float | None = None
    status: str = "InProgress"
    status_message: str = ""

    def entry(self) -> dict[str, Any]:
        """As DescribeScalingActivities lists it."""
        entry: dict[str, Any] = {
            "ActivityId": self.id,
            "AutoScalingGroupName": self.group,
            "AutoScalingGroupARN": self.group_arn,
            "Description": self.description,
            "Cause": self.cause,
            "StartTime": when(self.start_time),
            "StatusCode": self.status,
            "Progress": 100 if self.end_time is not None else 50,
            "Details": json.dumps(self.details(), separators=(",", ":")),
        }
        if self.end_time is not None:
            entry["EndTime"] = when(self.end_time)
        if self.status_message:
            entry["StatusMessage"] = self.status_message
        return entry

    def details(self) -> dict[str, str]:
        """Where it happened."""
        subnet = {"Subnet ID": self.subnet} if self.subnet else {}
        return {**subnet, "Availability Zone": self.zone}


def finish(activity: Activity, region: Region, *, problem: str = "", failure: Failure = "Failed") -> None:
    """End it now, well or with a problem, and tell EventBridge."""
    if activity.end_time is not None:
        return
    activity.end_time = region.now
    activity.status = failure if problem else "Successful"
    activity.status_message = problem
    event = _EVENTS.get((activity.kind, not problem))
    if event is not None:
        _emit(activity, region, *event)


def _emit(activity: Activity, region: Region, detail_type: str, origin: str, destination: str) -> None:
    instance = [region.arn("ec2", f"instance/{activity.instance_id}")] if activity.instance_id else []
    region.emit(
        source="aws.autoscaling",
        detail_type=detail_type,
        resources=[activity.group_arn, *instance],
        detail={
            "Description": activity.description,
            "Details": activity.details(),
            "EndTime": stamp(activity.end_time or region.now),
            "RequestId": activity.id,
            "ActivityId": activity.id,
            "Cause": activity.cause,
            "AutoScalingGroupName": activity.group,
            "StartTime": stamp(activity.start_time),
            "EC2InstanceId": activity.instance_id,
            # AWS sends "InProgress" with a success, and "Failed" otherwise.
            "StatusCode": "InProgress" if activity.status == "Successful" else "Failed",
            "StatusMessage": activity.status_message,
            "Origin": origin,
            "Destination": destination,
        },
    )
