"""How a group's desired capacity came about, read from the sentences of its scaling activities.

AWS keeps no record of who set what, but each launch and termination tells why it happened: "At 2026-11-22T14:05:09Z a
user request explicitly set group desired capacity changing the desired capacity from 14 to 16.  At ... an instance was
started in response to a difference between desired and actual capacity". A scheduled action writes "Setting desired
capacity from 14 to 16". (EC2 Auto Scaling user guide, "Verify a scaling activity for an Auto Scaling group".)
"""

import re
from collections.abc import Iterator, Sequence
from math import inf

import structlog

from spotward.aws.asking import ask
from spotward.aws.describe import Described, seconds
from spotward.aws.session import Aws
from spotward.model.cloud import CapacityHistory, DesiredChange, Group, MemberStep
from spotward.model.errors import OutsideError, Transient

ACTIVITIES_MAX = 100
"""The most that one call of DescribeScalingActivities gives, the newest first; older ones are not asked for."""

_SENTENCE = re.compile(r"At (\d{4}-\d\d-\d\dT[\d:.]+Z) (.*?)(?=At \d{4}-\d\d-\d\dT|$)", re.DOTALL)
_CHANGE = re.compile(r"desired capacity from (\d+) to (\d+)")
_BY_REQUEST = re.compile(r"in response to (?:a )?user request")
_INSTANCE_ID = re.compile(r"\bi-[0-9A-Za-z]+")
_JOINING = ("Attaching", "Moving EC2 instance out of Standby")
"""How the description of an activity begins by which the group gets one more; all others that name one take it away."""

log = structlog.get_logger("spotward.aws")


class HistoryReader:
    """Reads the newest scaling activities of groups."""

    def __init__(self, aws: Aws) -> None:
        self._aws = aws

    async def read(self, group: Group) -> CapacityHistory:
        """What its activities tell; nothing where an endpoint has none or refuses to tell. Raises Transient."""
        try:
            return await ask(
                self._aws,
                group.region,
                "autoscaling",
                "describe_scaling_activities",
                history_of,
                AutoScalingGroupName=group.name,
                MaxRecords=ACTIVITIES_MAX,
            )
        except Transient:
            raise
        except OutsideError as error:
            log.warning("scaling activities are not told", group=group.id, reason=str(error))
            return CapacityHistory(since=inf)


def history_of(answer: Described) -> CapacityHistory:
    """The history in one answer. Raises KeyError, TypeError or ValueError for an answer of another shape."""
    activities: Sequence[Described] = answer["Activities"]
    times = [seconds(activity["StartTime"]) or 0.0 for activity in activities]
    told = [change for activity in reversed(activities) for change in _changes(activity)]
    return CapacityHistory(
        since=min(times) if answer.get("NextToken") else (0.0 if times else inf),
        changes=tuple(sorted(dict.fromkeys(told), key=lambda change: change.time)),
        steps=tuple(step for activity, time in zip(activities, times, strict=True) for step in _steps(activity, time)),
    )


def _changes(activity: Described) -> Iterator[DesiredChange]:
    for stated, sentence in _SENTENCE.findall(activity["Cause"]):
        for before, after in _CHANGE.findall(sentence):
            yield DesiredChange(time=seconds(stated) or 0.0, before=int(before), after=int(after))


def _steps(activity: Described, time: float) -> Iterator[MemberStep]:
    """One that failed changed nothing."""
    if activity["StatusCode"] in ("Failed", "Cancelled") or not _BY_REQUEST.search(activity["Cause"]):
        return
    description = activity["Description"]
    for instance_id in _INSTANCE_ID.findall(description):
        yield MemberStep(time=time, instance_id=instance_id, joined=description.startswith(_JOINING))
