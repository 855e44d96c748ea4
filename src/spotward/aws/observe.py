"""How AWS is looked at, in as few calls as can be.

A region costs one call per hundred groups and, while nothing changes, nothing else: instances are asked for only when a
group in scope has members that the World does not know, and all of them again every `refresh_seconds`, because tags may
change. What is answered is the news alone, taken against the World as it is when the answer is ready.
"""

import asyncio
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from math import inf

from spotward.aws.asking import ask
from spotward.aws.describe import Described, group_of
from spotward.aws.details import DetailReader
from spotward.aws.history import HistoryReader
from spotward.aws.instances import InstanceReader, chunks
from spotward.aws.session import Aws
from spotward.engine.ports import Clock
from spotward.groups.policy import TAG_LAUNCH
from spotward.model.action import FindInstance, ObserveGroup, ObserveInstances, ObserveRegion
from spotward.model.cloud import CapacityHistory, Group, GroupDetails, Instance, group_id
from spotward.model.event import GroupObserved, InstanceFound, InstancesObserved, RegionObserved
from spotward.model.world import World

GROUPS_PER_PAGE = 100
"""The most that DescribeAutoScalingGroups gives at once."""

REFRESH_SECONDS = 600.0
"""How often all instances of a region are described again, for tags that an owner changed."""

JUST_SEEN_SECONDS = 15.0
"""When the whole region was seen no longer ago, a group whose details are asked for is not described once more: news of
a group that has something to do comes with the region, and its details are asked for at once.
"""

FIND_WINDOW_SECONDS = 0.05
"""Single instances that are looked for within this time are looked for in one call: news comes ten at a time."""

SETTLED = "running"
"""An instance in another state is asked for again at the next look."""

Observation = RegionObserved | GroupObserved | InstancesObserved | InstanceFound
LookingQuestion = ObserveRegion | ObserveGroup | ObserveInstances | FindInstance


class Observer:
    """Answers the questions that looking can answer."""

    def __init__(
        self,
        aws: Aws,
        clock: Clock,
        *,
        world: Callable[[], World],
        in_scope: Callable[[Group], bool],
        refresh_seconds: float = REFRESH_SECONDS,
    ) -> None:
        """world: the World as it is at that moment. in_scope: the instances of other groups are never looked at."""
        self._aws, self._clock = aws, clock
        self._world, self._in_scope = world, in_scope
        self._refresh_seconds = refresh_seconds
        self._refreshed: dict[str, float] = {}
        self._seen: dict[str, tuple[float, float]] = {}
        """Region → when it was last asked for as a whole, and when that was answered."""
        self._finding = InstanceReader(aws)
        self._details = DetailReader(aws, clock)
        self._histories = HistoryReader(aws)
        self._searches: dict[str, tuple[list[str], asyncio.Task[dict[str, Instance]]]] = {}

    async def observe(self, question: LookingQuestion, attempt: int) -> Observation:
        """The answer to a question. Raises OutsideError."""
        match question:
            case ObserveRegion():
                return await self._region(question, attempt)
            case ObserveGroup():
                return await self._group(question, attempt)
            case ObserveInstances():
                return await self._instances(question, attempt)
            case FindInstance():
                return await self._found(question, attempt)

    # ---- a region ----------------------------------------------------------------------------------------------------

    async def _region(self, question: ObserveRegion, attempt: int) -> RegionObserved:
        as_of, region = self._clock.now(), question.region
        pages = await self._aws.pages(
            region,
            "autoscaling",
            "describe_auto_scaling_groups",
            each=lambda page: _groups(region, page),
            MaxRecords=GROUPS_PER_PAGE,
        )
        groups = [group for page in pages for group in page]
        groups += await self._overlooked(region, {group.name for group in groups})
        due = as_of - self._refreshed.get(region, -inf) >= self._refresh_seconds
        instances = await self._members(region, [g for g in groups if self._in_scope(g)], everything=due)
        if due:
            self._refreshed[region] = as_of
        time = self._clock.now()
        self._seen[region] = (as_of, time)
        return news(
            self._world(),
            region,
            groups,
            instances.values(),
            time=time,
            as_of=as_of,
            key=question.key,
            attempt=attempt,
        )

    async def _overlooked(self, region: str, listed: set[str]) -> list[Group]:
        """Groups in scope that the list does not have, and that are there all the same when asked for by name.

        What is gone has its new instances terminated. A list that is put together from pages while groups come and go
        is not enough to say so.
        """
        known = self._world().groups.values()
        missing = sorted(g.name for g in known if g.region == region and g.name not in listed and self._in_scope(g))
        found: list[Group] = []
        for chunk in chunks(missing, GROUPS_PER_PAGE):
            found += await ask(
                self._aws,
                region,
                "autoscaling",
                "describe_auto_scaling_groups",
                lambda a: _groups(region, a),
                AutoScalingGroupNames=chunk,
            )
        return found

    async def _members(self, region: str, groups: Sequence[Group], *, everything: bool) -> dict[str, Instance]:
        """The groups' members, all or those that are not known well enough, by whichever way needs fewer calls."""
        known = {} if everything else self._world().instances
        wanted = {m.instance_id: g for g in groups for m in g.members if not _is_settled(known.get(m.instance_id))}
        return await self._finding.members(region, wanted)

    # ---- one group ---------------------------------------------------------------------------------------------------

    async def _group(self, question: ObserveGroup, attempt: int) -> GroupObserved:
        region = question.region
        as_of, group = self._just_seen(question) or await self._seen_now(question)
        unknown: list[str] = []
        instances: dict[str, Instance] = {}
        details: GroupDetails | None = None
        unhealthy: tuple[str, ...] | None = None
        history: CapacityHistory | None = None
        if group is not None and self._in_scope(group):
            known = self._world().instances
            unknown = [m.instance_id for m in group.members if not _is_settled(known.get(m.instance_id))]
            instances, details, unhealthy, history = await asyncio.gather(
                self._finding.by_id(region, unknown),
                self._details_if(group, wanted=question.details),
                self._unhealthy_if(group, wanted=question.health),
                self._history_if(group, wanted=question.history),
            )
        return GroupObserved(
            time=self._clock.now(),
            key=question.key,
            attempt=attempt,
            as_of=as_of,
            region=region,
            group_name=question.group,
            group=group,
            instances=tuple(instances.values()),
            missing_instances=tuple(i for i in unknown if i not in instances),
            details=details,
            unhealthy=unhealthy,
            history=history,
        )

    def _just_seen(self, question: ObserveGroup) -> tuple[float, Group] | None:
        """When the group was seen with its region, and as what; None where it must be looked at."""
        world, (as_of, answered) = self._world(), self._seen.get(question.region, (-inf, -inf))
        group = world.groups.get(group_id(question.region, question.group))
        if group is None or not question.details or question.health or world.observed.get(question.region) != answered:
            return None
        return (as_of, group) if self._clock.now() - as_of <= JUST_SEEN_SECONDS else None

    async def _seen_now(self, question: ObserveGroup) -> tuple[float, Group | None]:
        as_of, region = self._clock.now(), question.region
        found = await ask(
            self._aws,
            region,
            "autoscaling",
            "describe_auto_scaling_groups",
            lambda a: _groups(region, a),
            AutoScalingGroupNames=[question.group],
        )
        return as_of, found[0] if found else None

    async def _details_if(self, group: Group, *, wanted: bool) -> GroupDetails | None:
        return await self._details.details(group) if wanted else None

    async def _unhealthy_if(self, group: Group, *, wanted: bool) -> tuple[str, ...] | None:
        return await self._details.unhealthy(group) if wanted else None

    async def _history_if(self, group: Group, *, wanted: bool) -> CapacityHistory | None:
        return await self._histories.read(group) if wanted else None

    # ---- instances ---------------------------------------------------------------------------------------------------

    async def _instances(self, question: ObserveInstances, attempt: int) -> InstancesObserved:
        by_id, by_launch = await asyncio.gather(
            self._finding.by_id(question.region, question.instance_ids),
            self._finding.by_values(question.region, f"tag:{TAG_LAUNCH}", question.launches),
        )
        return InstancesObserved(
            time=self._clock.now(),
            key=question.key,
            attempt=attempt,
            region=question.region,
            group_name=question.group,
            instances=tuple((by_id | by_launch).values()),
            missing=tuple(i for i in question.instance_ids if i not in by_id and i not in by_launch),
        )

    async def _found(self, question: FindInstance, attempt: int) -> InstanceFound:
        found = await self._search_together(question.region, question.instance_id)
        return InstanceFound(
            time=self._clock.now(),
            key=question.key,
            attempt=attempt,
            region=question.region,
            instance_id=question.instance_id,
            instance=found.get(question.instance_id),
        )

    async def _search_together(self, region: str, instance_id: str) -> Mapping[str, Instance]:
        """What is found when this id is looked for with all others that come within the window."""

        async def search(ids: list[str]) -> dict[str, Instance]:
            try:
                await asyncio.sleep(FIND_WINDOW_SECONDS)
            finally:
                del self._searches[region]  # whoever comes from now on begins another
            return await self._finding.by_id(region, ids)

        if region not in self._searches:
            ids: list[str] = []
            self._searches[region] = (ids, asyncio.create_task(search(ids)))
        waiting, task = self._searches[region]
        waiting.append(instance_id)
        return await asyncio.shield(task)


def news(
    world: World,
    region: str,
    groups: Collection[Group],
    instances: Iterable[Instance],
    *,
    time: float,
    as_of: float,
    key: str,
    attempt: int,
) -> RegionObserved:
    """What the World does not know yet of a region of which `groups` are all there are."""
    here = {group.name for group in groups}
    gone = (g.name for g in world.groups.values() if g.region == region and g.name not in here)
    return RegionObserved(
        time=time,
        key=key,
        attempt=attempt,
        as_of=as_of,
        region=region,
        groups=tuple(g for g in groups if world.groups.get(group_id(region, g.name)) != g),
        gone_groups=tuple(sorted(gone)),
        instances=tuple(i for i in instances if world.instances.get(i.id) != i),
    )


def _groups(region: str, answer: Described) -> list[Group]:
    return [group_of(region, each) for each in answer["AutoScalingGroups"]]


def _is_settled(known: Instance | None) -> bool:
    return known is not None and known.state == SETTLED
