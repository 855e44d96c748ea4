"""Groups behind target groups: members are registered, checked, and drained before they go."""

from tests.sim.scene import TARGETS, Scene


def resize(scene: Scene, desired: int) -> None:
    scene.asg("SetDesiredCapacity", AutoScalingGroupName="web", DesiredCapacity=desired)


def suspend(scene: Scene, *processes: str) -> None:
    scene.asg("SuspendProcesses", AutoScalingGroupName="web", ScalingProcesses=list(processes))


def test_members_behind_a_target_group_become_healthy_and_drain_before_they_go() -> None:
    scene = Scene()
    scene.group(desired=1, TargetGroupARNs=[TARGETS])
    (one,) = scene.members()
    assert _health(scene) == {one: "healthy"}
    scene.asg("TerminateInstanceInAutoScalingGroup", InstanceId=one, ShouldDecrementDesiredCapacity=True)
    assert _health(scene) == {one: "draining"}
    assert scene.state(one) == "running"
    scene.wait(16)
    assert _health(scene) == {}
    assert scene.state(one) == "shutting-down"


def test_with_load_balancer_checks_a_failed_application_is_replaced() -> None:
    scene = Scene()
    scene.group(desired=2, TargetGroupARNs=[TARGETS], HealthCheckType="ELB")
    scene.group("plain", desired=1, TargetGroupARNs=[TARGETS])
    ill, well = scene.members()
    (plain,) = scene.members("plain")
    scene.cloud.fail_application([ill, plain])
    scene.wait(25)
    assert _health(scene) == {ill: "unhealthy", well: "healthy", plain: "unhealthy"}
    scene.wait(120)
    assert ill not in scene.members(state=None)
    assert well in scene.members()
    assert scene.members("plain") == [plain]
    assert any("ELB system health check failure" in cause for cause in scene.causes())


def test_without_add_to_load_balancer_new_members_are_not_registered() -> None:
    scene = Scene()
    scene.group(desired=1, TargetGroupARNs=[TARGETS])
    suspend(scene, "AddToLoadBalancer")
    resize(scene, 2)
    scene.wait(60)
    assert len(scene.members()) == 2
    assert len(_health(scene)) == 1


def test_target_groups_are_attached_to_and_detached_from_a_running_group() -> None:
    scene = Scene()
    scene.group(desired=2)
    scene.asg("AttachLoadBalancerTargetGroups", AutoScalingGroupName="web", TargetGroupARNs=[TARGETS])
    scene.wait(60)
    assert set(_health(scene).values()) == {"healthy"}
    shown = scene.asg("DescribeLoadBalancerTargetGroups", AutoScalingGroupName="web")["LoadBalancerTargetGroups"]
    assert shown == [{"LoadBalancerTargetGroupARN": TARGETS, "State": "InService"}]
    scene.asg("DetachLoadBalancerTargetGroups", AutoScalingGroupName="web", TargetGroupARNs=[TARGETS])
    assert set(_health(scene).values()) == {"draining"}
    assert scene.shown()["TargetGroupARNs"] == []


def _health(scene: Scene) -> dict[str, str]:
    shown = scene.elb("DescribeTargetHealth", TargetGroupArn=TARGETS)["TargetHealthDescriptions"]
    return {one["Target"]["Id"]: one["TargetHealth"]["State"] for one in shown}
