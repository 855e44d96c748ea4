"""Deeds to be done, and hands to do them, for tests."""

import asyncio
from dataclasses import dataclass, field

from spotward.aws.hands import AwsHands
from spotward.aws.session import Aws
from spotward.model.action import (
    Action,
    FindInstance,
    LaunchFleet,
    ObserveGroup,
    ObserveInstances,
    ObserveRegion,
    RecommendPools,
)
from spotward.model.cloud import LaunchSource, Lifecycle, Pool
from spotward.model.event import Event, InstanceFound, InstancesObserved, PoolsRecommended, RegionObserved
from tests.aws.stage import NOW, REGION
from tests.hand_clock import HandClock


def fleet(**changes: object) -> LaunchFleet:
    """Two Spot instances from one of two pools in us-east-1a."""
    plain: dict[str, object] = {
        "region": REGION,
        "group": "web",
        "key": "swap us-east-1/web saving 1 us-east-1a 1",
        "attempt": 1,
        "count": 2,
        "lifecycle": Lifecycle.SPOT,
        "launch": LaunchSource(template_id="lt-0123456789abcdef0", template_version="3"),
        "pools": (
            Pool(instance_type="m5.large", az="us-east-1a"),
            Pool(instance_type="m5a.large", az="us-east-1a"),
        ),
        "subnets": (("us-east-1a", "subnet-a"), ("us-east-1b", "subnet-b")),
        "tags": (("spotward:stands-for", "m5.large"), ("team", "blue")),
        "price_max_usd_per_hour": 0.096,
    }
    return LaunchFleet(**{**plain, **changes})  # type: ignore[arg-type]  # the changes are fields


@dataclass
class Attendant:
    """Answers questions with nothing in it, and notes them."""

    asked: list[Action] = field(default_factory=list)

    async def observe(
        self, question: ObserveRegion | ObserveGroup | ObserveInstances | FindInstance, attempt: int
    ) -> Event:
        self.asked.append(question)
        match question:
            case ObserveInstances():
                return InstancesObserved(
                    time=NOW, key=question.key, attempt=attempt, region=question.region, group_name=question.group
                )
            case FindInstance():
                return InstanceFound(
                    time=NOW,
                    key=question.key,
                    attempt=attempt,
                    region=question.region,
                    instance_id=question.instance_id,
                    instance=None,
                )
            case _:
                return RegionObserved(time=NOW, as_of=NOW, key=question.key, attempt=attempt, region=question.region)

    async def recommend(self, question: RecommendPools) -> PoolsRecommended:
        self.asked.append(question)
        return PoolsRecommended(
            time=NOW,
            key=question.key,
            region=question.region,
            group_name=question.group,
            instance_type=question.instance_type,
            on_demand_usd_per_hour=None,
        )


class Doer:
    """Hands whose deeds are waited for."""

    def __init__(self, aws: Aws) -> None:
        self.aws, self.clock, self.attendant = aws, HandClock(NOW), Attendant()
        self.hands = AwsHands(aws, self.clock, observer=self.attendant, recommender=self.attendant)

    def do(self, action: Action, attempt: int = 1) -> Event:
        """What came of it."""
        return asyncio.run(self.hands.do(action, attempt))

    @property
    def calls(self) -> dict[str, int]:
        """Calls since this was last asked, but for the sweep after a process's first deed in a region."""
        counts = dict(self.aws.counter.counts)
        self.aws.counter.counts.clear()
        counts.pop("ec2.DescribeLaunchTemplates", None)
        return counts
