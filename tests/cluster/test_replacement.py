"""Nodes that are replaced: the embedded cloud's instances become nodes of a real cluster, and the daemon swaps them.

Several groups are played at once, under one daemon, because a machine takes its time to boot here as it does at AWS. A
kubelet is played for each: its node appears when its instance runs, and goes with it. Who is terminated with pods on it
that could have been moved is found out.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from spotward.emulator.server import Emulator
from spotward.emulator.settings import EmulatorSettings
from spotward.engine.clock import SystemClock
from spotward.kube.reading import node as node_reader
from spotward.kube.reading import read
from spotward.kube.resources import NODES
from spotward.model.cluster import Node
from tests.cli.program import Program
from tests.cli.scenery import CALM, Scenery
from tests.cluster.control_plane import SPOTWARD, ControlPlane
from tests.cluster.queue_scenes import daemon, played, put
from tests.cluster.stage import Stage
from tests.emulator.clients import eventually

SETTINGS = """
kubernetes: {enabled: true}
observe_seconds: 30
nodes:
  watch_seconds: 1
"""

PATIENCE_SECONDS = 180.0
"""A swap boots a machine (20 s here), joins it, empties a node and terminates it; three of them go on at once."""

ADVICE = "EC2 Instance Rebalance Recommendation"

pytestmark = [pytest.mark.timeout(420)]


@pytest.fixture(scope="module")
def region() -> Iterator[Scenery]:
    with Emulator(EmulatorSettings(seed=7, speed=1.0, start_time=SystemClock().now())) as emulator:
        emulator.sites.shock(CALM)
        yield Scenery(emulator)


@pytest.fixture
def program(control_plane: ControlPlane, region: Scenery, tmp_path: Path) -> Program:
    environment = region.cloud.environment(region=region.region)
    environment |= {"KUBECONFIG": str(control_plane.kubeconfig(SPOTWARD))}
    return Program(environment=environment, state=tmp_path / "state", cloud=region.cloud)


def spot_groups(region: Scenery, *names: str) -> dict[str, list[str]]:
    """Groups of two Spot members each that their owner launched and attached: their names and members, in order."""
    made = region.hand.ec2.run_instances(
        ImageId=region.network.image_id,
        InstanceType="m5.large",
        SubnetId=region.network.subnet_ids[0],
        MinCount=2 * len(names),
        MaxCount=2 * len(names),
        InstanceMarketOptions={"MarketType": "spot"},
    )
    every = [str(each["InstanceId"]) for each in made["Instances"]]
    groups = {
        region.group(name, watched=False, size=0, size_max=4): every[2 * n : 2 * n + 2] for n, name in enumerate(names)
    }
    eventually(lambda: {region.state(one) for one in every} == {"running"}, seconds_max=90)
    for group, members in groups.items():
        region.hand.autoscaling.attach_instances(AutoScalingGroupName=group, InstanceIds=members)
    eventually(lambda: all(len(region.spot(group)) == 2 for group in groups), seconds_max=90)
    return groups


# ---- the machines --------------------------------------------------------------------------------------------------


@dataclass(kw_only=True)
class Machines:
    """The instances of some groups, as nodes."""

    stage: Stage
    region: Scenery
    groups: tuple[str, ...]
    nodes: dict[str, Node] = field(default_factory=dict)
    """Instance → its node, while it lives."""
    names: dict[str, str] = field(default_factory=dict)
    """Instance → name of its node, dead or alive."""
    killed: list[str] = field(default_factory=list)
    """Pods that went with their machines."""
    fewest: dict[str, int] = field(default_factory=dict)
    """Group → the smallest number of members that were in service at once."""

    async def follow(self) -> None:
        """Until cancelled."""
        while True:
            await self.look()
            await asyncio.sleep(0.3)

    async def look(self) -> None:
        states = await asyncio.to_thread(self._states)
        for instance, state in states.items():
            if state == "running" and instance not in self.nodes:
                self.nodes[instance] = await self.stage.node(providerID=f"aws:///us-east-1a/{instance}")
                self.names[instance] = self.nodes[instance].name
        for instance in [i for i in self.nodes if states.get(i, "terminated") != "running"]:
            await self._switched_off(instance, self.nodes.pop(instance))

    def _states(self) -> dict[str, str]:
        found: dict[str, str] = {}
        for group in self.groups:
            members = self.region.members(group)
            serving = sum(one.standing == "InService" for one in members)
            self.fewest[group] = min(self.fewest.get(group, serving), serving)
            found |= {one.id: one.state for one in members}
        return found | {one.id: one.state for one in self.region.launched() if _is_of(one.tags, self.groups)}

    async def _switched_off(self, instance: str, node: Node) -> None:
        left = [pod.name for pod in await self.stage.pods(app="web") if pod.node == node.name]
        self.killed += [f"{pod} on {instance}" for pod in left]
        await self.stage.owner.answer("delete", NODES, name=node.name)

    async def node_now(self, instance: str) -> Node:
        return read(node_reader, await self.stage.owner.json("get", NODES, name=self.nodes[instance].name))


def _is_of(tags: Any, groups: tuple[str, ...]) -> bool:
    return any(f"/{group} " in tags.get("spotward:launch", "") for group in groups)


@asynccontextmanager
async def machines(stage: Stage, region: Scenery, *groups: str) -> AsyncIterator[Machines]:
    """The groups' nodes, with six pods on them."""
    here = Machines(stage=stage, region=region, groups=groups)
    await here.look()
    await stage.deployment("web", 6)
    following = asyncio.create_task(here.follow())
    try:
        yield here
    finally:
        following.cancel()
        await asyncio.gather(following, return_exceptions=True)


async def until(question: Callable[[], object]) -> None:
    await asyncio.to_thread(eventually, question, seconds_max=PATIENCE_SECONDS)


def deeds(said: str, group: str, node: str) -> list[str]:
    """What the daemon asked for a group, and of the pods of a node, in order."""
    lines = [json.loads(line) for line in said.splitlines() if line.startswith("{")]
    asked = [text for line in lines for text in line.get("asked", ())]
    moves = ("launch ", "attach ", "terminate ")
    about_group = (text for text in asked if group in text and text.startswith(moves))
    wanted = {*about_group, *(text for text in asked if text.startswith("evict ") and text.endswith(f"from {node}"))}
    return [text for text in asked if text in wanted]


def launched(region: Scenery, group: str) -> list[str]:
    """What Spotward launched for a group, ever."""
    return [one.id for one in region.launched() if _is_of(one.tags, (group,))]


def planned_as_it_will_be(program: Program, group: str) -> None:
    """`spotward plan` sees that the member is a node, and that it will be replaced all the same."""
    settings = program.state.parent / "plan.yaml"
    settings.write_text(SETTINGS)
    document = program("plan", "--config", settings, "--output", "json").document
    members = [member for each in document["groups"] if each["name"] == group for member in each["members"]]
    assert [member["fate"] for member in members] == ["replace by Spot"], members


# ---- the plays -----------------------------------------------------------------------------------------------------


def test_nodes_are_replaced_to_save_money_on_advice_and_at_a_notice_and_no_pod_goes_with_its_machine(
    control_plane: ControlPlane, region: Scenery, program: Program
) -> None:
    dear = region.group("dear", watched=False, size=1)
    (advised, (first, second)), (noticed, (third, fourth)) = spot_groups(region, "advised", "noticed").items()
    old = region.members(dear)[0].id

    async def play(stage: Stage) -> None:
        async with machines(stage, region, dear, advised, noticed) as here:
            await asyncio.to_thread(planned_as_it_will_be, program, dear)
            with daemon(program, region, SETTINGS) as running:
                put(region, ADVICE, "aws.ec2", {"instance-id": first})
                put(region, ADVICE, "aws.ec2", {"instance-id": third})
                await until(lambda: launched(region, noticed))
                assert {third, fourth} <= set(region.spot(noticed)), "nobody leaves before the new one serves"
                region.site.interrupt([third])
                await until(lambda: region.spot(dear) and not region.on_demand(dear))
                await until(lambda: first not in region.spot(advised) and len(region.spot(advised)) == 2)
                await until(lambda: third not in region.spot(noticed) and len(region.spot(noticed)) == 2)
                await until(lambda: {region.state(one) for one in (old, first, third)} == {"terminated"})
                await stage.until(lambda: stage.pods(app="web"), lambda pods: sum(p.ready for p in pods) >= 6)
                await here.look()
                assert here.killed == []
                assert here.fewest == {dear: 1, advised: 2, noticed: 2}
                steps = deeds(running.said, advised, here.names[first])
                assert [step.partition(" ")[0] for step in steps] == ["launch", "attach", "evict", "terminate"], steps

    played(control_plane, play)
    assert {len(launched(region, group)) for group in (dear, advised, noticed)} == {1}, "none is launched twice"
    assert second in region.spot(advised)


def test_advice_goes_no_further_than_the_settings_of_nodes_say(
    control_plane: ControlPlane, region: Scenery, program: Program
) -> None:
    ((group, members),) = spot_groups(region, "careful").items()

    async def play(stage: Stage) -> None:
        async with machines(stage, region, group) as here:
            for response, instance in zip(("note", "cordon"), members, strict=True):
                with daemon(program, region, SETTINGS + f"  rebalance: {response}\n") as running:
                    put(region, ADVICE, "aws.ec2", {"instance-id": instance})
                    await until(partial(running.says, "ask for no replacement now"))
                    cordoned = response == "cordon"
                    await stage.until(partial(here.node_now, instance), partial(_is_cordoned, cordoned))
            assert set(region.spot(group)) == set(members)

    played(control_plane, play)
    assert launched(region, group) == []


def _is_cordoned(wanted: bool, node: Node) -> bool:
    return node.unschedulable == wanted
