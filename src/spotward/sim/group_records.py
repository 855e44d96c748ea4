"""What is written on a group rather than done by it: tags, scaling activities."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from spotward.sim.activities import Activity
from spotward.sim.answers import Answer, Operation, Params, Values, page, paged, sieve
from spotward.sim.errors import ApiError
from spotward.sim.groups import Group, find_group, tag_entries
from spotward.sim.keeper import Keeper

RECORDS_PAGE = 100
"""Tags or activities on one page."""

TAGS_MAX = 50


class GroupRecords:
    """Tags and activities of the region's groups."""

    def __init__(self, keeper: Keeper) -> None:
        """Changes what the keeper keeps."""
        self._keeper = keeper

    def operations(self) -> dict[str, Operation]:
        """What this part answers."""
        return {
            "autoscaling.CreateOrUpdateTags": self.put_tags,
            "autoscaling.DeleteTags": self.delete_tags,
            "autoscaling.DescribeTags": self.describe_tags,
            "autoscaling.DescribeScalingActivities": self.describe_activities,
        }

    # -- tags --------------------------------------------------------------------------------------------------------

    def put_tags(self, params: Params) -> Answer:
        """CreateOrUpdateTags; instances that run already keep theirs."""
        for tag in params["Tags"]:
            group = self._tagged(tag)
            if tag["Key"].startswith("aws:"):
                raise ApiError("ValidationError", f"Tag keys beginning with aws: are reserved: {tag['Key']}")
            if tag["Key"] not in group.tags and len(group.tags) >= TAGS_MAX:
                raise ApiError("LimitExceeded", f"The maximum number of tags per resource is {TAGS_MAX}")
        for tag in params["Tags"]:
            group = self._tagged(tag)
            group.tags[tag["Key"]] = (tag.get("Value") or "", bool(tag.get("PropagateAtLaunch")))
            group.touch()
        return {}

    def delete_tags(self, params: Params) -> Answer:
        """DeleteTags; one that is not there is no error."""
        for tag in params["Tags"]:
            group = self._tagged(tag)
            value = group.tags.get(tag["Key"], ("", False))[0]
            if tag.get("Value") in (None, "", value):
                group.tags.pop(tag["Key"], None)
            group.touch()
        return {}

    def _tagged(self, tag: Params) -> Group:
        name = tag.get("ResourceId") or ""
        if name not in self._keeper.groups:
            raise ApiError("ValidationError", f"AutoScalingGroup not found - AutoScaling Group {name} not found")
        return self._keeper.groups[name]

    def describe_tags(self, params: Params) -> Answer:
        """DescribeTags, by group and key."""
        wanted = sieve(params.get("Filters"), _TAG_FILTERS.get)
        found = (entry for entry in self._every_tag() if wanted(entry))
        shown, token = page(found, params, key=_tag_order, size=RECORDS_PAGE, size_name="MaxRecords")
        return paged("Tags", shown, token)

    def _every_tag(self) -> Iterator[dict[str, Any]]:
        for _, group in sorted(self._keeper.groups.items()):
            yield from tag_entries(group)

    # -- activities --------------------------------------------------------------------------------------------------

    def describe_activities(self, params: Params) -> Answer:
        """DescribeScalingActivities, newest first."""
        name, asked = params.get("AutoScalingGroupName"), params.get("ActivityIds")
        deleted = self._keeper.deleted_activities if params.get("IncludeDeletedGroups") else []
        if name and not deleted:
            find_group(self._keeper.groups, name)
        groups = self._keeper.groups.values()
        found = [
            activity
            for activity in [*deleted, *(one for group in groups for one in group.activities)]
            if name in (None, activity.group) and (not asked or activity.id in asked)
        ]
        found.sort(key=_activity_order)
        shown, token = page(found, params, key=_activity_order, size=RECORDS_PAGE, size_name="MaxRecords")
        return paged("Activities", [activity.entry() for activity in shown], token)


def _tag_order(entry: Mapping[str, Any]) -> tuple[str, str]:
    return (entry["ResourceId"], entry["Key"])


def _activity_order(activity: Activity) -> tuple[float, str, int]:
    return (-activity.start_time, activity.group, -activity.number)


_TAG_FILTERS: Mapping[str, Values[dict[str, Any]]] = {
    "auto-scaling-group": lambda entry: str(entry["ResourceId"]),
    "key": lambda entry: str(entry["Key"]),
    "value": lambda entry: str(entry["Value"]),
    "propagate-at-launch": lambda entry: str(entry["PropagateAtLaunch"]).lower(),
}
