"""The checks see what must not happen, and nothing else."""

from spotward.sim.checks import Watch, orphans, spread
from tests.sim.scene import Scene


def swap(scene: Scene, *, patient: bool) -> None:
    old = scene.members()[0]
    zone = scene.instance(old)["Placement"]["AvailabilityZone"]
    scene.asg(
        "AttachInstances", AutoScalingGroupName="web", InstanceIds=scene.run(spot=True, SubnetId=f"subnet-{zone[-1]}")
    )
    if patient:
        scene.wait(30)
    scene.asg("TerminateInstanceInAutoScalingGroup", InstanceId=old, ShouldDecrementDesiredCapacity=True)
    scene.wait(120)


def test_a_patient_swap_is_no_breach() -> None:
    scene = Scene()
    scene.group(desired=3)
    scene.group("other", desired=2)
    watch = Watch(scene.cloud)
    watch.put_back("web")
    watch.leave_alone("other")
    swap(scene, patient=True)
    scene.wait(600)
    assert watch.look_at_rest() == []
    assert spread(scene.cloud, "web") == 0


def test_a_hasty_swap_is_a_breach() -> None:
    scene = Scene()
    scene.group(desired=3)
    watch = Watch(scene.cloud)
    swap(scene, patient=False)
    (breach,) = watch.look()
    assert str(breach) == (
        "web: TerminateInstanceInAutoScalingGroup took it from 3 to 2 in service; its owner asked for 3"
    )


def test_terminating_a_member_behind_the_groups_back_is_a_breach() -> None:
    scene = Scene()
    scene.group(desired=3)
    watch = Watch(scene.cloud)
    scene.ec2("TerminateInstances", InstanceIds=[scene.members()[0]])
    assert [breach.subject for breach in watch.look()] == ["web"]


def test_an_interruption_is_no_clients_breach() -> None:
    scene = Scene()
    scene.group(desired=2)
    (one,) = scene.run(spot=True)
    scene.asg("AttachInstances", AutoScalingGroupName="web", InstanceIds=[one])
    scene.wait(30)
    watch = Watch(scene.cloud)
    scene.cloud.interrupt([one])
    scene.wait(300)
    assert watch.look() == []


def test_a_group_that_was_to_be_left_alone_may_not_change_in_anything() -> None:
    scene = Scene()
    scene.group(desired=2)
    watch = Watch(scene.cloud)
    watch.leave_alone("web")
    scene.wait(3600)
    assert watch.look() == []
    scene.ec2("CreateTags", Resources=[scene.members()[0]], Tags=[{"Key": "a", "Value": "b"}])
    assert [breach.words for breach in watch.look()] == ["it was to be left alone and has changed"]


def test_what_the_owner_set_must_be_put_back() -> None:
    scene = Scene()
    scene.group(desired=2)
    watch = Watch(scene.cloud)
    watch.put_back("web")
    scene.asg("SuspendProcesses", AutoScalingGroupName="web", ScalingProcesses=["AZRebalance"])
    scene.asg("UpdateAutoScalingGroup", AutoScalingGroupName="web", MaxSize=11)
    assert [breach.words for breach in watch.look_at_rest()] == [
        "MaxSize was 10 and is left at 11",
        "SuspendedProcesses was [] and is left at ['AZRebalance']",
    ]


def test_an_instance_of_ours_that_nobody_has_is_an_orphan() -> None:
    scene = Scene()
    scene.group(desired=0)
    tags = [{"ResourceType": "instance", "Tags": [{"Key": "spotward:key", "Value": "web/1"}]}]
    lost, found = scene.run(2, TagSpecifications=tags)
    scene.run()
    scene.asg("AttachInstances", AutoScalingGroupName="web", InstanceIds=[found])
    assert orphans(scene.cloud) == [lost]
    scene.ec2("TerminateInstances", InstanceIds=[lost])
    assert orphans(scene.cloud) == []
