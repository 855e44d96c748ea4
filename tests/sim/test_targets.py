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


def draining_seconds(scene: Scene, **settings: object) -> int:
    """For how long a target of a group with these settings drains."""
    scene.town.target_groups[TARGETS].update(settings)
    (one,) = scene.run()
    register(scene, one)
    scene.wait(60)
    scene.elb("DeregisterTargets", TargetGroupArn=TARGETS, Targets=[{"Id": one}])
    seconds = 0
    while health(scene, one)[one][0] == "draining":
        scene.wait(1)
        seconds += 1
    assert health(scene, one) == {one: ("unused", "Target.NotRegistered")}
    return seconds


@pytest.mark.parametrize(
    ("settings", "seconds"),
    [
        ({"Protocol": "HTTP"}, 15),
        ({"Protocol": "HTTP", "DeregistrationDelaySeconds": 5}, 5),
        ({"Protocol": "HTTP", "DeregistrationDelaySeconds": 0}, 0),
        ({"Protocol": "TCP"}, 300),
        ({"Protocol": "TLS", "DeregistrationDelaySeconds": 120}, 120),
        ({"Protocol": "HTTP", "LoadBalancerArns": []}, 0),
    ],
)
def test_a_target_drains_while_requests_are_in_flight_and_no_longer_than_its_group_allows(
    settings: dict[str, object], seconds: int
) -> None:
    assert draining_seconds(Scene(), **settings) == seconds


def test_slow_requests_make_a_target_drain_longer() -> None:
    scene = Scene()
    scene.cloud.requests_take("w*", 200.0)
    scene.cloud.requests_take("other", 2.0)
    assert draining_seconds(scene, Protocol="HTTP") == 200
    assert draining_seconds(scene, Protocol="HTTP", DeregistrationDelaySeconds=30) == 30
    scene.cloud.requests_take("w*", None)
    assert draining_seconds(scene, Protocol="HTTP") == 15


def test_a_group_terminates_a_member_when_its_target_has_drained() -> None:
    scene = Scene()
    scene.town.target_groups[TARGETS].update(Protocol="TCP", DeregistrationDelaySeconds=90)
    scene.group(desired=1, TargetGroupARNs=[TARGETS])
    (member,) = scene.members()
    scene.terminate(member)
    scene.wait(89)
    assert (health(scene)[member][0], scene.state(member)) == ("draining", "running")
    told = scene.asg("DescribeScalingActivities", AutoScalingGroupName="web")["Activities"]
    assert "WaitingForELBConnectionDraining" in {one["StatusCode"] for one in told}
    scene.wait(1)
    assert scene.state(member) == "shutting-down"
