"""Temporary launch templates: copies of launch configurations, for as long as fleets are launched from them.

A launch configuration never changes, so one copy serves all launches of its group. Its name follows from the two, so
that a launch repeated after a crash is the same request to the letter, and finds the copy that its first asking left. A
copy is deleted when nobody has used it for a while, and when the process ends. One that a lost process left behind is
swept away after the first deed in its region or when a run ends, never by a process that only looks. If a process at
work elsewhere loses its copy to that, its launch is refused as "not found", and repeated with a new copy.
"""

import asyncio
import hashlib
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import structlog

from spotward.aws.fleet import Template
from spotward.aws.launch_data import TemplateData, template_data
from spotward.aws.session import Aws
from spotward.aws.translation import reading
from spotward.engine.ports import Clock
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

IDLE_SECONDS = 900.0
"""A copy that has been without use for so long is deleted: the next batch of a group is launched when the last one is
in service, which takes minutes."""

log = structlog.get_logger("spotward.aws")


@dataclass(kw_only=True, slots=True, eq=False)
class _Held:
    """A copy, and who uses it."""

    region: str
    name: str
    made: bool = False
    users: int = 0
    uses: int = 0
    """So many launches have asked for it."""
    changing: asyncio.Lock = field(default_factory=asyncio.Lock)
    """Held by whoever makes or deletes it."""


class TemplateCopies:
    """The copies of one process."""

    def __init__(self, aws: Aws, clock: Clock) -> None:
        self._aws, self._clock = aws, clock
        self._held: dict[tuple[str, str], _Held] = {}
        self._waiting: set[asyncio.Task[None]] = set()
        self._swept: set[str] = set()

    @asynccontextmanager
    async def copy(self, action: LaunchFleet) -> AsyncIterator[Template]:
        """A copy of the launch configuration that the action names, as the specification that a fleet takes.

        Raises Permanent when there is no such configuration, or a template cannot say what it says.
        """
        key = (action.region, copy_name(action))
        held = self._held.setdefault(key, _Held(region=action.region, name=copy_name(action)))
        held.users, held.uses = held.users + 1, held.uses + 1
        try:
            async with held.changing:
                if not held.made:
                    await self._made(action, held.name)
                    held.made = True
            yield {"LaunchTemplateName": held.name, "Version": "1"}
        except OutsideError as error:
            held.made = held.made and not _is_gone(error)
            raise
        finally:
            held.users -= 1
            if held.made:
                self._wait(held)

    def _wait(self, held: _Held) -> None:
        """Delete it when it has been idle for long."""
        task = asyncio.create_task(self._dropped_when_idle(held, held.uses))
        self._waiting.add(task)
        task.add_done_callback(self._waiting.discard)

    async def _dropped_when_idle(self, held: _Held, uses: int) -> None:
        await self._clock.sleep_until(self._clock.now() + IDLE_SECONDS)
        async with held.changing:
            if held.made and held.uses == uses:
                await self._drop(held)
            if not held.users and not held.made:
                self._held.pop((held.region, held.name), None)

    async def close(self) -> None:
        """Delete all that this process made; nothing of it is in use any more."""
        for task in self._waiting:
            task.cancel()
        for held in [held for held in self._held.values() if held.made]:
            await self._drop(held)

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

    async def _drop(self, held: _Held) -> None:
        """A failure is logged: it is tried again at the end, or made up for by the next process's sweep."""
        try:
            await self._deleted(held.region, held.name)
            held.made = False
        except OutsideError as error:
            log.warning("a temporary launch template stays for now", template=held.name, reason=str(error))

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
        """The template of that name is a copy of ours, and of this content. Raises Permanent when it is not ours."""
        answer = await self._aws.call(action.region, "ec2", "describe_launch_templates", LaunchTemplateNames=[name])
        with reading(f"ec2.DescribeLaunchTemplates in {action.region}"):
            tags = _tags(answer["LaunchTemplates"][0])
        if not {TAG_LAUNCH, TAG_CONTENT} <= tags.keys():
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
        return [name for name in names if not self._needs(region, name)]

    def _needs(self, region: str, name: str) -> bool:
        held = self._held.get((region, name))
        return held is not None and (held.made or held.users > 0)


def copy_name(action: LaunchFleet) -> str:
    """The same for all launches of a group from one configuration, in every process."""
    digest = hashlib.sha256(f"{action.subject}\n{action.launch.configuration}".encode()).hexdigest()
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
