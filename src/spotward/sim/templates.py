"""Launch templates: names, versions, and what a reference to one resolves to.

Data is kept exactly as it was given, so a launch from it loses nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from spotward.sim.answers import Answer, Operation, Params, Values, page, paged, sieve, tag_list, tags_for
from spotward.sim.errors import ApiError
from spotward.sim.region import Region, when
from spotward.sim.tokens import ClientTokens, Show

TEMPLATES_PAGE = 200
"""Templates or versions on one page, as on AWS."""


@dataclass(slots=True, kw_only=True)
class Version:
    """One version; it never changes."""

    number: int
    data: Mapping[str, Any]
    description: str | None
    create_time: float


@dataclass(slots=True, kw_only=True)
class Template:
    """One launch template."""

    id: str
    name: str
    create_time: float
    versions: dict[int, Version]
    default: int = 1
    latest: int = 1
    made: int = 1
    """How many versions there ever were: AWS never uses a number twice."""
    tags: dict[str, str] = field(default_factory=dict)

    def version(self, asked: str | None) -> Version:
        """The version that `asked` names: a number, `$Latest`, `$Default` or None (the default)."""
        number = {"$Latest": self.latest, "$Default": self.default, None: self.default}.get(asked)
        if number is None and str(asked).isdigit():
            number = int(str(asked))
        if number is None or number not in self.versions:
            raise ApiError(
                "InvalidLaunchTemplateId.VersionNotFound",
                f"Could not find the specified version {asked} for the launch template with ID {self.id}.",
            )
        return self.versions[number]


class Templates:
    """Every launch template of the region."""

    def __init__(self, region: Region, tokens: ClientTokens) -> None:
        """Empty at first."""
        self._region = region
        self._tokens = tokens
        self.by_id: dict[str, Template] = {}
        self._by_name: dict[str, Template] = {}

    def operations(self) -> dict[str, Operation]:
        """What this part answers."""
        return {
            "ec2.CreateLaunchTemplate": self.create,
            "ec2.CreateLaunchTemplateVersion": self.create_version,
            "ec2.ModifyLaunchTemplate": self.modify,
            "ec2.DeleteLaunchTemplate": self.delete,
            "ec2.DeleteLaunchTemplateVersions": self.delete_versions,
            "ec2.DescribeLaunchTemplates": self.describe,
            "ec2.DescribeLaunchTemplateVersions": self.describe_versions,
        }

    def find(self, reference: Params) -> Template:
        """The template that LaunchTemplateId or LaunchTemplateName names. Raises ApiError when there is none."""
        template_id, name = reference.get("LaunchTemplateId"), reference.get("LaunchTemplateName")
        if template_id and name:
            raise ApiError("InvalidParameterCombination", "Specify either a launch template ID or a name, not both.")
        if template_id:
            return self._with_id(template_id)
        if not name:
            raise ApiError("MissingParameter", "Either a launch template ID or a launch template name is required.")
        if name not in self._by_name:
            raise ApiError(
                "InvalidLaunchTemplateName.NotFoundException",
                f"The specified launch template, with template name {name}, does not exist.",
            )
        return self._by_name[name]

    def _with_id(self, template_id: str) -> Template:
        if not template_id.startswith("lt-"):
            raise ApiError("InvalidLaunchTemplateId.Malformed", f"Invalid id: '{template_id}'")
        if template_id not in self.by_id:
            raise ApiError(
                "InvalidLaunchTemplateId.NotFound",
                f"The specified launch template, with template ID {template_id}, does not exist.",
            )
        return self.by_id[template_id]

    def resolve(self, reference: Params) -> tuple[Template, Version]:
        """The template and version that a LaunchTemplateSpecification means now."""
        template = self.find(reference)
        return template, template.version(reference.get("Version"))

    # -- changes -----------------------------------------------------------------------------------------------------

    def create(self, params: Params) -> Answer:
        """CreateLaunchTemplate."""
        return self._tokens.once("CreateLaunchTemplate", params, lambda: self._create(params))

    def _create(self, params: Params) -> Show:
        name = params["LaunchTemplateName"]
        if name in self._by_name:
            raise ApiError("InvalidLaunchTemplateName.AlreadyExistsException", "Launch template name already in use.")
        template = Template(
            id=self._region.new_id("lt"),
            name=name,
            create_time=self._region.now,
            versions={1: self._version(1, params)},
            tags=tags_for("launch-template", params.get("TagSpecifications")),
        )
        self.by_id[template.id] = self._by_name[name] = template
        return lambda: {"LaunchTemplate": self._template(template)}

    def create_version(self, params: Params) -> Answer:
        """CreateLaunchTemplateVersion; SourceVersion gives what the new data leaves out."""
        return self._tokens.once("CreateLaunchTemplateVersion", params, lambda: self._create_version(params))

    def _create_version(self, params: Params) -> Show:
        template = self.find(params)
        data = dict(params["LaunchTemplateData"])
        if params.get("SourceVersion"):
            data = {**template.version(params["SourceVersion"]).data, **data}
        template.made += 1
        template.latest = template.made
        version = self._version(template.made, {**params, "LaunchTemplateData": data})
        template.versions[template.made] = version
        return lambda: {"LaunchTemplateVersion": self._version_entry(template, version)}

    def _version(self, number: int, params: Params) -> Version:
        return Version(
            number=number,
            data=params["LaunchTemplateData"],
            description=params.get("VersionDescription"),
            create_time=self._region.now,
        )

    def modify(self, params: Params) -> Answer:
        """ModifyLaunchTemplate: another default version."""
        template = self.find(params)
        if params.get("DefaultVersion"):
            template.default = template.version(params["DefaultVersion"]).number
        return {"LaunchTemplate": self._template(template)}

    def delete(self, params: Params) -> Answer:
        """DeleteLaunchTemplate; what runs from it goes on running."""
        template = self.find(params)
        del self.by_id[template.id], self._by_name[template.name]
        return {"LaunchTemplate": self._template(template)}

    def delete_versions(self, params: Params) -> Answer:
        """DeleteLaunchTemplateVersions; the default version stays."""
        template = self.find(params)
        done: list[dict[str, Any]] = []
        failed: list[dict[str, Any]] = []
        for asked in params["Versions"]:
            named = {"LaunchTemplateId": template.id, "LaunchTemplateName": template.name, "VersionNumber": int(asked)}
            problem = self._undeletable(template, int(asked))
            if problem is None:
                del template.versions[int(asked)]
                template.latest = max(template.versions)
                done.append(named)
            else:
                failed.append({**named, "ResponseError": problem})
        return {
            "SuccessfullyDeletedLaunchTemplateVersions": done,
            "UnsuccessfullyDeletedLaunchTemplateVersions": failed,
        }

    @staticmethod
    def _undeletable(template: Template, number: int) -> dict[str, str] | None:
        if number not in template.versions:
            return {"Code": "launchTemplateVersionDoesNotExist", "Message": f"Version {number} does not exist."}
        if number == template.default:
            return {"Code": "unexpectedError", "Message": "The default version cannot be deleted."}
        return None

    # -- descriptions ------------------------------------------------------------------------------------------------

    def describe(self, params: Params) -> Answer:
        """DescribeLaunchTemplates."""
        chosen: Iterable[Template] = self.by_id.values()
        if params.get("LaunchTemplateIds"):
            chosen = [self._with_id(one) for one in params["LaunchTemplateIds"]]
        elif params.get("LaunchTemplateNames"):
            chosen = [self._with_name(one) for one in params["LaunchTemplateNames"]]
        wanted = sieve(params.get("Filters"), _TEMPLATE_FILTERS.get, lambda template: template.tags)
        ordered = sorted((one for one in chosen if wanted(one)), key=lambda template: template.name)
        shown, token = page(ordered, params, key=lambda template: template.name, size=TEMPLATES_PAGE)
        return paged("LaunchTemplates", [self._template(one) for one in shown], token)

    def describe_versions(self, params: Params) -> Answer:
        """DescribeLaunchTemplateVersions: of one template, or the latest or default ones of all."""
        named = params.get("LaunchTemplateId") or params.get("LaunchTemplateName")
        templates = [self.find(params)] if named else sorted(self.by_id.values(), key=lambda one: one.name)
        chosen = [(template, version) for template in templates for version in _asked_versions(template, params)]
        wanted = sieve(params.get("Filters"), _VERSION_FILTERS.get)
        shown, token = page(
            (pair for pair in chosen if wanted(pair)),
            params,
            key=lambda pair: (pair[0].name, -pair[1].number),
            size=TEMPLATES_PAGE,
        )
        return paged("LaunchTemplateVersions", [self._version_entry(*pair) for pair in shown], token)

    def _with_name(self, name: str) -> Template:
        if name not in self._by_name:
            raise ApiError(
                "InvalidLaunchTemplateName.NotFoundException",
                "At least one of the launch templates specified in the request does not exist.",
            )
        return self._by_name[name]

    def _author(self) -> str:
        return f"arn:{self._region.partition}:iam::{self._region.account}:root"

    def _template(self, template: Template) -> dict[str, Any]:
        return {
            "LaunchTemplateId": template.id,
            "LaunchTemplateName": template.name,
            "CreateTime": when(template.create_time),
            "CreatedBy": self._author(),
            "DefaultVersionNumber": template.default,
            "LatestVersionNumber": template.latest,
            "Tags": tag_list(template.tags),
        }

    def _version_entry(self, template: Template, version: Version) -> dict[str, Any]:
        entry = {
            "LaunchTemplateId": template.id,
            "LaunchTemplateName": template.name,
            "VersionNumber": version.number,
            "CreateTime": when(version.create_time),
            "CreatedBy": self._author(),
            "DefaultVersion": version.number == template.default,
            "LaunchTemplateData": version.data,
        }
        return {**entry, "VersionDescription": version.description} if version.description else entry


def _asked_versions(template: Template, params: Params) -> list[Version]:
    """The versions that the call names, newest first, without doubles."""
    if params.get("Versions"):
        numbers = {template.version(asked).number for asked in params["Versions"]}
    else:
        least = _version_number(params.get("MinVersion") or "1")
        most = _version_number(params.get("MaxVersion") or str(template.latest))
        numbers = {number for number in template.versions if least <= number <= most}
    return [template.versions[number] for number in sorted(numbers, reverse=True)]


def _version_number(text: str) -> int:
    if not (text.isascii() and text.isdecimal() and len(text) < 10):
        raise ApiError("InvalidParameterValue", f"Value ({text}) for a version of a launch template is invalid.")
    return int(text)


_TEMPLATE_FILTERS: Mapping[str, Values[Template]] = {
    "launch-template-name": lambda template: template.name,
    "create-time": lambda template: when(template.create_time).strftime("%Y-%m-%dT%H:%M:%S.000Z"),
}

_VERSION_FILTERS: Mapping[str, Values[tuple[Template, Version]]] = {
    "is-default-version": lambda pair: str(pair[1].number == pair[0].default).lower(),
    "image-id": lambda pair: pair[1].data.get("ImageId"),
    "instance-type": lambda pair: pair[1].data.get("InstanceType"),
}
