"""asg-swap: a member of an Auto Scaling group is replaced by another Spot instance, at a notice, for cost, or by wish.

It decides nothing and touches nothing itself: it reads from the event which instance is meant and why, orders the swap,
and waits. The order is decided under the guards that hold for everything else (opted in, on-demand share, one at a time
in a group, a rest after it), outlives this process, and is joined by whoever asks again. Who asked for less time than
a swap takes is told how far it is, and may ask again with the same key.
"""

import asyncio
import json
import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from spotward.engine.ports import Clock
from spotward.model.cloud import Lifecycle
from spotward.model.errors import OutsideError
from spotward.model.event import Event, InterruptionNoticed
from spotward.model.order import Order, Ordered, SwapReason, SwapWanted
from spotward.model.world import World
from spotward.plugins.sdk.call import Answer, Call, Happening, Status, failed, ignored, refused
from spotward.plugins.sdk.plugin import Plugin

ALERT = "prometheus.server.alert."

RESOLVED = ".resolved"

REASONS: Mapping[str, SwapReason] = {
    f"{ALERT}SpotTerminationNotice": SwapReason.NOTICE,
    f"{ALERT}SpotInstanceTooExpensive": SwapReason.COST,
    "aws.ec2.spot-instance-interruption-warning": SwapReason.NOTICE,
    "aws.ec2.instance-rebalance-recommendation": SwapReason.WISH,
}
"""Types of events that say by themselves why an instance is to be replaced."""

NOTICE_SECONDS = 120.0
"""What EC2 leaves a Spot instance between the notice and its end."""

NOTICE_SECONDS_MIN = 60.0
"""Where an event does not say when the instance is taken, that is worked out from when the event began. An instance
that is still a member after that time shows that it was worked out wrongly: so much time it is then taken to have."""

ANSWER_SECONDS = 1.0
"""So long before its caller stops waiting an answer is given, that the swap goes on."""

AGAIN_SECONDS = 5.0
"""When it is worth asking again how a swap stands that goes on."""

INSTANCE = re.compile(r"i-[0-9a-f]{8,32}")

LABELS = ("instance_id", "InstanceId", "instance")
"""Where an instance's id is looked for, in this order; each must look like one."""


@dataclass(frozen=True, kw_only=True)
class SwapStep:
    """How a step has an instance replaced."""

    action: Literal["swap"] | None = None
    """`swap` replaces the instance of an event of whatever type."""
    reason: Literal["notice", "cost", "wish"] | None = None
    """Why, where the event's type does not say it: EC2 takes it, it costs too much, or somebody wants it. With `action`
    and no reason it is by wish."""
    terminate: bool | None = None
    """Terminate what is replaced, through its group and its hooks. False takes it out of the group and lets it run on.
    Unless given: not at a notice, where EC2 ends it after its two minutes; else yes."""
    label: str | None = None
    """The label that holds the instance's id; the usual ones unless given."""


class Orders(Protocol):
    """Where a swap is ordered."""

    @property
    def world(self) -> World:
        """All that is known."""
        ...

    async def ask(
        self, ordered: Ordered, *, news: Sequence[Event] = (), tell: Callable[[str], Awaitable[None]] | None = None
    ) -> Order:
        """The order, once it is over. Raises OutsideError."""
        ...


class AsgSwap(Plugin):
    """Replaces a member of an Auto Scaling group by another Spot instance."""

    name = "asg-swap"
    version = "1"
    properties = SwapStep
    calls_at_once_max = 1_000
    """It only waits; and where a whole pool is taken, nobody may wait for his turn to be heard."""

    def __init__(self, orders: Orders, clock: Clock, regions: Sequence[str]) -> None:
        """regions: those that are looked after."""
        self._orders, self._clock, self._regions = orders, clock, tuple(regions)

    async def handle(self, call: Call) -> Answer:
        """Order the swap, and wait for what comes of it."""
        wanted = wanted_of(call.event, call.properties, self._regions)
        if isinstance(wanted, Answer):
            return wanted
        if call.dry_run:
            return ignored(f"would {wanted.words}")
        now = self._clock.now()
        key = call.key or f"{call.event.type} {wanted.instance_id} {now:.3f}"
        who = f"a step of {call.flow}" if call.flow else f"a caller of {self.name}"
        ordered = Ordered(time=now, order=f"{self.name} {key}", wanted=wanted, by=who)
        return await self._waited(call, ordered, self._news(call, wanted, now))

    def _news(self, call: Call, wanted: SwapWanted, now: float) -> tuple[Event, ...]:
        """The notice itself: what an alert tells is as good as what EC2 tells us, and every room should know of it."""
        known = self._orders.world.instances.get(wanted.instance_id)
        if wanted.reason is not SwapReason.NOTICE or (known is not None and known.lifecycle is not Lifecycle.SPOT):
            return ()
        region = wanted.regions[0] if known is None else known.region
        deadline = deadline_of(call, now)
        return (InterruptionNoticed(time=now, region=region, instance_id=wanted.instance_id, deadline=deadline),)

    async def _waited(self, call: Call, ordered: Ordered, news: Sequence[Event]) -> Answer:
        said = "it was not taken up yet"

        async def tell(text: str) -> None:
            nonlocal said
            said = text
            await call.progress(text)

        seconds = None if call.seconds_left is None else max(call.seconds_left - ANSWER_SECONDS, call.seconds_left / 2)
        try:
            async with asyncio.timeout(seconds):
                order = await self._orders.ask(ordered, news=news, tell=tell)
        except TimeoutError:
            words = f"not over yet: {said}; it goes on, and whoever asks again with the same key joins it"
            return failed(words, retry_after_seconds=AGAIN_SECONDS)
        except OutsideError as error:
            return failed(str(error))
        return _answer(order, self._clock.now())


def wanted_of(event: Happening, step: SwapStep, regions: Sequence[str]) -> SwapWanted | Answer:
    """The swap that an event asks for; or the answer, where it asks for none."""
    reason = reason_of(event.type, step)
    if reason is None:
        over = event.type.startswith(ALERT) and event.type.endswith(RESOLVED)
        why = "the alert is over" if over else f"an event of type {event.type} does not say that anything be replaced"
        return ignored(f"{why}; give the step the property `action: swap` if it is meant")
    instance_id = instance_of(event, step.label)
    if instance_id is None:
        wanted = step.label or LABELS[0]
        return refused(f"the event names no instance: give it a label {wanted} such as i-0123456789abcdef0")
    region = region_of(event)
    if region is not None and region not in regions:
        return refused(f"{instance_id} is in {region}, which is not looked after; add it to `regions`")
    terminate = reason is not SwapReason.NOTICE if step.terminate is None else step.terminate
    return SwapWanted(
        regions=tuple(regions) if region is None else (region,),
        instance_id=instance_id,
        group=event.labels.get("asg_name") or None,
        reason=reason,
        terminate=terminate,
    )


def reason_of(event_type: str, step: SwapStep) -> SwapReason | None:
    """Why an instance is to be replaced; None where nobody says that one is."""
    if step.reason is not None:
        return SwapReason(step.reason)
    return REASONS.get(event_type) or (SwapReason.WISH if step.action == "swap" else None)


def instance_of(event: Happening, label: str | None) -> str | None:
    """The id of the instance that the event is about."""
    labels = event.labels
    found = [labels.get(name, "") for name in ((label,) if label is not None else LABELS)]
    if label is None:
        detail = _detail(event)
        found += [str(detail.get("instance-id")), str(detail.get("EC2InstanceId")), event.subject or ""]
    return next((each for each in found if INSTANCE.fullmatch(each)), None)


def region_of(event: Happening) -> str | None:
    """The region that the event names, by itself or by a zone; None where it names none."""
    labels = event.labels
    told = labels.get("region") or labels.get("aws_region")
    if told:
        return told
    zone = labels.get("availability_zone") or labels.get("zone") or ""
    if re.fullmatch(r"[a-z]{2}(-[a-z]+)+-\d[a-z]", zone):
        return zone[:-1]
    region = event.data.get("region") if isinstance(event.data, Mapping) else None
    return region if isinstance(region, str) and region else None


def deadline_of(call: Call, now: float) -> float:
    """When EC2 takes the instance, Unix seconds."""
    if call.happens is not None:
        return call.happens
    begun = call.event.time if call.event.time is not None else now
    return max(min(begun, now) + NOTICE_SECONDS, now + NOTICE_SECONDS_MIN)


def _detail(event: Happening) -> Mapping[str, Any]:
    detail = event.data.get("detail") if isinstance(event.data, Mapping) else None
    return detail if isinstance(detail, Mapping) else {}


def _answer(order: Order, now: float) -> Answer:
    later = max(0.0, order.retry_time - now) if order.retry_time is not None else 0.0
    status = Status.FAILED if order.status is None else Status(order.status.value)
    return Answer(
        status=status, text=order.ended or "", output=json.loads(order.output_json), retry_after_seconds=later
    )
