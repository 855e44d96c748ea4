"""What target groups and classic load balancers say of their targets.

In a storm hundreds of nodes ask about the same few target groups within a moment. So what is asked within a short time
is asked together: one call tells of all targets of a target group.
"""

import asyncio
from collections.abc import Mapping

from spotward.aws.asking import ask
from spotward.aws.describe import Described
from spotward.aws.session import Aws
from spotward.engine.ports import Clock
from spotward.model.balancers import DRAINING, Place
from spotward.model.errors import OutsideError
from spotward.model.event import Event
from spotward.model.node_action import LookAtTargets
from spotward.model.node_event import TargetsSeen

WINDOW_SECONDS = 0.2
"""Questions about one place that come within this time are one call."""

GONE = frozenset({"TargetGroupNotFound", "LoadBalancerNotFound"})
WORST = ("initial", "healthy", "unhealthy", "unhealthy.draining", DRAINING)
"""A target may have several ports: the one that is furthest from being let go counts."""

LEAVING_WORDS = "deregistration currently in progress"
"""How a classic load balancer says of an instance in service that it is on its way out."""

States = Mapping[str, str]
"""Instance → its state."""


class TargetHands:
    """Answers how far load balancers have let go of an instance."""

    def __init__(self, aws: Aws, clock: Clock) -> None:
        self._aws, self._clock = aws, clock
        self._asked: dict[tuple[str, Place], asyncio.Task[States]] = {}

    async def do(self, question: LookAtTargets, attempt: int) -> Event:
        """How it stands everywhere. Raises OutsideError."""
        found = await asyncio.gather(*(self._together(question.region, place) for place in question.places))
        states = zip(question.places, found, strict=True)
        return TargetsSeen(
            time=self._clock.now(),
            key=question.key,
            attempt=attempt,
            instance_id=question.instance_id,
            states=tuple((place.name, known.get(question.instance_id, "")) for place, known in states),
        )

    async def _together(self, region: str, place: Place) -> States:
        async def look() -> States:
            try:
                await asyncio.sleep(WINDOW_SECONDS)
            finally:
                del self._asked[region, place]  # whoever comes from now on asks anew
            return await self._states(region, place)

        if (region, place) not in self._asked:
            self._asked[region, place] = asyncio.create_task(look())
        return await asyncio.shield(self._asked[region, place])

    async def _states(self, region: str, place: Place) -> States:
        try:
            if place.classic:
                return await ask(
                    self._aws, region, "elb", "describe_instance_health", read_classic, LoadBalancerName=place.name
                )
            return await ask(
                self._aws, region, "elbv2", "describe_target_health", read_targets, TargetGroupArn=place.name
            )
        except OutsideError as error:
            if error.code in GONE:
                return {}
            raise


def read_targets(answer: Described) -> States:
    """Of a target group."""
    found: dict[str, str] = {}
    for each in answer["TargetHealthDescriptions"]:
        target, state = str(each["Target"]["Id"]), str(each["TargetHealth"]["State"])
        found[target] = min(found.get(target, state), state, key=_rank)
    return found


def _rank(state: str) -> int:
    return WORST.index(state) if state in WORST else len(WORST)


def read_classic(answer: Described) -> States:
    """Of a classic load balancer, in the words of target groups."""
    found = {}
    for each in answer["InstanceStates"]:
        leaving = LEAVING_WORDS in str(each.get("Description") or "").lower()
        found[str(each["InstanceId"])] = (
            DRAINING if leaving else "healthy" if each["State"] == "InService" else "unused"
        )
    return found
