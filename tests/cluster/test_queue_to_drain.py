"""From the queue to the last pod: EC2's own notice, a real queue, the daemon as a process, a real API server.

Nothing in between is made up: the embedded cloud warns of an instance, EventBridge puts it into SQS, `spotward run`
hears of it, and the pods of its node go by the eviction API. The cloud's clock runs with the API server's.
"""

import asyncio
import json
import secrets
import sys
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from spotward.emulator.server import Emulator
from spotward.emulator.settings import EmulatorSettings
from spotward.emulator.stage import GroupPlan
from spotward.engine.clock import SystemClock
from spotward.model.cluster import Node, Pod
from tests.cli.program import Program, Running
from tests.cli.scenery import CALM, Scenery
from tests.cluster.control_plane import SPOTWARD, ControlPlane
from tests.cluster.stage import Stage
from tests.emulator.clients import eventually
from tests.plugins.receiver import Receiver, receiving

SETTINGS = """
kubernetes: {enabled: true}
observe_seconds: 3600
nodes:
  watch_seconds: 1
"""

EMPTY_SECONDS_MAX = 90.0

SPOTS = 8
"""So many instances are launched at the start, because each takes its time to boot, and all of them together no more.
"""

HELD = GroupPlan(name="held", size=2, opted_in=False)

pytestmark = [pytest.mark.timeout(300)]


@pytest.fixture(scope="module")
def region() -> Iterator[Scenery]:
    with Emulator(EmulatorSettings(seed=5, speed=1.0, start_time=SystemClock().now())) as emulator:
        emulator.sites.shock(CALM)
        scenery = Scenery(emulator, queue=False, bystander=False)
        scenery.hand.build_group(scenery.network, HELD)
        yield scenery


@pytest.fixture(scope="module")
def spots(region: Scenery) -> list[str]:
    """Spot instances that run soon, in no group; a test takes one away."""
    made = region.hand.ec2.run_instances(
        ImageId=region.network.image_id,
        InstanceType="m5.large",
        SubnetId=region.network.subnet_ids[0],
        MinCount=SPOTS,
        MaxCount=SPOTS,
        InstanceMarketOptions={"MarketType": "spot"},
    )
    return [str(each["InstanceId"]) for each in made["Instances"]]


@pytest.fixture
def spot(region: Scenery, spots: list[str]) -> str:
    """A Spot instance that runs, in no group."""
    instance = spots.pop()
    eventually(lambda: region.state(instance) == "running", seconds_max=90)
    return instance


@pytest.fixture
def program(control_plane: ControlPlane, region: Scenery, tmp_path: Path) -> Program:
    """A daemon to come, with a queue of its own: what another had in hand when it was killed is not told to it."""
    region.queue_url = region.hand.build_queue(f"spotward-{secrets.token_hex(4)}")
    environment = region.cloud.environment(region=region.region)
    environment |= {"KUBECONFIG": str(control_plane.kubeconfig(SPOTWARD))}
    return Program(environment=environment, state=tmp_path / "state", cloud=region.cloud)


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as server:
        yield server


@contextmanager
def daemon(program: Program, region: Scenery, settings: str = SETTINGS) -> Iterator[Running]:
    """The daemon, at work."""
    file = program.state.parent / "spotward.yaml"
    file.write_text(settings)
    queue = str(region.queue_url)
    with program.running("run", "--config", file, "--queue", queue, "--port", "0", "--log", "json") as running:
        eventually(lambda: running.says('"started"') and running.pages, seconds_max=150)
        try:
            yield running
        finally:
            sys.stdout.write(running.said)  # shown when the test fails
        assert "Traceback" not in running.said, running.said


def played(control_plane: ControlPlane, play: Callable[[Stage], Awaitable[None]]) -> None:
    async def whole() -> None:
        async with Stage(control_plane).set() as stage:
            await play(stage)

    asyncio.run(whole())


async def machine(stage: Stage, instance: str) -> Node:
    """The node of an instance."""
    return await stage.node(providerID=f"aws:///us-east-1a/{instance}")


async def moved(stage: Stage, app: str, away_from: Node, count: int) -> list[Pod]:
    """The pods of a deployment, once all are ready and none is on that node."""
    return await stage.until(
        lambda: stage.pods(app=app),
        lambda pods: len(pods) == count and all(p.ready and p.node != away_from.name for p in pods),
    )


def notice(region: Scenery, instance: str) -> None:
    region.site.interrupt([instance])


def moment() -> datetime:
    """Now."""
    return datetime.fromtimestamp(SystemClock().now(), UTC)


def put(region: Scenery, detail_type: str, source: str, detail: dict[str, Any]) -> None:
    """An event as EventBridge puts it into the queue."""
    event = {
        "version": "0",
        "id": secrets.token_hex(16),
        "detail-type": detail_type,
        "source": source,
        "account": "123456789012",
        "time": moment().strftime("%Y-%m-%dT%H:%M:%SZ"),
        "region": region.region,
        "resources": [],
        "detail": detail,
    }
    region.hand.sqs.send_message(QueueUrl=str(region.queue_url), MessageBody=json.dumps(event))


def is_empty(region: Scenery) -> bool:
    """Is nothing left in the queue, visible or in flight?"""
    asked: Any = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
    said = region.hand.sqs.get_queue_attributes(QueueUrl=str(region.queue_url), AttributeNames=asked)["Attributes"]
    return not any(int(value) for value in said.values())


@dataclass(frozen=True, kw_only=True)
class Seen:
    """What became of the node and of its pods."""

    node: Node
    taint: str
    """Value of our taint on it; empty without one."""
    said: str
    """All that the daemon printed."""


def emptied(
    control_plane: ControlPlane,
    region: Scenery,
    program: Program,
    instance: str,
    happens: Callable[[], None],
    *,
    settings: str = SETTINGS,
    after: Callable[[], object] = lambda: True,
) -> Seen:
    """A node with three pods of a deployment, the daemon, and what happens: until the pods run elsewhere, the queue is
    empty and `after` holds.
    """
    seen: list[Seen] = []

    async def play(stage: Stage) -> None:
        doomed = await machine(stage, instance)
        await stage.deployment("web", 3)
        await stage.node()
        with daemon(program, region, settings) as running:
            await asyncio.to_thread(happens)
            await moved(stage, "web", doomed, 3)
            await asyncio.to_thread(eventually, lambda: is_empty(region), seconds_max=EMPTY_SECONDS_MAX)
            await asyncio.to_thread(eventually, after, seconds_max=120)
            node = await stage.node_now(doomed.name)
            taint = next((t.value for t in node.taints if t.key == "spotward.io/leaving"), "")
            seen.append(Seen(node=node, taint=taint or "", said=running.said))

    played(control_plane, play)
    assert seen[0].node.unschedulable
    return seen[0]


# ---- the suite of the widely used handler, by its names ------------------------------------------------------------


def test_spot_interruption_sqs_test(control_plane: ControlPlane, region: Scenery, spot: str, program: Program) -> None:
    seen = emptied(control_plane, region, program, spot, lambda: notice(region, spot))
    assert seen.taint == "interruption"
    assert "node.kubernetes.io/exclude-from-external-load-balancers" in seen.node.labels
    explained = program("explain", spot).out
    assert "EC2 takes the Spot instance" in explained
    assert "cordon" in explained
    assert "evict" in explained


def test_ec2_state_change_sqs_test(control_plane: ControlPlane, region: Scenery, spot: str, program: Program) -> None:
    detail = {"instance-id": spot, "state": "stopping"}
    happens = partial(put, region, "EC2 Instance State-change Notification", "aws.ec2", detail)
    assert emptied(control_plane, region, program, spot, happens).taint == "shutdown"


def test_rebalance_recommendation_sqs_test(
    control_plane: ControlPlane, region: Scenery, spot: str, program: Program
) -> None:
    happens = partial(put, region, "EC2 Instance Rebalance Recommendation", "aws.ec2", {"instance-id": spot})
    settings = SETTINGS + "  rebalance: drain\n"
    assert emptied(control_plane, region, program, spot, happens, settings=settings).taint == "rebalance"


def test_scheduled_change_event_sqs_test(
    control_plane: ControlPlane, region: Scenery, spot: str, program: Program
) -> None:
    soon = moment() + timedelta(minutes=10)
    detail = {
        "eventArn": "arn:aws:health:us-east-1::event/EC2/AWS_EC2_INSTANCE_RETIREMENT_SCHEDULED/1",
        "service": "EC2",
        "eventTypeCode": "AWS_EC2_INSTANCE_RETIREMENT_SCHEDULED",
        "eventTypeCategory": "scheduledChange",
        "eventRegion": region.region,
        "communicationId": "1",
        "startTime": soon.strftime("%a, %d %b %Y %H:%M:%S GMT"),
        "eventDescription": [{"language": "en_US", "latestDescription": "It will be retired."}],
        "affectedEntities": [{"entityValue": "i-0another"}, {"entityValue": spot}],
    }
    happens = partial(put, region, "AWS Health Event", "aws.health", detail)
    assert emptied(control_plane, region, program, spot, happens).taint == "maintenance"


def test_rebalance_recommendation_sqs_node_not_found_test(
    control_plane: ControlPlane, region: Scenery, program: Program
) -> None:
    async def play(stage: Stage) -> None:
        node = await machine(stage, "i-0here")
        with daemon(program, region):
            put(region, "EC2 Instance Rebalance Recommendation", "aws.ec2", {"instance-id": "i-0nowhere"})
            await asyncio.to_thread(eventually, lambda: is_empty(region), seconds_max=EMPTY_SECONDS_MAX)
            assert not (await stage.node_now(node.name)).unschedulable

    played(control_plane, play)


# ---- hooks ---------------------------------------------------------------------------------------------------------


def held_group(region: Scenery, *, heartbeat_seconds: int) -> tuple[str, str]:
    """A group with a hook that holds its members on their way out, and one of its members."""
    group = HELD.name
    region.hand.wait_in_service([HELD])
    region.hand.autoscaling.put_lifecycle_hook(
        AutoScalingGroupName=group,
        LifecycleHookName="drain",
        LifecycleTransition="autoscaling:EC2_INSTANCE_TERMINATING",
        HeartbeatTimeout=heartbeat_seconds,
        DefaultResult="CONTINUE",
    )
    return group, region.members(group)[0].id


def standing(region: Scenery, group: str) -> dict[str, str]:
    return {one.id: one.standing for one in region.members(group)}


def take_out(region: Scenery, instance: str) -> None:
    region.hand.autoscaling.terminate_instance_in_auto_scaling_group(
        InstanceId=instance, ShouldDecrementDesiredCapacity=True
    )


def test_asg_lifecycle_sqs_test(control_plane: ControlPlane, region: Scenery, program: Program) -> None:
    group, member = held_group(region, heartbeat_seconds=300)
    seen = emptied(
        control_plane,
        region,
        program,
        member,
        lambda: take_out(region, member),
        after=lambda: standing(region, group).get(member) not in ("Terminating:Wait", "InService"),
    )
    assert seen.taint == "termination"
    assert "CompleteLifecycleAction" in " ".join(call.name for call in region.cloud.calls.newest())


# ---- who is told ---------------------------------------------------------------------------------------------------


def test_webhook_secret_test(
    control_plane: ControlPlane, region: Scenery, spot: str, program: Program, receiver: Receiver, tmp_path: Path
) -> None:
    """The address stands in a file; the body is a template; it is told at the beginning and at the end."""
    secret = tmp_path / "webhookurl"
    secret.write_text(f"{receiver.url}/T0/B0")
    template = tmp_path / "template"
    template.write_text('{"moment": "$moment", "node": "$node", "text": "$text"}')
    settings = SETTINGS + f"webhook:\n  url_file: {secret}\n  template_file: {template}\n"
    seen = emptied(
        control_plane,
        region,
        program,
        spot,
        lambda: notice(region, spot),
        settings=settings,
        after=lambda: len(receiver.heard) == 2,
    )
    assert [path for path, _, _ in receiver.heard] == ["/T0/B0", "/T0/B0"]
    begin, end = (json.loads(body) for _, _, body in receiver.heard)
    assert (begin["moment"], end["moment"]) == ("begin", "end")
    assert begin["node"] == end["node"] == seen.node.name
    assert "B0" not in seen.said


def test_webhook_http_proxy_test(
    control_plane: ControlPlane, region: Scenery, spot: str, program: Program, receiver: Receiver
) -> None:
    settings = SETTINGS + f"webhook: {{url: 'http://hooks.example.com/T0', proxy: '{receiver.url}'}}\n"
    emptied(
        control_plane,
        region,
        program,
        spot,
        lambda: notice(region, spot),
        settings=settings,
        after=lambda: len(receiver.heard) == 2,
    )
    assert {path for path, _, _ in receiver.heard} == {"http://hooks.example.com/T0"}
