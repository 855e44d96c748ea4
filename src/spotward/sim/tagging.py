"""EC2's CreateTags, DeleteTags and DescribeTags, for what lives in this region.

Instances and what is born with them (interfaces, Spot requests), volumes, launch templates and fleets; networks, images
and the rest are somebody else's, and so are their tags.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from spotward.sim.answers import Answer, Operation, Params, Values, page, paged, sieve
from spotward.sim.errors import ApiError
from spotward.sim.fleets import Fleets
from spotward.sim.instances import Instances
from spotward.sim.templates import Templates
from spotward.sim.volumes import Volumes

TAGS_PAGE = 1000
TAGS_MAX = 50
"""Tags of one resource that are not AWS's own."""

KINDS = {
    "i": "instance",
    "vol": "volume",
    "eni": "network-interface",
    "sir": "spot-instances-request",
    "lt": "launch-template",
    "fleet": "fleet",
}
"""The prefix of an id -> what the id names."""

_ALWAYS_OURS = frozenset({"i", "sir", "lt", "fleet"})


@dataclass(frozen=True, slots=True, kw_only=True)
class _Tag:
    resource: str
    key: str
    value: str

    @property
    def kind(self) -> str:
        return KINDS[_prefix(self.resource)]


class Tagging:
    """The tags of one region's EC2 resources."""

    def __init__(self, instances: Instances, volumes: Volumes, templates: Templates, fleets: Fleets) -> None:
        """Tags are kept by the resources themselves."""
        self._instances = instances
        self._volumes = volumes
        self._templates = templates
        self._fleets = fleets

    def operations(self) -> dict[str, Operation]:
        """What this part answers."""
        return {"ec2.CreateTags": self.create, "ec2.DeleteTags": self.delete, "ec2.DescribeTags": self.describe}

    # -- whose is it -------------------------------------------------------------------------------------------------

    def owns(self, operation: str, params: Params) -> bool:
        """Are all the resources that the call names ours?"""
        if operation == "ec2.DescribeTags":
            return self._owns_description(params)
        resources = params.get("Resources") or ()
        return bool(resources) and all(self._is_ours(one) for one in resources)

    def _owns_description(self, params: Params) -> bool:
        asked = {one.get("Name"): one.get("Values") or () for one in params.get("Filters") or ()}
        if "resource-id" in asked:
            return all(self._is_ours(one) for one in asked["resource-id"])
        ours = {KINDS[prefix] for prefix in _ALWAYS_OURS}
        return bool(asked.get("resource-type")) and all(kind in ours for kind in asked["resource-type"])

    def _is_ours(self, resource: str) -> bool:
        known = resource in self._instances.by_part or resource in self._volumes.by_id
        return known or _prefix(resource) in _ALWAYS_OURS

    # -- calls -------------------------------------------------------------------------------------------------------

    def create(self, params: Params) -> Answer:
        """CreateTags: all resources or, when one does not exist, none."""
        tags = {tag["Key"]: tag.get("Value", "") for tag in params["Tags"]}
        if any(key.startswith("aws:") for key in tags):
            raise ApiError("InvalidParameterValue", "Tag keys starting with 'aws:' are reserved for internal use")
        for resource in params["Resources"]:
            kept = self._tags(resource)
            if sum(not key.startswith("aws:") for key in {**kept, **tags}) > TAGS_MAX:
                raise ApiError("TagLimitExceeded", "You have reached the maximum number of tags.")
        for resource in params["Resources"]:
            self._set(resource, tags)
        return {}

    def delete(self, params: Params) -> Answer:
        """DeleteTags: those keys (with that value, when one is given), or all but AWS's own."""
        for resource in params["Resources"]:
            kept = self._tags(resource)
            asked = {tag["Key"]: tag.get("Value") for tag in params.get("Tags") or ()}
            if any(key.startswith("aws:") for key in asked):
                raise ApiError("InvalidParameterValue", "Tag keys starting with 'aws:' are reserved for internal use")
            wanted = asked or dict.fromkeys(key for key in kept if not key.startswith("aws:"))
            self._remove(resource, [key for key, value in wanted.items() if value is None or kept.get(key) == value])
        return {}

    def describe(self, params: Params) -> Answer:
        """DescribeTags, by resource and key."""
        wanted = sieve(params.get("Filters"), _FILTERS.get)
        found = sorted((one for one in self._every() if wanted(one)), key=_order)
        shown, token = page(found, params, key=_order, size=TAGS_PAGE)
        entries = [
            {"Key": one.key, "ResourceId": one.resource, "ResourceType": one.kind, "Value": one.value} for one in shown
        ]
        return paged("Tags", entries, token)

    # -- where tags are kept -----------------------------------------------------------------------------------------

    def _tags(self, resource: str) -> Mapping[str, str]:
        """The resource's tags. Raises ApiError when there is no such resource."""
        for kept in (self._instances.by_id, self._volumes.by_id, self._templates.by_id, self._fleets.by_id):
            if resource in kept:
                return kept[resource].tags
        if resource in self._instances.by_part:
            return self._instances.by_part[resource].part_tags[resource]
        kind = KINDS.get(_prefix(resource), "resource").replace("-", " ")
        code = "InvalidInstanceID.NotFound" if kind == "instance" else "InvalidID"
        raise ApiError(code, f"The {kind} ID '{resource}' does not exist")

    def _set(self, resource: str, tags: Mapping[str, str]) -> None:
        if resource in self._instances.by_id:
            self._instances.tag(self._instances.by_id[resource], tags)
        else:
            self._kept_apart(resource).update(tags)

    def _remove(self, resource: str, keys: Iterable[str]) -> None:
        if resource in self._instances.by_id:
            self._instances.untag(self._instances.by_id[resource], keys)
            return
        for key in keys:
            self._kept_apart(resource).pop(key, None)

    def _kept_apart(self, resource: str) -> dict[str, str]:
        if resource in self._instances.by_part:
            return self._instances.by_part[resource].part_tags[resource]
        if resource in self._volumes.by_id:
            return self._volumes.by_id[resource].tags
        if resource in self._templates.by_id:
            return self._templates.by_id[resource].tags
        return self._fleets.by_id[resource].tags

    def _every(self) -> Iterator[_Tag]:
        for name, instance in self._instances.by_id.items():
            yield from _listed(name, instance.tags)
            for part, tags in instance.part_tags.items():
                yield from _listed(part, tags)
        for name, volume in self._volumes.by_id.items():
            yield from _listed(name, volume.tags)
        for name, template in self._templates.by_id.items():
            yield from _listed(name, template.tags)
        for name, fleet in self._fleets.by_id.items():
            yield from _listed(name, fleet.tags)


def _prefix(resource: str) -> str:
    return resource.split("-", 1)[0]


def _listed(resource: str, tags: Mapping[str, str]) -> Iterator[_Tag]:
    for key, value in tags.items():
        yield _Tag(resource=resource, key=key, value=value)


def _order(tag: _Tag) -> tuple[str, str]:
    return (tag.resource, tag.key)


_FILTERS: Mapping[str, Values[_Tag]] = {
    "key": lambda tag: tag.key,
    "resource-id": lambda tag: tag.resource,
    "resource-type": lambda tag: tag.kind,
    "tag-key": lambda tag: tag.key,
    "value": lambda tag: tag.value,
}
