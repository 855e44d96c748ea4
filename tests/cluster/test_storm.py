"""Five hundred nodes are interrupted in the same second, and the replica that acts is killed in the middle of it: the
other one finishes what was begun, and no node and no pod is forgotten.

Everything is real but EC2: notices come by the embedded cloud's queue into two processes of `spotward run`, whose
journal is in the cluster that they empty.
"""

import asyncio
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from spotward.emulator.server import Emulator
from spotward.emulator.settings import EmulatorSettings
from spotward.emulator.stage import StageHand
from spotward.engine.clock import SystemClock
from spotward.model.incident import Fate, Incident
from tests.cli.program import Program
from tests.cluster.build import binaries
from tests.cluster.conftest import grant_all
from tests.cluster.control_plane import SPOTWARD, ControlPlane
from tests.cluster.replicas import Pair
from tests.cluster.room import NAMESPACE, furnish, open_store
from tests.cluster.stage import Stage
from tests.cluster.storm import (
    CORDON,
    EVICT,
    Field,
    Plan,
    Witness,
    laid_out,
    last_of_each_node,
    pods_left,
    share,
    spot_instances,
)
from tests.emulator.clients import eventually

REGION = "us-east-1"
PLAN = Plan(grace_seconds=45)
"""Pods that a budget keeps are deleted when 45 seconds of grace and 20 of reserve are left of the two minutes."""

JOURNAL = "storm"
SETTINGS = f"""
kubernetes: {{enabled: true}}
store: {{kind: kubernetes, namespace: {NAMESPACE}, name: {JOURNAL}}}
observe_seconds: 3600
"""
KILLED_AFTER = PLAN.free // 3
"""Evictions that the first replica lives to see."""

DEADLINE_SECONDS = 120.0
SECONDS_MAX = 240.0
"""How long all of it may take, the aftermath of machines that went included, on a machine that is very slow."""

pytestmark = [pytest.mark.timeout(600)]


@pytest.fixture
def storm_plane(tmp_path: Path) -> Iterator[ControlPlane]:
    """A control plane of its own, which nobody else has to share with five thousand pods."""
    with ControlPlane(binaries(), tmp_path / "control-plane", audited=True) as at:
        grant_all(at)
        furnish(at)
        yield at


@pytest.fixture
def cloud() -> Iterator[Emulator]:
    with Emulator(EmulatorSettings(seed=5, start_time=SystemClock().now())) as emulator:
        yield emulator


def field_of_instances(at: ControlPlane, cloud: Emulator) -> Field:
    """Nodes that are Spot instances of the embedded cloud, all of them running."""
    hand = StageHand(cloud.url, region=REGION)
    instances = spot_instances(hand, hand.build_network(), PLAN.nodes)
    hand.build_queue()
    field = asyncio.run(_laid_out(at, instances))

    def running() -> bool:
        found = hand.ec2.describe_instances(InstanceIds=instances[-1:])["Reservations"][0]["Instances"]
        return bool(found[0]["State"]["Name"] == "running")

    eventually(running, seconds_max=90)
    return field


async def _laid_out(at: ControlPlane, instances: list[str]) -> Field:
    stage = Stage(at)
    try:
        return await laid_out(stage, PLAN, instances)
    finally:
        stage.owner.close()


async def _pods_left(at: ControlPlane, field: Field) -> int:
    stage = Stage(at)
    try:
        return await pods_left(stage.owner, field.namespace)
    finally:
        stage.owner.close()


async def _incidents(at: ControlPlane) -> list[Incident]:
    store = open_store(at, JOURNAL)
    try:
        return [each for each in await store.undertakings(limit=10_000) if isinstance(each, Incident)]
    finally:
        await store.close()


def every_incident_is_over_or_drained(at: ControlPlane) -> list[Incident]:
    """All of them, once nothing is left to wait for; an empty list until then."""
    time.sleep(1.0)  # a look reads the whole journal
    found = asyncio.run(_incidents(at))
    return found if all(each.drained or each.ended is not None for each in found) else []


def reported(incident: Incident) -> bool:
    """Does it say that not all went as it should before its deadline?"""
    return bool(incident.trouble) or any(pod.fate is Fate.KILLED for pod in incident.pods)


def in_time(incident: Incident) -> bool:
    """Was it emptied before its machine was taken?"""
    deadline = min(signal.deadline for signal in incident.signals if signal.deadline is not None)
    return incident.drained_time is not None and incident.drained_time <= deadline


def test_no_node_of_a_storm_is_forgotten_although_the_leader_is_killed_in_the_middle(
    storm_plane: ControlPlane, cloud: Emulator, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    field = field_of_instances(storm_plane, cloud)
    settings = tmp_path / "spotward.yaml"
    settings.write_text(SETTINGS)
    environment = cloud.environment(region=REGION) | {"KUBECONFIG": str(storm_plane.kubeconfig(SPOTWARD))}
    program = Program(environment=environment, state=tmp_path / "state", cloud=cloud)
    with ExitStack() as stack:
        pair = Pair(program=program, settings=settings, cloud=cloud, stack=stack)
        witness = Witness(storm_plane.audit_log)
        first, second = pair.two()
        eventually(lambda: any(each.call == "watch pods" for each in witness.look()), seconds_max=60)

        ids = [node.instance_id for node in field.nodes if node.instance_id is not None]
        noticed = SystemClock().now()
        assert len(cloud.sites.site(REGION).interrupt(ids)) == PLAN.nodes
        eventually(lambda: len(witness.answered(EVICT, 201)) >= KILLED_AFTER, seconds_max=90)
        first.send(signal.SIGKILL)
        pair.bury(first)
        killed = time.perf_counter()
        eventually(lambda: second.acts, seconds_max=60)
        take_over_seconds = time.perf_counter() - killed

        eventually(lambda: not asyncio.run(_pods_left(storm_plane, field)), seconds_max=SECONDS_MAX)
        incidents = eventually(lambda: every_incident_is_over_or_drained(storm_plane), seconds_max=60)
        assert "Traceback" not in second.running.said, second.running.said

    names = {node.name for node in field.nodes}
    cordons, evictions = witness.answered(CORDON, 200), witness.answered(EVICT, 201)
    tell(capsys, noticed, take_over_seconds, cordons=last_of_each_node(cordons), evictions=last_of_each_node(evictions))

    assert sorted(each.instance_id for each in incidents) == sorted(ids)
    assert {each.name for each in cordons} == names
    # An eviction that the killed one had under way was carried out too, but nobody was there for its answer.
    asked = {each.name for each in witness.noted if each.call in {EVICT, "delete pods"}}
    assert asked == {f"{name}-{number}" for name in names for number in range(PLAN.pods_per_node)}
    late = [each for each in incidents if not in_time(each)]
    assert all(reported(each) for each in late), [each.node for each in late if not reported(each)]
    past_budget = sum(pod.past_budget for each in incidents for pod in each.pods)
    with capsys.disabled():
        sys.stdout.write(f"{past_budget} pods past their budgets; {len(late)} nodes late, each reported\n")


def tell(
    capsys: pytest.CaptureFixture[str],
    noticed: float,
    take_over_seconds: float,
    *,
    cordons: list[float],
    evictions: list[float],
) -> None:
    """The figures."""
    figures = "; ".join(
        f"{what} p50 {share(moments, 0.5) - noticed:.1f} s, p99 {share(moments, 0.99) - noticed:.1f} s"
        for what, moments in (("notice to cordon", cordons), ("to the last eviction of a node", evictions))
    )
    with capsys.disabled():
        sys.stdout.write(
            f"\n{PLAN.nodes} nodes, the leader killed after {KILLED_AFTER} evictions, the other acts after "
            f"{take_over_seconds:.1f} s: {figures}\n"
        )
