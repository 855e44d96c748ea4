"""What owners may want besides: a base on demand, members kept, and AWS's own helpers left to do their work.

All groups stand in one region and are run over once; each test looks at one of them.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from spotward.emulator.server import Emulator
from tests.cli.program import Program, Ran
from tests.cli.scenery import Scenery

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]


@dataclass(frozen=True)
class Played:
    """One run over all groups."""

    scenery: Scenery
    groups: dict[str, str]
    marked: dict[str, str]
    """Group → its member that was marked."""
    planned: dict[str, dict[str, Any]]
    """Group → what `plan` said of it before."""
    ran: Ran
    changed: set[str]
    """Groups that were not as before, byte for byte."""

    def reason(self, group: str, member: str) -> str:
        """Why `plan` keeps a member."""
        told = {each["instance_id"]: each for each in self.planned[group]["members"]}[member]
        assert told["fate"] == "keep"
        return str(told["reason"])


@pytest.fixture(scope="module")
def played(cloud: Emulator, region: Scenery, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Played]:
    region.open()
    hand = region.hand
    surge = {"spotward:surge-percentage": "100"}
    shares = {"spotward:on-demand-base": "1", "spotward:on-demand-percentage": "50"}
    groups = {
        "shares": region.group("shares", size=5, tags=surge | shares),
        "kept": region.group("kept", tags=surge),
        "protected": region.group("protected", tags=surge),
        "nodes": region.group("nodes", tags=surge),
        "refreshed": region.group("refreshed"),
        "hooked": region.group("hooked", size=1),
        "unhooked": region.group("unhooked", size=1, tags={"spotward:launch-hooks": "skip"}),
        "rebalancing": region.group("rebalancing", size=1),
        "suspended": region.group("suspended", size=1),
        "resting": region.group("resting", size=2, tags=surge),
    }
    marked = {name: min(region.on_demand(group)) for name, group in groups.items()}
    hand.ec2.create_tags(Resources=[marked["kept"]], Tags=[{"Key": "spotward:keep", "Value": "true"}])
    hand.ec2.create_tags(Resources=[marked["nodes"]], Tags=[{"Key": "kubernetes.io/cluster/prod", "Value": "owned"}])
    hand.autoscaling.set_instance_protection(
        AutoScalingGroupName=groups["protected"], InstanceIds=[marked["protected"]], ProtectedFromScaleIn=True
    )
    for name in ("hooked", "unhooked"):
        hand.autoscaling.put_lifecycle_hook(
            AutoScalingGroupName=groups[name],
            LifecycleHookName="register",
            LifecycleTransition="autoscaling:EC2_INSTANCE_LAUNCHING",
        )
    hand.autoscaling.update_auto_scaling_group(AutoScalingGroupName=groups["rebalancing"], CapacityRebalance=True)
    hand.autoscaling.suspend_processes(AutoScalingGroupName=groups["suspended"], ScalingProcesses=["Launch"])
    hand.autoscaling.suspend_processes(AutoScalingGroupName=groups["resting"], ScalingProcesses=["AZRebalance"])
    hand.autoscaling.start_instance_refresh(
        AutoScalingGroupName=groups["refreshed"],
        Preferences={"MinHealthyPercentage": 100, "InstanceWarmup": 100_000},
    )
    for group in groups.values():
        region.keep_to_owner(group)
    program = Program(environment=cloud.environment(), state=tmp_path_factory.mktemp("played") / "state", cloud=cloud)
    plan = program("plan", "--output", "json").document
    before = region.fingerprints()
    ran = program("run", "--once", "--log", "text")
    after = region.fingerprints()
    yield Played(
        scenery=region,
        groups=groups,
        marked=marked,
        planned={group["name"]: group for group in plan["groups"]},
        ran=ran,
        changed={name for name, group in groups.items() if before[group] != after[group]},
    )
    assert region.close() == []


UNSEEN = "no cluster is looked after (kubernetes.enabled)"


def test_base_and_percentage_stay_on_demand(played: Played) -> None:
    group = played.groups["shares"]
    assert played.planned[group]["on_demand_wanted"] == 3, "one, and half of the other four"
    assert len(played.scenery.on_demand(group)) == 3
    assert len(played.scenery.spot(group)) == 2


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("kept", "is kept by its owner: tag spotward:keep"),
        ("protected", "is protected from scale-in"),
        ("nodes", "is a node of the Kubernetes cluster prod: its pods must be drained first, and " + UNSEEN),
    ],
)
def test_a_member_that_must_stay_stays_and_the_other_goes(name: str, words: str, played: Played) -> None:
    group = played.groups[name]
    assert played.scenery.on_demand(group) == [played.marked[name]]
    assert len(played.scenery.spot(group)) == 1
    assert played.reason(group, played.marked[name]) == words


def test_members_that_are_nodes_are_said_to_be(played: Played) -> None:
    named = (
        f"nodes in us-east-1/{played.groups['nodes']}: 1 member left alone: is a node of the Kubernetes cluster prod"
    )
    assert named in played.ran.out


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("refreshed", "an instance refresh is running: AWS replaces its members itself"),
        ("hooked", "it has the launch hook register, which AWS does not run for an attached instance"),
        ("suspended", "its owner suspended Launch: nothing new may join"),
    ],
)
def test_a_group_that_is_left_alone_is_said_why(name: str, words: str, played: Played) -> None:
    group = played.groups[name]
    assert words in played.planned[group]["left_alone"]
    assert f"us-east-1/{group}: {words}" in played.ran.out
    assert played.scenery.spot(group) == []
    if name != "refreshed":
        assert name not in played.changed


def test_a_launch_hook_may_be_skipped_where_its_owner_says_so(played: Played) -> None:
    assert played.scenery.on_demand(played.groups["unhooked"]) == []


def test_capacity_rebalancing_does_not_keep_a_group_from_saving(played: Played) -> None:
    assert len(played.scenery.spot(played.groups["rebalancing"])) == 1


def test_a_process_that_its_owner_suspended_stays_suspended(played: Played) -> None:
    group = played.groups["resting"]
    assert len(played.scenery.spot(group)) == 2
    suspended = played.scenery.described(group)["SuspendedProcesses"]
    assert [process["ProcessName"] for process in suspended] == ["AZRebalance"]
