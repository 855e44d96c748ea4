"""Whatever happens to a group, it comes to rest at what its owner asked for, evenly over its zones."""

import json
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from spotward.sim.checks import spread
from spotward.sim.errors import ApiError
from spotward.sim.groups import PROCESSES
from spotward.sim.shocks import ScheduledMaintenance
from tests.sim.scene import TARGETS, ZONES, Scene

LEAST, MOST = 1, 8
PICK = st.integers(0, 30)


def expect(error: ApiError, code: str) -> None:
    """Any other refusal is a fault of the region."""
    assert error.code == code, error


class GroupLife(RuleBasedStateMachine):
    """One group, its owner, an attacher of Spot, and a moody market."""

    def __init__(self) -> None:
        super().__init__()
        self.scene = Scene()
        self.loose: list[str] = []

    @initialize(desired=st.integers(LEAST, 6), rebalance=st.booleans(), behind=st.booleans())
    def begin(self, desired: int, rebalance: bool, behind: bool) -> None:
        targets = [TARGETS] if behind else []
        self.scene.group(
            desired=desired, MinSize=LEAST, MaxSize=MOST, CapacityRebalance=rebalance, TargetGroupARNs=targets
        )

    def _asg(self, operation: str, **params: Any) -> bool:
        """True when AWS did not refuse."""
        try:
            self.scene.asg(operation, AutoScalingGroupName="web", **params)
        except ApiError as error:
            expect(error, "ValidationError")
            return False
        return True

    def _member(self, pick: int) -> str | None:
        members = self.scene.members(state=None)
        return members[pick % len(members)] if members else None

    @rule(seconds=st.sampled_from([1, 7, 40, 130, 400]))
    def time_passes(self, seconds: int) -> None:
        self.scene.wait(seconds)

    @rule(desired=st.integers(0, 9))
    def the_owner_resizes(self, desired: int) -> None:
        accepted = self._asg("SetDesiredCapacity", DesiredCapacity=desired)
        assert accepted == (LEAST <= desired <= MOST)

    @rule(zone=st.sampled_from(ZONES), count=st.integers(1, 3))
    def spot_is_launched_and_attached(self, zone: str, count: int) -> None:
        override = {"InstanceType": "m5.large", "SubnetId": f"subnet-{zone[-1]}"}
        ids = [one for batch in self.scene.fleet(count, override)["Instances"] for one in batch["InstanceIds"]]
        self.scene.wait(30)
        before = self.scene.shown()["DesiredCapacity"]
        running = [one for one in ids if self.scene.state(one) == "running"]
        if running:
            accepted = self._asg("AttachInstances", InstanceIds=running)
            assert accepted == (before + len(running) <= MOST)
            self.loose += [] if accepted else running

    @rule(pick=PICK, decrement=st.booleans())
    def a_member_is_terminated_through_the_group(self, pick: int, decrement: bool) -> None:
        one, before = self._member(pick), self.scene.shown()["DesiredCapacity"]
        if one is None:
            return
        try:
            self.scene.asg(
                "TerminateInstanceInAutoScalingGroup", InstanceId=one, ShouldDecrementDesiredCapacity=decrement
            )
        except ApiError as error:
            expect(error, "ValidationError")
            assert self.scene.shown()["DesiredCapacity"] == before

    @rule(pick=PICK, decrement=st.booleans(), operation=st.sampled_from(["DetachInstances", "EnterStandby"]))
    def a_member_is_set_aside(self, pick: int, decrement: bool, operation: str) -> None:
        one = self._member(pick)
        if one is not None and self._asg(operation, InstanceIds=[one], ShouldDecrementDesiredCapacity=decrement):
            self.loose += [one] if operation == "DetachInstances" else []

    @rule()
    def standby_ends(self) -> None:
        for one in self.scene.members(state="Standby"):
            self._asg("ExitStandby", InstanceIds=[one])

    @rule(pick=PICK)
    def a_member_dies_behind_the_groups_back(self, pick: int) -> None:
        one = self._member(pick)
        if one is not None:
            self.scene.ec2("TerminateInstances", InstanceIds=[one])

    @rule(pick=PICK)
    def a_member_is_unhealthy(self, pick: int) -> None:
        one = self._member(pick)
        if one is not None:
            self.scene.asg(
                "SetInstanceHealth", InstanceId=one, HealthStatus="Unhealthy", ShouldRespectGracePeriod=False
            )

    @rule(pick=PICK)
    def an_application_fails(self, pick: int) -> None:
        one = self._member(pick)
        if one is not None:
            self.scene.cloud.fail_application([one])

    @rule(count=st.integers(1, 3))
    def spot_is_interrupted(self, count: int) -> None:
        self.scene.cloud.interrupt_pool(count=count)

    @rule(
        zone=st.sampled_from(ZONES),
        capacity=st.sampled_from([0, 2, 100]),
        market=st.sampled_from(["spot", "on_demand"]),
    )
    def a_pool_changes(self, zone: str, capacity: int, market: str) -> None:
        self.scene.shock(f"m5.large/{zone}", **{f"{market}_capacity": capacity})

    @rule(zone=st.sampled_from(ZONES), risky=st.booleans())
    def a_pool_is_at_risk(self, zone: str, risky: bool) -> None:
        self.scene.shock(f"m5.large/{zone}", rebalance=risky)

    @rule(processes=st.lists(st.sampled_from(PROCESSES), min_size=1, max_size=3, unique=True), on=st.booleans())
    def processes_are_switched(self, processes: list[str], on: bool) -> None:
        self._asg("ResumeProcesses" if on else "SuspendProcesses", ScalingProcesses=processes)

    @precondition(lambda self: not self.scene.shown().get("SuspendedProcesses"))
    @rule()
    def a_refresh_is_started(self) -> None:
        try:
            self.scene.asg("StartInstanceRefresh", AutoScalingGroupName="web", Preferences={"InstanceWarmup": 10})
        except ApiError as error:
            expect(error, "InstanceRefreshInProgress")

    @rule(launching=st.booleans(), seconds=st.sampled_from([30, 120]), result=st.sampled_from(["CONTINUE", "ABANDON"]))
    def a_hook_is_put(self, launching: bool, seconds: int, result: str) -> None:
        transition = "LAUNCHING" if launching else "TERMINATING"
        self.scene.hook(transition.lower(), transition, HeartbeatTimeout=seconds, DefaultResult=result)

    @rule(name=st.sampled_from(["launching", "terminating"]))
    def a_hook_is_deleted(self, name: str) -> None:
        self._asg("DeleteLifecycleHook", LifecycleHookName=name)

    @rule(
        pick=PICK, name=st.sampled_from(["launching", "terminating"]), result=st.sampled_from(["CONTINUE", "ABANDON"])
    )
    def a_lifecycle_action_is_completed(self, pick: int, name: str, result: str) -> None:
        one = self._member(pick)
        if one is not None:
            self._asg("CompleteLifecycleAction", LifecycleHookName=name, InstanceId=one, LifecycleActionResult=result)

    @rule(pick=PICK)
    def a_heartbeat_comes(self, pick: int) -> None:
        one = self._member(pick)
        if one is not None:
            self._asg("RecordLifecycleActionHeartbeat", LifecycleHookName="terminating", InstanceId=one)

    @rule(code=st.sampled_from(["instance-stop", "system-reboot"]), count=st.integers(1, 2), withdrawn=st.booleans())
    def maintenance_is_scheduled(self, code: str, count: int, withdrawn: bool) -> None:
        shock = ScheduledMaintenance(at_seconds=0, code=code, group="web", count=count, notice_seconds=60)
        hit = self.scene.cloud.announce_maintenance(shock)
        if withdrawn and hit:
            self.scene.wait(30)
            self.scene.cloud.withdraw_maintenance(instance=hit[0])

    # -- what always holds -------------------------------------------------------------------------------------------

    @invariant()
    def the_group_says_what_is(self) -> None:
        entry = self.scene.shown()
        if not entry:
            return
        assert LEAST <= entry["DesiredCapacity"] <= MOST
        ids = [one["InstanceId"] for one in entry["Instances"]]
        assert len(ids) == len(set(ids))
        assert not set(ids) & {one for one in self.loose if self.scene.cloud.group_of(one) is None}
        tagged = {one["InstanceId"] for one in self.scene.instances(("tag:aws:autoscaling:groupName", ["web"]))}
        assert set(ids) <= tagged

    @invariant()
    def nobody_is_launched_without_end(self) -> None:
        entry = self.scene.shown()
        states = [one["LifecycleState"] for one in entry.get("Instances", ())]
        counted = [state for state in states if state.startswith(("Pending", "InService"))]
        # Attachments may leave a surplus where nothing may be terminated; the group itself overshoots by one.
        if entry and "Terminate" not in {one["ProcessName"] for one in entry["SuspendedProcesses"]}:
            assert len(counted) <= MOST + 3

    @invariant()
    def what_is_missing_is_what_the_owner_asked_for_less_what_serves(self) -> None:
        soon, next_time = self.scene.time + 0.01, self.scene.cloud.next_time()
        if not self.scene.shown() or (next_time is not None and next_time <= soon):
            return
        serving = sum(self.scene.state(one) == "running" for one in self.scene.members())
        missing = max(0, (self.scene.cloud.owners_capacity("web") or 0) - serving)
        before = self.scene.cloud.usage().shortfall_instance_seconds["web"]
        self.scene.wait(0.01)
        assert round((self.scene.cloud.usage().shortfall_instance_seconds["web"] - before) / 0.01) == missing

    @invariant()
    def descriptions_are_never_stale(self) -> None:
        """A tag that comes and goes makes everything be described anew: nothing else may show that."""
        if not self.scene.shown():
            return
        ids = self.scene.members(state=None)
        before = json.dumps([self.scene.shown(), [self.scene.instance(one) for one in ids]], default=str)
        tag = {"Key": "fresh", "Value": "yes"}
        mine = {"ResourceId": "web", "ResourceType": "auto-scaling-group", **tag, "PropagateAtLaunch": False}
        self.scene.asg("CreateOrUpdateTags", Tags=[mine])
        self.scene.asg("DeleteTags", Tags=[mine])
        for one in ids:
            self.scene.ec2("CreateTags", Resources=[one], Tags=[tag])
            self.scene.ec2("DeleteTags", Resources=[one], Tags=[tag])
        assert json.dumps([self.scene.shown(), [self.scene.instance(one) for one in ids]], default=str) == before

    def teardown(self) -> None:
        """At rest, with everything possible again, the group is what its owner asked for."""
        if not self.scene.shown():
            return
        for kind in ({"spot_capacity": 100}, {"on_demand_capacity": 100}, {"rebalance": False}):
            self.scene.shock("m5.large/*", **kind)
        self._asg("ResumeProcesses")
        for name in ("launching", "terminating"):
            self._asg("DeleteLifecycleHook", LifecycleHookName=name)
        self.scene.cloud.withdraw_maintenance()
        self.scene.wait(60)
        for one in self.scene.members(state="Standby"):
            self.scene.ec2("TerminateInstances", InstanceIds=[one])
        self.scene.wait(4 * 3600)
        entry = self.scene.shown()
        assert [one["LifecycleState"] for one in entry["Instances"]] == ["InService"] * entry["DesiredCapacity"]
        assert {one["HealthStatus"] for one in entry["Instances"]} <= {"Healthy"}
        assert spread(self.scene.cloud, "web") <= 1
        assert {self.scene.state(one) for one in self.scene.members()} <= {"running"}
        assert set(_open_refreshes(self.scene)) == set()


def _open_refreshes(scene: Scene) -> list[str]:
    shown = scene.asg("DescribeInstanceRefreshes", AutoScalingGroupName="web")["InstanceRefreshes"]
    return [one["Status"] for one in shown if one["Status"] not in ("Successful", "Cancelled", "Failed")]


TestGroupLife = GroupLife.TestCase
TestGroupLife.settings = settings(max_examples=40, stateful_step_count=30, deadline=None)
