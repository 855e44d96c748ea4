"""Instance refresh: a group replaces its members, batch by batch, keeping enough of them healthy.

With a minimum healthy percentage below 100 a batch is terminated first and the group fills the gap itself; with a
maximum above 100 the batch is handed over, new members first. A batch is over when all members serve and the newest
have been warm for long enough.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import floor
from typing import Any

from spotward.sim.answers import Answer, Operation, Params, page, paged
from spotward.sim.errors import ApiError
from spotward.sim.groups import Group, Member, find_group
from spotward.sim.keeper import Keeper
from spotward.sim.membership import Membership
from spotward.sim.purchasing import Purchasing
from spotward.sim.region import Region, stamp, when

REFRESHES_PAGE = 100
OPEN = frozenset({"Pending", "InProgress", "Cancelling"})

PREFERENCE_DEFAULTS: Mapping[str, Any] = {
    "MinHealthyPercentage": 90,
    "MaxHealthyPercentage": 100,
    "SkipMatching": False,
    "AutoRollback": False,
    "ScaleInProtectedInstances": "Ignore",
    "StandbyInstances": "Ignore",
}


@dataclass(slots=True, kw_only=True)
class Refresh:
    """One instance refresh."""

    id: str
    number: int
    group: str
    start_time: float
    preferences: Mapping[str, Any]
    desired_configuration: Mapping[str, Any] | None
    remaining: list[str]
    """The members still to be replaced, by id."""
    total: int
    status: str = "Pending"
    reason: str = ""
    end_time: float | None = None


class Refreshes:
    """The instance refreshes of the region."""

    def __init__(self, region: Region, keeper: Keeper, membership: Membership, purchasing: Purchasing) -> None:
        """Goes on at each of the keeper's looks."""
        self._region = region
        self._keeper = keeper
        self._membership = membership
        self._purchasing = purchasing
        self._all: dict[str, list[Refresh]] = {}
        self._made = 0
        keeper.on_look(self.proceed)

    def operations(self) -> dict[str, Operation]:
        """What this part answers."""
        return {
            "autoscaling.StartInstanceRefresh": self.start,
            "autoscaling.CancelInstanceRefresh": self.cancel,
            "autoscaling.DescribeInstanceRefreshes": self.describe,
        }

    # -- calls -------------------------------------------------------------------------------------------------------

    def start(self, params: Params) -> Answer:
        """StartInstanceRefresh, one at a time per group."""
        group = find_group(self._keeper.groups, params["AutoScalingGroupName"])
        if self._open(group) is not None:
            raise ApiError(
                "InstanceRefreshInProgress",
                "An Instance Refresh is already in progress and blocks the execution of this Instance Refresh.",
            )
        if params.get("Strategy", "Rolling") != "Rolling":
            raise ApiError("ValidationError", "The embedded cloud refreshes with the strategy Rolling only.")
        desired = params.get("DesiredConfiguration")
        for setting in ("LaunchTemplate", "MixedInstancesPolicy"):
            if desired and desired.get(setting):
                group.settings[setting] = desired[setting]
        self._made += 1
        refresh = Refresh(
            id=self._region.new_uuid("refresh"),
            number=self._made,
            group=group.name,
            start_time=self._region.now,
            preferences={**PREFERENCE_DEFAULTS, **(params.get("Preferences") or {})},
            desired_configuration=desired,
            remaining=[],
            total=0,
        )
        refresh.remaining = [member.id for member in group.counted() if self._is_due(group, member, refresh)]
        refresh.total = len(refresh.remaining)
        self._all.setdefault(group.name, []).insert(0, refresh)
        self._keeper.wake(group)
        return {"InstanceRefreshId": refresh.id}

    def cancel(self, params: Params) -> Answer:
        """CancelInstanceRefresh: what is under way is finished, nothing new is begun."""
        group = find_group(self._keeper.groups, params["AutoScalingGroupName"])
        refresh = self._open(group)
        if refresh is None:
            raise ApiError(
                "ActiveInstanceRefreshNotFound",
                f"No in progress or pending Instance Refresh found for Auto Scaling group {group.name}",
            )
        refresh.status, refresh.reason = "Cancelling", "Cancelled due to user request."
        self._keeper.wake(group)
        return {"InstanceRefreshId": refresh.id}

    def describe(self, params: Params) -> Answer:
        """DescribeInstanceRefreshes, newest first."""
        group = find_group(self._keeper.groups, params["AutoScalingGroupName"])
        asked = params.get("InstanceRefreshIds")
        found = [one for one in self._all.get(group.name, ()) if not asked or one.id in asked]
        shown, token = page(found, params, key=lambda one: -one.number, size=REFRESHES_PAGE, size_name="MaxRecords")
        return paged("InstanceRefreshes", [_entry(one) for one in shown], token)

    def _open(self, group: Group) -> Refresh | None:
        return next((one for one in self._all.get(group.name, ()) if one.status in OPEN), None)

    # -- going on ----------------------------------------------------------------------------------------------------

    def proceed(self, group: Group) -> None:
        """Begin the next batch when the last one is over."""
        refresh = self._open(group)
        if refresh is None or not all(group.runs(one) for one in ("InstanceRefresh", "Launch", "Terminate")):
            return
        counted = {member.id for member in group.counted()}
        refresh.remaining = [one for one in refresh.remaining if one in counted]
        if not self._is_settled(group, refresh):
            return
        if refresh.status == "Cancelling":
            self._end(refresh, "Cancelled")
        elif not refresh.remaining:
            self._end(refresh, "Successful")
        else:
            refresh.status = "InProgress"
            self._next_batch(group, refresh)

    def _is_settled(self, group: Group, refresh: Refresh) -> bool:
        """Do all serve, and are those that came during the refresh warm? Asks for a later look when not."""
        if group.handovers or len(group.in_service()) < group.desired:
            return False
        warmup = refresh.preferences.get("InstanceWarmup")
        if warmup is None:
            warmup = group.settings.get("DefaultInstanceWarmup")
        seconds = group.grace_seconds if warmup is None or warmup < 0 else float(warmup)
        since = [
            one.in_service_time or 0.0 for one in group.in_service() if one.instance.launch_time > refresh.start_time
        ]
        left = max(since, default=0.0) + seconds - self._region.now
        if left > 0:
            self._keeper.wake(group, left)
        return left <= 0

    def _next_batch(self, group: Group, refresh: Refresh) -> None:
        least, most = (int(refresh.preferences[f"{word}HealthyPercentage"]) for word in ("Min", "Max"))
        above = floor(group.desired * (most - 100) / 100)
        below = floor(group.desired * (100 - least) / 100)
        words = f"in response to an instance refresh ({refresh.id})."
        for name in refresh.remaining[: max(1, above or below)]:
            member = group.members[name]
            if most <= 100:
                cause = f"At {stamp(self._region.now)} instance {name} was taken out of service {words}"
                self._membership.retire(group, member, cause)
            elif not self._keeper.hand_over(group, member, *_words(member, words)):
                self._keeper.wake(group, self._region.timings.launch_retry_seconds)
                return

    def _is_due(self, group: Group, member: Member, refresh: Refresh) -> bool:
        if member.protected and refresh.preferences["ScaleInProtectedInstances"] != "Refresh":
            return False
        if not refresh.preferences["SkipMatching"]:
            return True
        return member.source != self._purchasing.current_source(group)

    def _end(self, refresh: Refresh, status: str) -> None:
        refresh.status, refresh.end_time = status, self._region.now


def _words(member: Member, words: str) -> tuple[str, str]:
    return f"an instance was launched {words}", f"instance {member.id} was taken out of service {words}"


def _entry(refresh: Refresh) -> dict[str, Any]:
    done = refresh.total - len(refresh.remaining)
    entry: dict[str, Any] = {
        "InstanceRefreshId": refresh.id,
        "AutoScalingGroupName": refresh.group,
        "Status": refresh.status,
        "StartTime": when(refresh.start_time),
        "PercentageComplete": 100 if not refresh.total else 100 * done // refresh.total,
        "InstancesToUpdate": len(refresh.remaining),
        "Preferences": dict(refresh.preferences),
        "Strategy": "Rolling",
    }
    if refresh.reason:
        entry["StatusReason"] = refresh.reason
    if refresh.end_time is not None:
        entry["EndTime"] = when(refresh.end_time)
    if refresh.desired_configuration:
        entry["DesiredConfiguration"] = dict(refresh.desired_configuration)
    return entry
