"""Instances, found in as few calls as can be, and only by filters.

DescribeInstances refuses a list of ids if one of them is unknown, and an instance that was just launched, or is long
gone, is exactly that. A filter takes 200 values, a page holds a thousand instances: so members of groups are asked for
by their ids or by their groups' names, whichever is fewer calls.
"""

from collections.abc import Iterable, Mapping, Sequence
from math import ceil

from spotward.aws.describe import Described, instance_of, literal
from spotward.aws.session import Aws
from spotward.model.cloud import Group, Instance

INSTANCES_PER_PAGE = 1000
"""The most that DescribeInstances gives at once."""

FILTER_VALUES_MAX = 200
"""A filter of EC2 takes no more values than this."""

PRESENT_STATES = ("pending", "running", "shutting-down", "stopping", "stopped")
"""All but `terminated`, which EC2 keeps showing for an hour."""


class InstanceReader:
    """Finds instances. What is not there is left out."""

    def __init__(self, aws: Aws) -> None:
        """Asks nothing yet."""
        self._aws = aws

    async def by_id(self, region: str, instance_ids: Sequence[str]) -> dict[str, Instance]:
        """Id → instance. Raises OutsideError."""
        return await self.by_values(region, "instance-id", instance_ids)

    async def by_values(self, region: str, name: str, values: Sequence[str]) -> dict[str, Instance]:
        """Id → instance, of those for which a filter has one of the values. Raises OutsideError."""
        found: dict[str, Instance] = {}
        for chunk in chunks(values, FILTER_VALUES_MAX):
            found |= {i.id: i for i in await self._described(region, {name: chunk})}
        return found

    async def members(self, region: str, wanted: Mapping[str, Group]) -> dict[str, Instance]:
        """Id → instance, of the wanted members (id → its group). Raises OutsideError."""
        if not wanted:
            return {}
        sizes = {group.name: len(group.members) for group in wanted.values()}
        by_name = chunks(list(sizes), FILTER_VALUES_MAX)
        calls_by_name = sum(ceil(sum(sizes[name] for name in chunk) / INSTANCES_PER_PAGE) for chunk in by_name)
        if ceil(len(wanted) / FILTER_VALUES_MAX) <= calls_by_name:
            return await self.by_id(region, list(wanted))
        found: dict[str, Instance] = {}
        for chunk in by_name:  # one after the other: a page of a thousand instances is large until it is read
            some = await self._described(
                region, {"tag:aws:autoscaling:groupName": chunk, "instance-state-name": PRESENT_STATES}
            )
            found |= {i.id: i for i in some if i.id in wanted}
        return found

    async def _described(self, region: str, filters: Mapping[str, Sequence[str]]) -> Iterable[Instance]:
        pages = await self._aws.pages(
            region,
            "ec2",
            "describe_instances",
            each=lambda page: _instances(region, page),
            Filters=[
                {"Name": name, "Values": [literal(value) for value in values]} for name, values in filters.items()
            ],
            MaxResults=INSTANCES_PER_PAGE,
        )
        return (instance for page in pages for instance in page)


def chunks(values: Sequence[str], most: int) -> list[Sequence[str]]:
    """The values, so many at a time."""
    return [values[start : start + most] for start in range(0, len(values), most)]


def _instances(region: str, answer: Described) -> list[Instance]:
    return [instance_of(region, each) for reservation in answer["Reservations"] for each in reservation["Instances"]]
