"""What an instance is told of itself, seen from within."""

from spotward.sim.inside import Inside
from spotward.sim.shocks import ScheduledMaintenance
from tests.sim.scene import Scene


def inside(scene: Scene, instance_id: str) -> Inside:
    found = scene.cloud.inside(instance_id)
    assert found is not None
    return found


def test_a_running_instance_is_told_what_the_api_tells_of_it() -> None:
    scene = Scene()
    (one,) = scene.run(spot=True)
    told, described = inside(scene, one), scene.instance(one)
    assert (told.id, told.instance_type) == (one, described["InstanceType"])
    assert told.zone == described["Placement"]["AvailabilityZone"]
    assert told.address == described["PrivateIpAddress"]
    assert told.lifecycle == "spot"
    assert (told.action, told.advice_time, told.scheduled, told.target_state) == (None, None, (), None)


def test_who_does_not_run_has_nobody_to_ask() -> None:
    scene = Scene()
    (one,) = scene.run()
    scene.ec2("TerminateInstances", InstanceIds=[one])
    assert scene.cloud.inside(one) is not None, "it is shutting down"
    scene.wait(120)
    assert scene.cloud.inside(one) is None
    assert scene.cloud.inside("i-00000000000000000") is None


def test_a_notice_tells_a_time_that_does_not_move() -> None:
    scene = Scene()
    (one,) = scene.run(spot=True)
    scene.cloud.interrupt([one])
    first = inside(scene, one)
    assert first.action == "terminate"
    assert first.action_time == scene.time + 120
    scene.wait(60)
    assert inside(scene, one).action_time == first.action_time


def test_advice_is_told_from_the_moment_at_which_it_is_given() -> None:
    scene = Scene()
    (one,) = scene.run(spot=True)
    scene.shock("*/*", rebalance=True)
    advised = [event["time"] for event in scene.events("EC2 Instance Rebalance Recommendation")]
    while not advised:
        assert inside(scene, one).advice_time is None
        scene.wait(5)
        advised = [event["time"] for event in scene.events("EC2 Instance Rebalance Recommendation")]
    assert inside(scene, one).advice_time is not None


def test_scheduled_events_are_told_with_their_states() -> None:
    scene = Scene()
    (one,) = scene.run()
    asked = ScheduledMaintenance(at_seconds=0, code="system-reboot", instance=one, notice_seconds=7200)
    scene.cloud.announce_maintenance(asked)
    (event,) = inside(scene, one).scheduled
    assert (event.code, event.state, event.not_before) == ("system-reboot", "active", scene.time + 7200)
    scene.cloud.withdraw_maintenance(instance=one)
    (event,) = inside(scene, one).scheduled
    assert event.state == "canceled"


def test_the_target_state_is_where_the_group_takes_its_member() -> None:
    scene = Scene()
    scene.group(desired=2)
    scene.hook()
    leaving, staying = scene.members()
    assert inside(scene, leaving).target_state == "InService"
    scene.terminate(leaving)
    assert scene.lifecycle()[leaving] == "Terminating:Wait"
    assert inside(scene, leaving).target_state == "Terminated"
    scene.asg("EnterStandby", AutoScalingGroupName="web", InstanceIds=[staying], ShouldDecrementDesiredCapacity=True)
    assert inside(scene, staying).target_state == "Standby"
