"""What costs further calls to know of a group: hooks, refresh, launch data, subnets, stack; and its members' health.

Asked only of a group that has something to do. Each question is one call, and all of them are asked at the same time. A
thing that is no more (a template, a stack, a target group) is an answer and not an error.
"""

import asyncio
from collections.abc import Iterable, Mapping

from spotward.aws.asking import ask
from spotward.aws.describe import Described, literal
from spotward.aws.session import Aws
from spotward.engine.ports import Clock
from spotward.model.cloud import Group, GroupDetails, LaunchSource, LifecycleHook
from spotward.model.errors import OutsideError

REFRESHING = frozenset({"Pending", "InProgress", "Baking", "Cancelling", "RollbackInProgress"})
"""Statuses of an instance refresh during which Auto Scaling replaces members itself."""

QUIET_STACK_STATES = frozenset({"REVIEW_IN_PROGRESS", "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS"})
"""A stack that says `in progress` and changes nothing of the group any more, or not yet."""

HEALTHY_TARGETS = frozenset({"healthy", "unavailable"})
"""`unavailable`: health checks are switched off, so nothing better will ever be said."""

NOT_IN_USE = "Target.NotInUse"
"""No listener sends to the target group, so that its targets are never checked."""

NOT_OFFERED = frozenset({"InvalidAction", "NotImplemented", "UnknownOperationException", "UnsupportedOperation"})
"""How an endpoint says that it does not have a call: AWS in some partitions by a code."""

UNREADABLE, UNREADABLE_TIMES = "UnreadableAnswer", 2
"""And emulators by a page of HTML. That may also have been a hiccup on the way, and a refresh that runs must not be
missed: so it is believed at the second time in a row, and only where all else was answered well."""

NOT_OFFERED_AGE_SECONDS = 600.0
"""For how long it is believed."""

STACK_NAME_TAG, STACK_ID_TAG = "aws:cloudformation:stack-name", "aws:cloudformation:stack-id"


class DetailReader:
    """Reads details of groups. Subnets never change their zone, so each is asked for once in a process."""

    def __init__(self, aws: Aws, clock: Clock) -> None:
        self._aws, self._clock = aws, clock
        self._zone_of: dict[str, str] = {}
        self._no_refresh_until: dict[str, float] = {}

    async def details(self, group: Group) -> GroupDetails:
        """All of it. Raises OutsideError."""
        hooks, refreshing, (problem, protected), zones, stack = await asyncio.gather(
            self._hooks(group), self._refreshing(group), self._launch(group), self._zones(group), self._stack(group)
        )
        if refreshing is None:
            self._no_refresh_until[group.region] = self._clock.now() + NOT_OFFERED_AGE_SECONDS
        return GroupDetails(
            hooks=hooks,
            refresh_in_progress=bool(refreshing),
            launch_problem=problem,
            termination_protected=protected,
            subnets=zones,
            stack_busy=stack,
        )

    async def unhealthy(self, group: Group) -> tuple[str, ...]:
        """Members that one of the group's load balancers does not hold healthy, or does not know (yet)."""
        healthy = await asyncio.gather(
            *(self._healthy_targets(group.region, arn) for arn in group.target_groups),
            *(self._in_service(group.region, name) for name in group.load_balancers),
        )
        return tuple(
            m.instance_id for m in group.members if any(h is not None and m.instance_id not in h for h in healthy)
        )

    # ---- details -----------------------------------------------------------------------------------------------------

    async def _hooks(self, group: Group) -> tuple[LifecycleHook, ...]:
        return await ask(
            self._aws,
            group.region,
            "autoscaling",
            "describe_lifecycle_hooks",
            _read_hooks,
            AutoScalingGroupName=group.name,
        )

    async def _refreshing(self, group: Group) -> bool | None:
        """None: there is no such call."""
        if self._clock.now() < self._no_refresh_until.get(group.region, 0.0):
            return False
        for _ in range(UNREADABLE_TIMES):
            try:
                return await self._refresh_runs(group)
            except OutsideError as error:
                if error.code in NOT_OFFERED:
                    return None
                if error.code != UNREADABLE:
                    raise
        return None

    async def _refresh_runs(self, group: Group) -> bool:
        return await ask(
            self._aws,
            group.region,
            "autoscaling",
            "describe_instance_refreshes",
            lambda a: any(each["Status"] in REFRESHING for each in a["InstanceRefreshes"]),
            once=True,
            AutoScalingGroupName=group.name,
            MaxRecords=1,
        )

    async def _launch(self, group: Group) -> tuple[str | None, bool]:
        """What is wrong with the launch data (None if nothing), and whether it protects instances from termination."""
        if group.launch is None:
            return None, False
        if group.launch.configuration is not None:
            return await self._configuration_problem(group.region, group.launch), False
        try:
            data = await ask(
                self._aws,
                group.region,
                "ec2",
                "describe_launch_template_versions",
                lambda a: next((each["LaunchTemplateData"] for each in a["LaunchTemplateVersions"]), None),
                LaunchTemplateId=group.launch.template_id,
                Versions=[group.launch.template_version],
            )
        except OutsideError as error:
            if not error.code.startswith("InvalidLaunchTemplate"):
                raise
            data = None
        return template_problem(group.launch, data), bool(data and data.get("DisableApiTermination"))

    async def _configuration_problem(self, region: str, launch: LaunchSource) -> str | None:
        found = await ask(
            self._aws,
            region,
            "autoscaling",
            "describe_launch_configurations",
            lambda a: bool(a["LaunchConfigurations"]),
            LaunchConfigurationNames=[launch.configuration],
        )
        return None if found else _gone(launch)

    async def _zones(self, group: Group) -> Mapping[str, str]:
        """Subnet id → zone; a subnet that is no more is left out."""
        unknown = [subnet for subnet in group.subnet_ids if subnet not in self._zone_of]
        if unknown:
            found = await ask(
                self._aws,
                group.region,
                "ec2",
                "describe_subnets",
                lambda a: {each["SubnetId"]: each["AvailabilityZone"] for each in a["Subnets"]},
                Filters=[{"Name": "subnet-id", "Values": [literal(subnet) for subnet in unknown]}],
            )
            self._zone_of.update(found)
        return {subnet: self._zone_of[subnet] for subnet in group.subnet_ids if subnet in self._zone_of}

    async def _stack(self, group: Group) -> str | None:
        name = group.tags.get(STACK_NAME_TAG)
        if name is None:
            return None
        try:
            status = await ask(
                self._aws,
                group.region,
                "cloudformation",
                "describe_stacks",
                lambda a: str(a["Stacks"][0]["StackStatus"]),
                StackName=group.tags.get(STACK_ID_TAG) or name,
            )
        except OutsideError as error:
            if error.code == "ValidationError":  # "Stack with id ... does not exist"
                return None
            raise
        busy = status.endswith("_IN_PROGRESS") and status not in QUIET_STACK_STATES
        return f"{name} is {status}" if busy else None

    # ---- health ------------------------------------------------------------------------------------------------------

    async def _healthy_targets(self, region: str, arn: str) -> frozenset[str] | None:
        """Ids of the healthy targets; None for a target group that is no more, or that nothing is sent to."""
        try:
            return await ask(self._aws, region, "elbv2", "describe_target_health", _read_targets, TargetGroupArn=arn)
        except OutsideError as error:
            if error.code == "TargetGroupNotFound":
                return None
            raise

    async def _in_service(self, region: str, name: str) -> frozenset[str] | None:
        """Ids of the instances that a classic load balancer sends to; None if it is no more."""
        try:
            return await ask(
                self._aws,
                region,
                "elb",
                "describe_instance_health",
                lambda a: frozenset(each["InstanceId"] for each in a["InstanceStates"] if each["State"] == "InService"),
                LoadBalancerName=name,
            )
        except OutsideError as error:
            if error.code == "LoadBalancerNotFound":
                return None
            raise


def template_problem(launch: LaunchSource, data: Described | None) -> str | None:
    """Why nothing can be launched from a template's data, in words; None if it can."""
    if data is None:
        return _gone(launch)
    if data.get("InstanceMarketOptions"):
        return (
            f"{launch.words} asks for Spot itself (InstanceMarketOptions), which a fleet refuses; take that out of it"
        )
    if not data.get("ImageId"):
        return f"{launch.words} names no image; add one to it"
    return None


def _gone(launch: LaunchSource) -> str:
    return f"{launch.words} is gone; point the group to one that exists"


def _read_hooks(answer: Described) -> tuple[LifecycleHook, ...]:
    return tuple(
        LifecycleHook(
            name=each["LifecycleHookName"],
            transition=each["LifecycleTransition"],
            heartbeat_timeout_seconds=int(each.get("HeartbeatTimeout") or 3600),
            default_result=each.get("DefaultResult") or "ABANDON",
        )
        for each in answer["LifecycleHooks"]
    )


def _read_targets(answer: Described) -> frozenset[str] | None:
    described: Iterable[Described] = answer["TargetHealthDescriptions"]
    every = [(each["Target"]["Id"], each["TargetHealth"]) for each in described]
    if every and all(health.get("Reason") == NOT_IN_USE for _, health in every):
        return None
    return frozenset(
        target for target, health in every if health["State"] in HEALTHY_TARGETS or health.get("Reason") == NOT_IN_USE
    )
