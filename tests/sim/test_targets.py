"""Targets of load balancers: registered, checked, failing, draining."""

import pytest

from spotward.sim.errors import ApiError
from tests.sim.scene import TARGETS, Scene


def health(scene: Scene, *ids: str) -> dict[str, tuple[str, str | None]]:
    asked = [{"Id": one} for one in ids]
    shown = scene.elb("DescribeTargetHealth", TargetGroupArn=TARGETS, **({"Targets": asked} if asked else {}))
    return {
        one["Target"]["Id"]: (one["TargetHealth"]["State"], one["TargetHealth"].get("Reason"))
        for one in shown["TargetHealthDescriptions"]
    }


def register(scene: Scene, *ids: str) -> None:
    scene.elb("RegisterTargets", TargetGroupArn=TARGETS, Targets=[{"Id": one} for one in ids])


def test_a_target_is_initial_until_a_check_passes() -> None:
    scene = Scene()
    (one,) = scene.run()
    register(scene, one)
    assert health(scene) == {one: ("initial", "Elb.RegistrationInProgress")}
    scene.wait(5)
    assert health(scene) == {one: ("healthy", None)}


def test_a_target_whose_application_still_starts_waits_for_a_later_check() -> None:
    scene = Scene()
    answer = scene.ec2("RunInstances", ImageId="ami-0123456789abcdef0", InstanceType="m5.large", MinCount=1, MaxCount=1)
    one = answer["Instances"][0]["InstanceId"]
    scene.wait(26)
    register(scene, one)
    scene.wait(6)
    assert health(scene)[one][0] == "initial"
    scene.wait(20)
    assert health(scene)[one][0] == "healthy"


def test_a_target_that_leaves_drains_and_is_then_unknown() -> None:
    scene = Scene()
    one, two = scene.run(2)
    register(scene, one)
    scene.wait(10)
    scene.elb("DeregisterTargets", TargetGroupArn=TARGETS, Targets=[{"Id": one}, {"Id": two}])
    assert health(scene) == {one: ("draining", "Target.DeregistrationInProgress")}
    scene.wait(15)
    assert health(scene, one) == {one: ("unused", "Target.NotRegistered")}


def test_a_draining_target_can_be_taken_back() -> None:
    scene = Scene()
    (one,) = scene.run()
    register(scene, one)
    scene.elb("DeregisterTargets", TargetGroupArn=TARGETS, Targets=[{"Id": one}])
    scene.wait(5)
    register(scene, one)
    scene.wait(20)
    assert health(scene)[one][0] == "healthy"


def test_a_terminated_target_disappears() -> None:
    scene = Scene()
    (one,) = scene.run()
    register(scene, one)
    scene.ec2("TerminateInstances", InstanceIds=[one])
    assert health(scene)[one] == ("unused", "Target.InvalidState")
    scene.wait(60)
    assert health(scene) == {}


def test_a_target_group_without_a_load_balancer_checks_nothing() -> None:
    scene = Scene()
    (one,) = scene.run()
    scene.town.target_groups[TARGETS]["LoadBalancerArns"] = []
    register(scene, one)
    scene.wait(60)
    assert health(scene)[one] == ("unused", "Target.NotInUse")


def test_only_running_instances_are_registered() -> None:
    scene = Scene()
    (one,) = scene.run()
    scene.ec2("TerminateInstances", InstanceIds=[one])
    with pytest.raises(ApiError, match="InvalidTarget: The following targets are not in a running state"):
        register(scene, one)
    with pytest.raises(ApiError, match="InvalidTarget: The following targets do not exist: 'i-0gone'"):
        register(scene, "i-0gone")


def test_target_groups_of_addresses_and_unknown_ones_are_somebody_elses() -> None:
    scene = Scene()
    scene.town.target_groups["arn:ip"] = {"TargetGroupArn": "arn:ip", "TargetType": "ip"}
    owned = {
        arn: scene.cloud.owns("elbv2.RegisterTargets", {"TargetGroupArn": arn}) for arn in (TARGETS, "arn:ip", "gone")
    }
    assert owned == {TARGETS: True, "arn:ip": False, "gone": False}
    with pytest.raises(ApiError, match="TargetGroupNotFound"):
        scene.elb("DescribeTargetHealth", TargetGroupArn="gone")
