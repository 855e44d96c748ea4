"""Temporary launch templates: copies of launch configurations, for as long as a fleet takes to be launched from them.

A copy's name follows from the launch that it is for, so that a launch repeated after a crash is the same request to the
letter, and finds the copy that its first asking left. Copies are deleted once the fleet has answered. One that a lost
process left behind is swept away after the first deed in its region, never by a process that only looks. If a process
at work elsewhere loses its copy to that, its launch is refused as "not found", and repeated with a new copy.
"""

import hashlib
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import structlog

from spotward.aws.fleet import Template
from spotward.aws.launch_data import TemplateData, template_data
from spotward.aws.session import Aws
from spotward.aws.translation import reading
from spotward.groups.policy import TAG_LAUNCH
from spotward.model.action import LaunchFleet
from spotward.model.errors import OutsideError, Permanent, Transient

NAME_PREFIX = "spotward-"
NAME_HASH_LENGTH = 40
"""A launch template's name has at most 128 characters."""

TAG_CONTENT = "spotward:content"
"""On a copy: a digest of what it was copied from, to tell a copy that can be used again from one that cannot."""

EXISTS = "InvalidLaunchTemplateName.AlreadyExistsException"
RETRY_AFTER_LOST_COPY_SECONDS = 2.0

log = structlog.get_logger("spotward.aws")


class TemplateCopies:
    """The copies of one process."""

    def __init__(self, aws: Aws) -> None:
        self._aws = aws
        self._in_use: set[str] = set()
        self._swept: set[str] = set()

    @asynccontextmanager
    async def copy(self, action: LaunchFleet) -> AsyncIterator[Template]:
        """A copy of the launch configuration that the action names, as the specification that a fleet takes.

        It is deleted at the end, however that came: a launch that is repeated makes it again.
        Raises Permanent when there is no such configuration, or a template cannot say what it says.
        """
        name = copy_name(action)
        self._in_use.add(name)
        try:
            await self._made(action, name)
            try:
                yield {"LaunchTemplateName": name, "Version": "1"}
            finally:
                await self._drop(action.region, name)
        finally:
            self._in_use.discard(name)

    async def _made(self, action: LaunchFleet, name: str) -> None:
        """As `make`; what it may have made although it failed is found by the next sweep."""
        try:
            await self.make(action, name)
        except OutsideError:
            self._swept.discard(action.region)
            raise

    async def make(self, action: LaunchFleet, name: str) -> None:
        """Make the copy, or find that it is there. Raises as `copy`."""
        configuration = await self._configuration(action)
        with reading(f"autoscaling.DescribeLaunchConfigurations in {action.region}"):
            data = template_data(configuration)
        if await self._created(action, name, data) or await self._fits(action, name, data):
            return
        await self._deleted(action.region, name)
        if not await self._created(action, name, data):
            raise _lost(action, name)

    async def _drop(self, region: str, name: str) -> None:
        """A failure is logged, and made up for by the next sweep: the launch has its answer all the same."""
        try:
            await self._deleted(region, name)
        except OutsideError as error:
            self._swept.discard(region)
            log.warning("a temporary launch template stays for now", template=name, reason=str(error))

    async def swept(self, region: str) -> None:
        """Delete what lost processes left in the region; once, until there is a reason to look again."""
        if region in self._swept:
            return
        self._swept.add(region)
        try:
            for name in await self._left_behind(region):
                await self._deleted(region, name)
                log.info("deleted a temporary launch template that was left behind", template=name, region=region)
        except OutsideError as error:
            if isinstance(error, Transient):
                self._swept.discard(region)
            log.warning("temporary launch templates could not be looked for", region=region, reason=str(error))

    # ---- calls -------------------------------------------------------------------------------------------------------

    async def _configuration(self, action: LaunchFleet) -> Mapping[str, Any]:
        name = action.launch.configuration
        answer = await self._aws.call(
            action.region, "autoscaling", "describe_launch_configurations", LaunchConfigurationNames=[name]
        )
        with reading(f"autoscaling.DescribeLaunchConfigurations in {action.region}"):
            found: Mapping[str, Any] | None = next(iter(answer["LaunchConfigurations"]), None)
        if found is None:
            raise Permanent(
                f"{action.launch.words} is gone; give {action.subject} a launch template or configuration that exists",
                code="LaunchConfigurationNotFound",
            )
        return found

    async def _created(self, action: LaunchFleet, name: str, data: TemplateData) -> bool:
        """False if there is one of that name."""
        tags = [{"Key": TAG_LAUNCH, "Value": action.key}, {"Key": TAG_CONTENT, "Value": _digest(data)}]
        try:
            await self._aws.call(
                action.region,
                "ec2",
                "create_launch_template",
                LaunchTemplateName=name,
                LaunchTemplateData=data,
                TagSpecifications=[{"ResourceType": "launch-template", "Tags": tags}],
            )
        except OutsideError as error:
            if error.code == EXISTS:
                return False
            raise
        return True

    async def _fits(self, action: LaunchFleet, name: str, data: TemplateData) -> bool:
        """The template that has the name is our copy, and of this content. Raises Permanent when it is not ours."""
        answer = await self._aws.call(action.region, "ec2", "describe_launch_templates", LaunchTemplateNames=[name])
        with reading(f"ec2.DescribeLaunchTemplates in {action.region}"):
            tags = _tags(answer["LaunchTemplates"][0])
        if tags.get(TAG_LAUNCH) != action.key:
            raise Permanent(f"launch template {name} is in the way and not ours; rename or delete it", code=EXISTS)
        return tags.get(TAG_CONTENT) == _digest(data)

    async def _deleted(self, region: str, name: str) -> None:
        try:
            await self._aws.call(region, "ec2", "delete_launch_template", LaunchTemplateName=name)
        except OutsideError as error:
            if not _is_gone(error):
                raise

    async def _left_behind(self, region: str) -> list[str]:
        pages = await self._aws.pages(
            region,
            "ec2",
            "describe_launch_templates",
            each=lambda page: [t["LaunchTemplateName"] for t in page["LaunchTemplates"] if TAG_CONTENT in _tags(t)],
            Filters=[{"Name": "tag-key", "Values": [TAG_LAUNCH]}],
        )
        names = [name for page in pages for name in page if name.startswith(NAME_PREFIX)]
        return [name for name in names if name not in self._in_use]


def copy_name(action: LaunchFleet) -> str:
    """The same for the same launch, in every process."""
    digest = hashlib.sha256(f"{action.subject}\n{action.key}\n{action.attempt}".encode()).hexdigest()
    return NAME_PREFIX + digest[:NAME_HASH_LENGTH]


def lost_copy(action: LaunchFleet, error: OutsideError) -> Transient | None:
    """The fleet did not find the copy that was made for it: EC2 does not show it yet, or it was swept away."""
    return _lost(action, copy_name(action)) if _is_gone(error) and action.launch.configuration else None


def _is_gone(error: OutsideError) -> bool:
    return error.code.startswith("InvalidLaunchTemplate") and "NotFound" in error.code


def _lost(action: LaunchFleet, name: str) -> Transient:
    return Transient(
        f"the temporary launch template {name} for {action.subject} cannot be found; the launch is repeated",
        code="TemplateCopyLost",
        retry_after_seconds=RETRY_AFTER_LOST_COPY_SECONDS,
    )


def _digest(data: TemplateData) -> str:
    return hashlib.sha256(json.dumps(data, sort_keys=True).encode()).hexdigest()


def _tags(template: Mapping[str, Any]) -> dict[str, str]:
    return {tag["Key"]: tag["Value"] for tag in template.get("Tags") or ()}
