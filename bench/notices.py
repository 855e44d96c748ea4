"""Fifteen thousand interruption notices wait in a queue, and the daemon is started.

The embedded cloud with its queue and the daemon share this machine. The cluster's API server cannot be reached, which
is the worst moment for such a storm: no notice may be let go, because any of the instances may be a node, so each has
to become an incident that stands in the journal before its message is deleted. Every tenth notice comes twice, as SQS
may deliver it.
"""

import asyncio
import json
import secrets
import subprocess
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

from bench.cloud import EmbeddedCloud, embedded_cloud
from bench.measure import BenchError, Measure
from bench.node import free_port
from bench.process import SPOTWARD, cpu_seconds, peak_memory_mib
from spotward.engine.clock import SystemClock
from spotward.engine.store import SqliteStore
from spotward.model.incident import Incident

REGION = "us-east-1"
ACCESS_KEY = "AKIABENCHNOTICES0000"
INSTANCES = 15_000
TWICE_EVERY = 10
MESSAGES_PER_CALL = 10
SECONDS_MAX = 180.0
PER_SECOND_MIN = 500.0

KUBECONFIG = """
apiVersion: v1
kind: Config
current-context: away
contexts: [{{name: away, context: {{cluster: away, user: away}}}}]
clusters: [{{name: away, cluster: {{server: "http://127.0.0.1:{port}"}}}}]
users: [{{name: away, user: {{token: none}}}}]
"""

SETTINGS = """
kubernetes: {enabled: true}
observe_seconds: 3600
"""


def measures() -> Iterator[Measure]:
    """Messages per second, from the first that is received until none is left; incidents; what it cost."""
    with (
        embedded_cloud(speed=1.0) as cloud,
        tempfile.TemporaryDirectory(prefix="spotward-bench-notices-") as folder,
    ):
        hand = cloud.hand(REGION)
        url = hand.build_queue()
        instances = [f"i-{number:017x}" for number in range(INSTANCES)]
        messages = [notice(instance) for instance in (*instances, *instances[::TWICE_EVERY])]
        for at in range(0, len(messages), MESSAGES_PER_CALL):
            ten = enumerate(messages[at : at + MESSAGES_PER_CALL])
            hand.sqs.send_message_batch(
                QueueUrl=url, Entries=[{"Id": str(number), "MessageBody": body} for number, body in ten]
            )
        yield from _taken(cloud, url, Path(folder), instances, len(messages))


def notice(instance_id: str) -> str:
    """As EventBridge puts it into the queue."""
    now = datetime.fromtimestamp(SystemClock().now(), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    event = {
        "version": "0",
        "id": secrets.token_hex(16),
        "detail-type": "EC2 Spot Instance Interruption Warning",
        "source": "aws.ec2",
        "account": "123456789012",
        "time": now,
        "region": REGION,
        "resources": [f"arn:aws:ec2:us-east-1a:instance/{instance_id}"],
        "detail": {"instance-id": instance_id, "instance-action": "terminate"},
    }
    return json.dumps(event)


def _taken(cloud: EmbeddedCloud, url: str, folder: Path, instances: Sequence[str], messages: int) -> Iterator[Measure]:
    cloud_before = cloud.cpu_seconds
    process = _started(cloud, folder)
    try:
        seconds = _seconds_to_empty(cloud, url, process, messages)
        cpu, memory = cpu_seconds(process.pid), peak_memory_mib(process.pid)
    finally:
        process.terminate()
        process.wait(timeout=60)
    incidents = Counter(each.instance_id for each in asyncio.run(_incidents(folder / "state")))
    if incidents != Counter(instances):
        raise BenchError(f"{incidents.total():,} incidents of {len(incidents):,} instances stand in the journal")
    name = f"messages of {len(instances):,} instances, per second"
    yield Measure(name=name, figure=messages / seconds, unit="/s", at_least=PER_SECOND_MIN)
    yield Measure(name="messages left in the queue", figure=0, at_most=0)
    yield Measure(name="incidents, one for each instance", figure=incidents.total())
    yield Measure(name="processor time of the daemon, start included", figure=cpu, unit="s")
    yield Measure(name="processor time of the cloud with its queue", figure=cloud.cpu_seconds - cloud_before, unit="s")
    yield Measure(name="peak memory of the daemon", figure=memory, unit="MiB")
    calls = cloud.calls_of(ACCESS_KEY)
    yield Measure(name="AWS calls per message", figure=calls.total() / messages)


def _started(cloud: EmbeddedCloud, folder: Path) -> "subprocess.Popen[bytes]":
    kubeconfig, settings = folder / "kubeconfig", folder / "spotward.yaml"
    kubeconfig.write_text(KUBECONFIG.format(port=free_port()))
    settings.write_text(SETTINGS)
    own = cloud.environment_of(region=REGION, access_key=ACCESS_KEY)
    own |= {"KUBECONFIG": str(kubeconfig), "SPOTWARD_STATE": str(folder / "state")}
    command = [*SPOTWARD, "run", "--config", str(settings), "--queue", "spotward", "--port", "0", "--log", "json"]
    with (folder / "said.txt").open("wb") as said:
        return subprocess.Popen(command, env=own, stdout=said, stderr=said)


def _seconds_to_empty(cloud: EmbeddedCloud, url: str, process: "subprocess.Popen[bytes]", messages: int) -> float:
    """From the first message that was received until none is left. Looked at from outside, four times a second."""
    sqs, began = cloud.hand(REGION).sqs, time.perf_counter()
    first: float | None = None
    last = began
    while time.perf_counter() - began < SECONDS_MAX:
        before = time.perf_counter()
        said = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
        waiting = int(said["ApproximateNumberOfMessages"])
        in_flight = int(said["ApproximateNumberOfMessagesNotVisible"])
        if process.poll() is not None:
            raise BenchError(f"the daemon ended with {process.returncode}")
        if first is None and waiting < messages:
            first = last
        if waiting + in_flight == 0 and first is not None:
            return time.perf_counter() - first
        last = before
        time.sleep(0.25)
    raise BenchError(f"the queue was not empty after {SECONDS_MAX:g} s")


async def _incidents(state: Path) -> list[Incident]:
    store = SqliteStore.to_read(state)
    try:
        return [each for each in await store.undertakings(limit=10 * INSTANCES) if isinstance(each, Incident)]
    finally:
        await store.close()
