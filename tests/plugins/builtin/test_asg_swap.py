"""What asg-swap reads from an event, what it orders, and what it answers."""

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from spotward.events.occurred import read_envelope
from spotward.model.cloud import Instance, Lifecycle
from spotward.model.errors import Transient
from spotward.model.event import Event, InterruptionNoticed
from spotward.model.flow_event import Status as Ended
from spotward.model.order import Order, Ordered, SwapReason, SwapWanted
from spotward.model.world import World
from spotward.plugins.builtin.asg_swap import AsgSwap
from spotward.plugins.host.hands import happening
from spotward.plugins.sdk import Answer, Call, Happening, Status
from tests.hand_clock import HandClock

NOW = 1_700_000_000.0
REGIONS = ("eu-west-1", "us-east-1")
ID = "i-0123456789abcdef0"
NOTICE = "prometheus.server.alert.SpotTerminationNotice"
COSTLY = "prometheus.server.alert.SpotInstanceTooExpensive"


def alert(kind: str = NOTICE, time: float | None = NOW, /, **labels: str) -> Happening:
    return Happening(id="e-1", source="prom", type=kind, time=time, data={"labels": {"instance_id": ID, **labels}})


@dataclass
class MadeOrders:
    """Takes orders, and ends each as it is told to."""

    status: Ended = Ended.DONE
    retry_time: float | None = None
    says: Sequence[str] = ()
    fails: Transient | None = None
    endless: bool = False
    world: World = field(default_factory=World)
    heard: list[tuple[Ordered, tuple[Event, ...]]] = field(default_factory=list)

    async def ask(
        self, ordered: Ordered, *, news: Sequence[Event] = (), tell: Callable[[str], Awaitable[None]] | None = None
    ) -> Order:
        self.heard.append((ordered, tuple(news)))
        for text in self.says:
            assert tell is not None
            await tell(text)
        if self.fails is not None:
            raise self.fails
        if self.endless:
            await asyncio.Event().wait()
        output = json.dumps({"by": ["i-2"]})
        return replace(
            ordered.born, status=self.status, ended="so it is", output_json=output, retry_time=self.retry_time
        )

    @property
    def wanted(self) -> SwapWanted:
        """What was ordered last."""
        wanted = self.heard[-1][0].wanted
        assert isinstance(wanted, SwapWanted)
        return wanted


def called(event: Happening, orders: MadeOrders | None = None, **more: Any) -> Answer:
    properties: Mapping[str, object] = more.pop("properties", {})
    call = Call(key="flow-1.swap", event=event, properties=properties, flow="flow-1", step="swap", **more)
    plugin = AsgSwap(orders or MadeOrders(), HandClock(NOW), REGIONS)
    return asyncio.run(asyncio.wait_for(plugin.answer(call), 30))


def test_a_notice_is_told_to_the_engine_and_the_dying_instance_is_left_alive() -> None:
    orders = MadeOrders()
    answer = called(alert(asg_name="web"), orders)
    assert (answer.status, answer.text, answer.output) == (Status.DONE, "so it is", {"by": ["i-2"]})
    assert orders.wanted == SwapWanted(
        regions=REGIONS, instance_id=ID, group="web", reason=SwapReason.NOTICE, terminate=False
    )
    ordered, news = orders.heard[0]
    assert news == (InterruptionNoticed(time=NOW, region="eu-west-1", instance_id=ID, deadline=NOW + 120),)
    assert (ordered.order, ordered.by) == ("asg-swap flow-1.swap", "a step of flow-1")


def test_one_that_is_too_expensive_is_terminated_unless_the_step_wants_it_alive() -> None:
    orders = MadeOrders()
    called(alert(COSTLY), orders)
    assert (orders.wanted.reason, orders.wanted.terminate) == (SwapReason.COST, True)
    assert orders.heard[0][1] == (), "there is no notice"
    called(alert(COSTLY), orders, properties={"terminate": False})
    assert not orders.wanted.terminate
    called(alert(NOTICE), orders, properties={"terminate": True})
    assert orders.wanted.terminate


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("prometheus.server.alert.SpotTerminationNotices", "does not say that anything be replaced"),
        ("prometheus.server.alert.Hot", "an event of type prometheus.server.alert.Hot does not say"),
        (f"{NOTICE}.resolved", "the alert is over"),
        ("upscaling", "an event of type upscaling does not say"),
    ],
)
def test_an_event_of_another_type_is_ignored_in_words_and_never_silently(kind: str, words: str) -> None:
    orders = MadeOrders()
    answer = called(alert(kind), orders)
    assert answer.status is Status.IGNORED
    assert words in answer.text
    assert "`action: swap`" in answer.text
    assert orders.heard == []


@pytest.mark.parametrize(
    ("properties", "reason"),
    [
        ({"action": "swap"}, SwapReason.WISH),
        ({"action": "swap", "reason": "notice"}, SwapReason.NOTICE),
        ({"reason": "cost"}, SwapReason.COST),
    ],
)
def test_any_event_may_mean_a_swap_where_the_step_says_so(properties: dict[str, str], reason: SwapReason) -> None:
    orders = MadeOrders()
    assert called(alert("prometheus.server.alert.Hot"), orders, properties=properties).status is Status.DONE
    assert orders.wanted.reason is reason


@pytest.mark.parametrize(
    ("detail_type", "reason"),
    [
        ("EC2 Spot Instance Interruption Warning", SwapReason.NOTICE),
        ("EC2 Instance Rebalance Recommendation", SwapReason.WISH),
    ],
)
def test_eventbridges_own_events_are_understood(detail_type: str, reason: SwapReason) -> None:
    envelope = {
        "id": "e-1",
        "source": "aws.ec2",
        "detail-type": detail_type,
        "account": "123456789012",
        "region": "us-east-1",
        "time": "2023-11-14T22:13:20Z",
        "resources": [],
        "detail": {"instance-id": ID, "instance-action": "terminate"},
    }
    orders = MadeOrders()
    called(happening(read_envelope(json.dumps(envelope))), orders)
    assert (orders.wanted.regions, orders.wanted.reason) == (("us-east-1",), reason)


@pytest.mark.parametrize(
    ("labels", "regions"),
    [
        ({"region": "us-east-1"}, ("us-east-1",)),
        ({"aws_region": "us-east-1"}, ("us-east-1",)),
        ({"availability_zone": "eu-west-1b"}, ("eu-west-1",)),
        ({"availability_zone": "use1-az1"}, REGIONS),
        ({}, REGIONS),
    ],
)
def test_the_region_is_found_from_the_labels_else_it_is_looked_for(
    labels: dict[str, str], regions: tuple[str, ...]
) -> None:
    orders = MadeOrders()
    called(alert(**labels), orders)
    assert orders.wanted.regions == regions


def test_a_region_that_is_not_looked_after_is_refused_with_the_next_step() -> None:
    answer = called(alert(region="ap-south-1"))
    assert answer.status is Status.REFUSED
    assert "add it to `regions`" in answer.text


def test_the_instance_is_found_in_the_usual_labels_or_where_the_step_says() -> None:
    orders = MadeOrders()
    other = "i-00000000aaaaaaaaa"
    called(alert(victim=other), orders, properties={"label": "victim"})
    assert orders.wanted.instance_id == other
    called(Happening(id="e", source="s", type=NOTICE, data={"labels": {"instance": other}}), orders)
    assert orders.wanted.instance_id == other
    answer = called(Happening(id="e", source="s", type=NOTICE, data={"labels": {"instance": "n-1:9100"}}), orders)
    assert answer.status is Status.REFUSED
    assert "give it a label instance_id" in answer.text


@pytest.mark.parametrize(
    ("begun", "happens", "deadline"),
    [
        (NOW - 30.0, None, NOW + 90.0),
        (NOW - 300.0, None, NOW + 60.0),
        (NOW + 300.0, None, NOW + 120.0),
        (None, None, NOW + 120.0),
        (NOW - 30.0, NOW + 75.0, NOW + 75.0),
    ],
)
def test_when_ec2_takes_it_is_what_the_event_says_else_two_minutes_from_its_beginning(
    begun: float | None, happens: float | None, deadline: float
) -> None:
    orders = MadeOrders()
    called(alert(NOTICE, begun), orders, happens=happens)
    (notice,) = orders.heard[0][1]
    assert isinstance(notice, InterruptionNoticed)
    assert notice.deadline == deadline


def test_a_notice_of_what_is_known_to_be_on_demand_is_not_told_to_the_engine() -> None:
    known = Instance(
        id=ID,
        region="us-east-1",
        az="us-east-1a",
        instance_type="m5.large",
        lifecycle=Lifecycle.ON_DEMAND,
        state="running",
    )
    orders = MadeOrders(world=replace(World(), instances=World().instances.insert(ID, known)))
    called(alert(), orders)
    assert orders.heard[0][1] == ()


@pytest.mark.parametrize("status", list(Ended))
def test_the_answer_is_how_the_order_ended(status: Ended) -> None:
    answer = called(alert(), MadeOrders(status=status, retry_time=NOW + 40.0))
    assert answer.status == Status(status.value)
    assert answer.retry_after_seconds == 40.0


def test_whoever_waits_for_too_short_a_time_is_told_how_far_it_is_and_may_ask_again() -> None:
    told = list[str]()

    async def tell(text: str, _fraction: float) -> None:
        told.append(text)

    orders = MadeOrders(endless=True, says=["what takes its place runs"])
    answer = called(alert(), orders, seconds_left=0.2, tell=tell)
    assert answer.status is Status.FAILED
    assert "not over yet: what takes its place runs; it goes on" in answer.text
    assert answer.retry_after_seconds > 0
    assert told == ["what takes its place runs"]


def test_a_journal_that_cannot_be_read_is_a_failure_that_may_pass() -> None:
    answer = called(alert(), MadeOrders(fails=Transient("the disk is away", code="StoreUnavailable")))
    assert (answer.status, answer.text) == (Status.FAILED, "the disk is away")


def test_a_dry_run_orders_nothing() -> None:
    orders = MadeOrders()
    assert called(alert(), orders, dry_run=True).text == f"would replace {ID}, which EC2 takes"
    assert orders.heard == []


def test_a_step_with_a_wrong_property_is_refused() -> None:
    answer = called(alert(), properties={"action": "swop"})
    assert answer.status is Status.REFUSED
    assert "action" in answer.text


def test_two_calls_without_a_key_are_two_orders() -> None:
    orders = MadeOrders()
    plugin = AsgSwap(orders, HandClock(NOW), REGIONS)
    asyncio.run(plugin.answer(Call(key="", event=alert())))
    assert orders.heard[0][0].order == f"asg-swap {NOTICE} {ID} {NOW:.3f}"
    assert orders.heard[0][0].by == "a caller of asg-swap"
