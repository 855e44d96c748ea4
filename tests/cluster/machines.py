"""Instances of the embedded cloud that are nodes of a real cluster: a kubelet is played for each.

A node appears when its instance runs, and goes with it. Who is terminated with pods on it that could have been moved is
found out.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from spotward.kube.reading import node as node_reader
from spotward.kube.reading import read
from spotward.kube.resources import NODES
from spotward.model.cluster import Node
from tests.cli.scenery import Scenery
from tests.cluster.stage import Stage
from tests.emulator.clients import eventually

PATIENCE_SECONDS = 180.0
"""A swap boots a machine (20 s here), joins it, empties a node and terminates it; three of them go on at once."""


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


def launched(region: Scenery, group: str) -> list[str]:
    """What Spotward launched for a group, ever."""
    return [one.id for one in region.launched() if _is_of(one.tags, (group,))]
