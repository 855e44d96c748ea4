"""What must hold in the virtual region whatever Spotward does, for the demo, the simulator and the tests.

A `Watch` looks on while clients call. It knows three kinds of breach:
- a call took a member out of service although the group then served less than its owner asked for. Losses that AWS
  causes (interruptions, failures) are no client's doing and no breach;
- a group that was to be left alone, or only to be put back as it was, has changed;
- an instance that Spotward launched belongs to nobody and runs on.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from spotward.sim.cloud import Cloud

OUR_TAGS = "spotward:"
"""The prefix of the tags on what Spotward creates."""

_TAKING = frozenset(
    {
        "autoscaling.DetachInstances",
        "autoscaling.EnterStandby",
        "autoscaling.SetInstanceHealth",
        "autoscaling.TerminateInstanceInAutoScalingGroup",
        "ec2.StopInstances",
        "ec2.TerminateInstances",
    }
)
"""The calls by which a client can take members out of service."""

_OWNERS = ("MinSize", "MaxSize", "DesiredCapacity", "SuspendedProcesses", "Tags")
"""What must be as it was when Spotward is done with a group."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Breach:
    """Something that must not happen has happened."""

    time: float
    subject: str
    """A group or an instance."""
    words: str

    def __str__(self) -> str:
        """For a person."""
        return f"{self.subject}: {self.words}"


class Watch:
    """Looks on in one region and remembers every breach."""

    def __init__(self, cloud: Cloud) -> None:
        """From now on."""
        self._cloud = cloud
        self._serving: dict[str, int] = {}
        self._wanted: dict[str, int] = {}
        self._still: dict[str, str] = {}
        self._owned: dict[str, dict[str, Any]] = {}
        self.breaches: list[Breach] = []
        cloud.watch(self)

    # -- calls -------------------------------------------------------------------------------------------------------

    def before(self, operation: str, params: Mapping[str, Any]) -> None:
        """A client is about to take members out of service: remember what the groups have."""
        if operation in _TAKING:
            self._serving = {group: serving(self._cloud, group) for group in self._touched(params)}
            self._wanted = {group: self._cloud.owners_capacity(group) or 0 for group in self._serving}

    def after(self, operation: str, params: Mapping[str, Any]) -> None:  # noqa: ARG002 - a witness hears both
        """It is done: has it left a group with less than its owner asked for?"""
        if operation not in _TAKING:
            return
        for group, before in self._serving.items():
            now, wanted = serving(self._cloud, group), self._wanted[group]
            if now < min(before, wanted):
                name = operation.split(".")[1]
                self._breach(group, f"{name} took it from {before} to {now} in service; its owner asked for {wanted}")

    def _touched(self, params: Mapping[str, Any]) -> set[str]:
        """The groups of the instances that the call names."""
        ids = [*(params.get("InstanceIds") or ()), *([params["InstanceId"]] if params.get("InstanceId") else ())]
        found = (self._cloud.group_of(one) for one in ids)
        return {group for group in found if group is not None}

    # -- groups ------------------------------------------------------------------------------------------------------

    def leave_alone(self, group: str) -> None:
        """From now on nothing about the group or its instances may change."""
        self._still[group] = fingerprint(self._cloud, group)

    def put_back(self, group: str) -> None:
        """In the end the group's sizes, processes and tags must be what they are now."""
        self._owned[group] = owners_settings(self._cloud, group)

    # -- the end -----------------------------------------------------------------------------------------------------

    def look(self) -> list[Breach]:
        """Every breach so far, groups that were to be left alone included."""
        for group, before in list(self._still.items()):
            if fingerprint(self._cloud, group) != before:
                self._breach(group, "it was to be left alone and has changed")
                del self._still[group]
        return list(self.breaches)

    def look_at_rest(self) -> list[Breach]:
        """As `look`, when everything is said to be done: nothing of ours may be left lying about."""
        self.look()
        for group, before in self._owned.items():
            now = owners_settings(self._cloud, group)
            for name in _OWNERS:
                if now.get(name) != before.get(name):
                    self._breach(group, f"{name} was {before.get(name)} and is left at {now.get(name)}")
        for instance_id in orphans(self._cloud):
            self._breach(instance_id, "Spotward launched it, no group has it, and it runs on")
        return list(self.breaches)

    def _breach(self, subject: str, words: str) -> None:
        self.breaches.append(Breach(time=self._cloud.now, subject=subject, words=words))


def fingerprint(cloud: Cloud, group: str) -> str:
    """Everything that AWS tells of the group and its instances, as text that can be compared byte for byte."""
    entry = _group(cloud, group)
    mine = [{"Name": "tag:aws:autoscaling:groupName", "Values": [group]}]
    instances = [one for one in _instances(cloud, mine) if one["State"]["Name"] != "terminated"]
    return json.dumps([entry, instances], sort_keys=True, default=str)


def owners_settings(cloud: Cloud, group: str) -> dict[str, Any]:
    """What the owner set: sizes, suspended processes (whatever the reason shown), tags; empty when it is gone."""
    entry = _group(cloud, group)
    found = {name: entry[name] for name in _OWNERS if name in entry}
    if "SuspendedProcesses" in found:
        found["SuspendedProcesses"] = sorted(one["ProcessName"] for one in found["SuspendedProcesses"])
    return found


def serving(cloud: Cloud, group: str) -> int:
    """How many members are InService, healthy in their group's eyes, and not on their way out in EC2's."""
    members = [one for one in _group(cloud, group).get("Instances", ()) if one["LifecycleState"] == "InService"]
    healthy = {one["InstanceId"] for one in members if one["HealthStatus"] == "Healthy"}
    mine = [{"Name": "tag:aws:autoscaling:groupName", "Values": [group]}]
    running = {one["InstanceId"] for one in _instances(cloud, mine) if one["State"]["Name"] == "running"}
    return len(healthy & running)


def orphans(cloud: Cloud) -> list[str]:
    """Instances with a tag of ours that live and are nobody's members. Meant for a region at rest."""
    live = {"Name": "instance-state-name", "Values": ["pending", "running", "stopping", "stopped"]}
    ours = {"Name": "tag-key", "Values": [f"{OUR_TAGS}*"]}
    found = (one["InstanceId"] for one in _instances(cloud, [ours, live]))
    return [one for one in found if cloud.group_of(one) is None]


def spread(cloud: Cloud, group: str) -> int:
    """How many more members in service the fullest of the group's zones has than the emptiest."""
    entry = _group(cloud, group)
    counts = dict.fromkeys(entry.get("AvailabilityZones", ()), 0)
    for one in entry.get("Instances", ()):
        if one["LifecycleState"] == "InService" and one["AvailabilityZone"] in counts:
            counts[one["AvailabilityZone"]] += 1
    return max(counts.values(), default=0) - min(counts.values(), default=0)


def _group(cloud: Cloud, group: str) -> Mapping[str, Any]:
    asked = {"AutoScalingGroupNames": [group]}
    found = cloud.call("autoscaling.DescribeAutoScalingGroups", asked, time=cloud.now)["AutoScalingGroups"]
    return found[0] if found else {}


def _instances(cloud: Cloud, filters: Iterable[Mapping[str, Any]]) -> Iterator[Mapping[str, Any]]:
    answer = cloud.call("ec2.DescribeInstances", {"Filters": list(filters)}, time=cloud.now)
    for reservation in answer["Reservations"]:
        yield from reservation["Instances"]
