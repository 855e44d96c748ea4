"""Instances as targets of load balancers: registered, healthy, failing, draining.

A target's health is worked out when somebody asks: it follows from when it was registered, from when its application
answers, and from when its health checks fall. A target group that no load balancer uses checks nothing, and says so.
A target that is deregistered drains until the requests in flight are answered, at most for the deregistration delay of
its group; connections of a Network Load Balancer stay open until that is over, and without a load balancer nothing is
in flight. The target groups themselves are somebody else's; their settings are asked for.

Source: the guides of Application and Network Load Balancers, "Deregistration delay".
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from math import ceil
from typing import Any

from spotward.sim.answers import Answer, Operation, Params
from spotward.sim.errors import ApiError
from spotward.sim.instances import Instance, Instances
from spotward.sim.region import Region
from spotward.sim.surroundings import Remembered

FIRST_CHECK_SECONDS = 5.0
"""From registration to the first health check; one that passes is enough for a new target."""

DEREGISTRATION_DELAY_SECONDS = 300.0
"""Of a target group whose owner has set none."""

_CONNECTIONS = frozenset({"TCP", "UDP", "TCP_UDP", "TLS", "QUIC", "TCP_QUIC"})
"""The protocols whose targets hold connections, and not requests."""

_NOT_REGISTERED = {
    "State": "unused",
    "Reason": "Target.NotRegistered",
    "Description": "Target is not registered to the target group",
}
_NOT_IN_USE = {
    "State": "unused",
    "Reason": "Target.NotInUse",
    "Description": "Target group is not configured to receive traffic from the load balancer",
}
_INITIAL = {
    "State": "initial",
    "Reason": "Elb.RegistrationInProgress",
    "Description": "Target registration is in progress",
}
_DRAINING = {
    "State": "draining",
    "Reason": "Target.DeregistrationInProgress",
    "Description": "Target deregistration is in progress",
}
_FAILED = {"State": "unhealthy", "Reason": "Target.FailedHealthChecks", "Description": "Health checks failed"}


@dataclass(slots=True, kw_only=True)
class Target:
    """One instance and port in one target group."""

    instance: Instance
    port: int
    registered_time: float
    interval_seconds: float
    """Between two health checks."""
    failures: int
    """How many failed checks in a row make it unhealthy."""
    draining_until: float | None = None


TargetKey = tuple[str, int]
"""(instance id, port)"""


class Targets:
    """The registered instances of every target group."""

    def __init__(self, region: Region, instances: Instances, surroundings: Remembered) -> None:
        """Empty at first."""
        self._region = region
        self._instances = instances
        self._around = surroundings
        self._registered: dict[str, dict[TargetKey, Target]] = {}
        self._slow: dict[str, float] = {}
        instances.listen(self._drop_terminated)

    def operations(self) -> dict[str, Operation]:
        """What this part answers."""
        return {
            "elbv2.RegisterTargets": self.register_targets,
            "elbv2.DeregisterTargets": self.deregister_targets,
            "elbv2.DescribeTargetHealth": self.describe_health,
        }

    def owns(self, params: Params) -> bool:
        """Is it a target group of instances? Those of addresses and functions are somebody else's."""
        found = self._around.target_group(params.get("TargetGroupArn", ""))
        return found is not None and found.get("TargetType", "instance") == "instance"

    # -- registering -------------------------------------------------------------------------------------------------

    def register(self, arn: str, instance: Instance, port: int | None = None) -> None:
        """Register an instance; one that drains is taken back. A target group that is gone takes nobody."""
        settings = self._around.target_group(arn)
        if settings is None:
            return
        key = (instance.id, port or int(settings.get("Port") or 80))
        known = self._registered.setdefault(arn, {}).get(key)
        if known is None or known.draining_until is not None:
            self._registered[arn][key] = Target(
                instance=instance,
                port=key[1],
                registered_time=self._region.now,
                interval_seconds=float(settings.get("HealthCheckIntervalSeconds") or 30),
                failures=int(settings.get("UnhealthyThresholdCount") or 2),
            )

    def requests_take(self, target_group: str, seconds: float | None) -> None:
        """From now on requests to target groups whose names match the glob take so long; None: as usual again."""
        self._slow.pop(target_group, None)
        if seconds is not None:
            self._slow[target_group] = seconds

    def deregister(self, arn: str, instance: Instance, port: int | None = None) -> float:
        """Let it drain. Returns for how many seconds."""
        found = [
            target
            for (instance_id, one_port), target in self._registered.get(arn, {}).items()
            if instance_id == instance.id and (port is None or port == one_port) and target.draining_until is None
        ]
        seconds = self._drain_seconds(arn, instance)
        for target in found:
            self._drain(arn, target, seconds)
        return seconds if found else 0.0

    def _drain_seconds(self, arn: str, instance: Instance) -> float:
        settings = self._around.target_group(arn) or {}
        if settings.get("LoadBalancerArns") == [] or instance.state != "running":
            return 0.0
        delay = float(settings.get("DeregistrationDelaySeconds", DEREGISTRATION_DELAY_SECONDS))
        if settings.get("Protocol") in _CONNECTIONS:
            return delay
        name = arn.split("/")[1] if "/" in arn else arn
        slow = [seconds for glob, seconds in self._slow.items() if fnmatchcase(name, glob)]
        return min(delay, slow[-1] if slow else self._region.timings.requests_in_flight_seconds)

    def _drain(self, arn: str, target: Target, seconds: float) -> None:
        until = target.draining_until = self._region.now + seconds
        key = (target.instance.id, target.port)

        def leave() -> None:
            if self._registered[arn].get(key) is target and target.draining_until == until:
                del self._registered[arn][key]

        self._region.at(until, leave)

    def _drop_terminated(self, instance: Instance, old: str) -> None:  # noqa: ARG002 - a listener hears both
        if instance.state == "terminated":
            for targets in self._registered.values():
                for key in [key for key in targets if key[0] == instance.id]:
                    del targets[key]

    # -- health ------------------------------------------------------------------------------------------------------

    def state(self, arn: str, instance: Instance) -> str:
        """The worst state of the instance in the target group: `healthy`, `initial`, `unhealthy`, `draining`, …"""
        found = [target for key, target in self._registered.get(arn, {}).items() if key[0] == instance.id]
        states = [self._health(arn, target)["State"] for target in found]
        return next((one for one in ("unhealthy", "draining", "initial", "unused") if one in states), "healthy")

    def failure_noticed_seconds(self, arn: str, instance: Instance) -> float | None:
        """How long after an application's failure its checks have failed often enough; None: not a target there."""
        for (instance_id, _), target in self._registered.get(arn, {}).items():
            if instance_id == instance.id:
                return target.interval_seconds * target.failures
        return None

    def _health(self, arn: str, target: Target) -> Mapping[str, str]:
        if target.draining_until is not None:
            return _DRAINING
        settings = self._around.target_group(arn) or {}
        if settings.get("LoadBalancerArns") == []:
            return _NOT_IN_USE
        if target.instance.state != "running":
            words = f"Target is in the {target.instance.state} state"
            return {"State": "unused", "Reason": "Target.InvalidState", "Description": words}
        if self._is_rebooting(target):
            return _FAILED
        failed = target.instance.application_failed_time
        if failed is not None and self._region.now >= failed + target.interval_seconds * target.failures:
            return _FAILED
        return {"State": "healthy"} if self._region.now >= self._healthy_time(target) else _INITIAL

    def _is_rebooting(self, target: Target) -> bool:
        """Have its checks fallen because of a reboot, and not yet passed again?"""
        down, back = target.instance.down_time, target.instance.back_time
        if down is None or back is None or down < target.registered_time:
            return False
        answers = back + self._region.timings.application_start_seconds
        return down + target.interval_seconds * target.failures <= self._region.now < answers

    def _healthy_time(self, target: Target) -> float:
        """The first health check after the application has begun to answer."""
        first = target.registered_time + FIRST_CHECK_SECONDS
        since = target.instance.running_since or self._region.now
        answers = since + self._region.timings.application_start_seconds
        return first + max(0, ceil((answers - first) / target.interval_seconds)) * target.interval_seconds

    # -- calls -------------------------------------------------------------------------------------------------------

    def register_targets(self, params: Params) -> Answer:
        """RegisterTargets: all or, when one does not run, none."""
        arn = self._arn(params)
        chosen = self._chosen(params["Targets"])
        idle = [instance.id for instance, _ in chosen if instance.state != "running"]
        if idle:
            raise ApiError(
                "InvalidTarget",
                f"The following targets are not in a running state and cannot be registered: {_quoted(idle)}",
            )
        for instance, port in chosen:
            self.register(arn, instance, port)
        return {}

    def deregister_targets(self, params: Params) -> Answer:
        """DeregisterTargets; one that is not registered is no error."""
        arn = self._arn(params)
        for one in params["Targets"]:
            instance = self._instances.by_id.get(one["Id"])
            if instance is not None:
                self.deregister(arn, instance, one.get("Port"))
        return {}

    def describe_health(self, params: Params) -> Answer:
        """DescribeTargetHealth: of the named targets or of all."""
        arn = self._arn(params)
        targets = self._registered.get(arn, {})
        if not params.get("Targets"):
            found = [self._entry(arn, target) for _, target in sorted(targets.items())]
            return {"TargetHealthDescriptions": found}
        entries: list[dict[str, Any]] = []
        for one in params["Targets"]:
            hits = [
                target
                for (instance_id, port), target in sorted(targets.items())
                if instance_id == one["Id"] and one.get("Port") in (None, port)
            ]
            entries += [self._entry(arn, target) for target in hits]
            if not hits:
                entries.append({"Target": dict(one), "TargetHealth": _NOT_REGISTERED})
        return {"TargetHealthDescriptions": entries}

    def _entry(self, arn: str, target: Target) -> dict[str, Any]:
        settings = self._around.target_group(arn) or {}
        port = str(settings.get("HealthCheckPort") or "traffic-port")
        return {
            "Target": {"Id": target.instance.id, "Port": target.port},
            "HealthCheckPort": str(target.port) if port == "traffic-port" else port,
            "TargetHealth": self._health(arn, target),
        }

    def _arn(self, params: Params) -> str:
        arn: str = params["TargetGroupArn"]
        if self._around.target_group(arn) is None:
            raise ApiError("TargetGroupNotFound", "One or more target groups not found")
        return arn

    def _chosen(self, targets: Sequence[Params]) -> Iterable[tuple[Instance, int | None]]:
        missing = [one["Id"] for one in targets if one["Id"] not in self._instances.by_id]
        if missing:
            raise ApiError("InvalidTarget", f"The following targets do not exist: {_quoted(missing)}")
        return [(self._instances.by_id[one["Id"]], one.get("Port")) for one in targets]


def _quoted(names: Iterable[str]) -> str:
    return ", ".join(f"'{name}'" for name in names)
