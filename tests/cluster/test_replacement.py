"""Nodes that are replaced: the embedded cloud's instances become nodes of a real cluster, and the daemon swaps them.

Several groups are played at once, under one daemon, because a machine takes its time to boot here as it does at AWS. A
kubelet is played for each: its node appears when its instance runs, and goes with it. Who is terminated with pods on it
that could have been moved is found out.
"""

import asyncio
import json
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from spotward.emulator.server import Emulator
from spotward.emulator.settings import EmulatorSettings
from spotward.engine.clock import SystemClock
from spotward.model.cluster import Node
from tests.cli.program import Program
from tests.cli.scenery import CALM, Scenery
from tests.cluster.control_plane import SPOTWARD, ControlPlane
from tests.cluster.machines import launched, machines, spot_groups, until
from tests.cluster.queue_scenes import daemon, played, put
from tests.cluster.stage import Stage

SETTINGS = """
kubernetes: {enabled: true}
observe_seconds: 30
nodes:
  watch_seconds: 1
"""

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


def deeds(said: str, group: str, node: str) -> list[str]:
    """What the daemon asked for a group, and of the pods of a node, in order."""
    lines = [json.loads(line) for line in said.splitlines() if line.startswith("{")]
    asked = [text for line in lines for text in line.get("asked", ())]
    moves = ("launch ", "attach ", "terminate ")
    about_group = (text for text in asked if group in text and text.startswith(moves))
    wanted = {*about_group, *(text for text in asked if text.startswith("evict ") and text.endswith(f"from {node}"))}
    return [text for text in asked if text in wanted]


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
