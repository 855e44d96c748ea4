"""The same job against plain moto, a stranger's server with no line of ours in it.

moto has no Pricing API and one Spot price for everything, so the operator's own list of on-demand prices stands in.
"""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import requests

from spotward.emulator.stage import GroupPlan, Network, StageHand
from tests.cli.program import Program, bare_environment
from tests.emulator.clients import eventually

REGION = "us-east-1"
SPEED = 10.0
"""How many times as fast Spotward's clock goes; moto does everything at once."""

WEB = GroupPlan(name="web", size=3, size_max=3)
BATCH = GroupPlan(name="batch", size=2, size_max=2, instance_type="c5.xlarge", with_configuration=True)
FRONT = GroupPlan(name="front", size=2, size_max=2, balanced=True)
BILLING = GroupPlan(name="billing", size=2, opted_in=False)

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]


@dataclass(frozen=True)
class Account:
    """What is in moto, asked by boto3."""

    url: str
    hand: StageHand
    network: Network

    def build(self, *plans: GroupPlan) -> dict[str, dict[str, Any]]:
        """Groups, and what AWS says of each."""
        for plan in plans:
            target = self.hand.build_target_group(self.network, plan.name) if plan.balanced else None
            self.hand.build_group(self.network, plan, target_group=target)
        self.hand.wait_in_service(plans)
        return {plan.name: self.group(plan.name) for plan in plans}

    def group(self, name: str) -> dict[str, Any]:
        described = self.hand.autoscaling.describe_auto_scaling_groups(AutoScalingGroupNames=[name])
        return dict(described["AutoScalingGroups"][0])

    def instances(self, name: str) -> list[dict[str, Any]]:
        """The group's members."""
        ids = [member["InstanceId"] for member in self.group(name)["Instances"]]
        answer = self.hand.ec2.describe_instances(InstanceIds=ids)
        return [dict(each) for reservation in answer["Reservations"] for each in reservation["Instances"]]

    def kinds(self, name: str) -> list[str]:
        """How each member is paid."""
        return [each.get("InstanceLifecycle", "on-demand") for each in self.instances(name)]

    def fingerprint(self, name: str) -> str:
        """All that can be said of a group and its members."""
        return json.dumps([self.group(name), self.instances(name)], sort_keys=True, default=str)

    def targets(self, name: str) -> set[str]:
        """Who stands in the group's target group."""
        arn = self.group(name)["TargetGroupARNs"][0]
        health = self.hand.elbv2.describe_target_health(TargetGroupArn=arn)["TargetHealthDescriptions"]
        return {each["Target"]["Id"] for each in health if each["TargetHealth"]["State"] == "healthy"}


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    words = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
    server = subprocess.Popen(
        words, env=bare_environment(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, stdin=subprocess.DEVNULL
    )
    try:
        eventually(lambda: _answers(port), seconds_max=150)
        yield f"http://127.0.0.1:{port}"
    finally:
        server.kill()
        server.wait()


def _answers(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


@pytest.fixture
def account(url: str) -> Account:
    """An empty one."""
    requests.post(f"{url}/moto-api/reset", timeout=30).raise_for_status()
    hand = StageHand(url, region=REGION)
    return Account(url=url, hand=hand, network=hand.build_network())


@pytest.fixture
def spotward(url: str, tmp_path: Path) -> Program:
    now = time.time()  # noqa: TID251 - a clock that goes faster must be told where it begins
    clock = f"{now!r}:{now!r}:{SPEED!r}"
    environment = {"AWS_ENDPOINT_URL": url, "AWS_DEFAULT_REGION": REGION, "SPOTWARD_CLOCK": clock}
    return Program(environment=environment, state=tmp_path / "state")


@pytest.fixture
def prices(tmp_path: Path) -> Path:
    file = tmp_path / "prices.json"
    file.write_text(json.dumps({REGION: {"m5.large": 0.096, "c5.xlarge": 0.17}}))
    return file


def as_owned(group: dict[str, Any]) -> dict[str, Any]:
    """What the owner set."""
    names = ("MinSize", "MaxSize", "DesiredCapacity", "SuspendedProcesses", "Tags", "LoadBalancerNames")
    return {name: group.get(name) for name in names}


def test_with_a_list_of_prices_groups_of_every_shape_become_spot(
    account: Account, spotward: Program, prices: Path
) -> None:
    before = account.build(WEB, BATCH, FRONT)
    account.build(BILLING)
    untouched = account.fingerprint("billing")

    spotward("run", "--once", "--on-demand-prices", prices)

    for plan in (WEB, BATCH, FRONT):
        assert account.kinds(plan.name) == ["spot"] * plan.size
        assert as_owned(account.group(plan.name)) == as_owned(before[plan.name])
        assert all(member["LifecycleState"] == "InService" for member in account.group(plan.name)["Instances"])
    zones = {each["Placement"]["AvailabilityZone"] for each in account.instances("web")}
    assert len(zones) == WEB.size, "moto put them all into one zone; they are spread now"
    assert {each["InstanceId"] for each in account.instances("front")} <= account.targets("front")
    assert account.fingerprint("billing") == untouched
    templates = account.hand.ec2.describe_launch_templates()["LaunchTemplates"]
    assert [one["LaunchTemplateName"] for one in templates if one["LaunchTemplateName"].startswith("spotward-")] == []
    assert "nothing to do" in spotward("plan", "--on-demand-prices", prices).out


def test_without_any_price_nothing_is_replaced_and_it_is_said_why(account: Account, spotward: Program) -> None:
    account.build(WEB)
    before = account.fingerprint("web")
    ran = spotward("run", "--once", "--log", "text")
    assert account.fingerprint("web") == before
    assert "no on-demand price is known for m5.large with Linux/UNIX in us-east-1" in ran.out
    assert "--on-demand-prices FILE" in ran.out
    assert "no on-demand price is known for m5.large" in spotward("status").out
    assert "no on-demand price is known for m5.large" in spotward("plan").out


def test_without_any_price_it_is_done_where_the_operator_allows_it(account: Account, spotward: Program) -> None:
    before = account.build(WEB)
    spotward("run", "--once", "--allow-unpriced")
    assert account.kinds("web") == ["spot"] * WEB.size
    assert as_owned(account.group("web")) == as_owned(before["web"])
