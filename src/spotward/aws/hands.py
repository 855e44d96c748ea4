"""Carrying out what was decided: one method per deed, nearly always one call.

Nothing is decided here, and nothing is tried twice: a call that failed is an event, and the wish is asked again. What
makes that safe: a launch carries its client token and its tag; after a failed attach or retire the group is looked at;
the rest says how things shall be, not by how much they shall change.
"""

from collections.abc import Iterable
from contextlib import AbstractAsyncContextManager, nullcontext
from dataclasses import replace
from typing import Any, Protocol

from spotward.aws.copies import TemplateCopies, lost_copy
from spotward.aws.fleet import (
    Template,
    already_made,
    create_fleet,
    explained,
    fleet_answered,
    fleet_request,
    refused_for_capacity,
)
from spotward.aws.session import Aws
from spotward.aws.terminations import Terminations
from spotward.aws.translation import NoAnswer, reading
from spotward.engine.ports import Clock, Recommender
from spotward.model.action import (
    Action,
    AttachInstances,
    Deed,
    FindInstance,
    LaunchFleet,
    ObserveGroup,
    ObserveInstances,
    ObserveRegion,
    RecommendPools,
    RestoreDesired,
    ResumeProcesses,
    RetireMember,
    SetMaxSize,
    SuspendProcesses,
    TagGroup,
    TerminateInstances,
    UntagGroup,
)
from spotward.model.errors import OutsideError, Permanent
from spotward.model.event import Done, Event, Failed, FleetAnswered, InstancesObserved

MISMATCH = "IdempotentParameterMismatch"
"""EC2 knows the client token from a request with other parameters."""

SIZES = {"MaxSize": "max size", "DesiredCapacity": "desired capacity"}
"""A field of a group → its name for a person."""

Change = (
    AttachInstances
    | RetireMember
    | TerminateInstances
    | SetMaxSize
    | RestoreDesired
    | SuspendProcesses
    | ResumeProcesses
    | TagGroup
    | UntagGroup
)
"""A deed that has no answer but that it was done."""


Seeing = ObserveRegion | ObserveGroup | ObserveInstances | FindInstance
"""A question that looking at AWS can answer."""


class Looker(Protocol):
    """Whoever answers the questions that looking can answer; `observe.Observer` is one."""

    async def observe(self, question: Seeing, attempt: int) -> Event: ...


class ReadOnlyHands:
    """Answers every question and does no deed: for `plan` and `--dry-run`."""

    def __init__(self, *, observer: Looker, recommender: Recommender) -> None:
        self._observer, self._recommender = observer, recommender

    async def do(self, action: Action, attempt: int) -> Event:
        """The answer to a question. Raises OutsideError, and Permanent `DryRun` for a deed."""
        if isinstance(action, RecommendPools):
            return await self._recommender.recommend(action)
        if action.mutates:
            raise Permanent(f"dry run: {action.kind} for {action.subject} is left out", code="DryRun")
        if not isinstance(action, Seeing):
            raise Permanent(f"AWS cannot {action.kind}; route it to the cluster's hands", code="NotOfAws")
        return await self._observer.observe(action, attempt)


class AwsHands:
    """Does deeds by AWS's API, and has questions answered."""

    def __init__(self, aws: Aws, clock: Clock, *, observer: Looker, recommender: Recommender) -> None:
        self._aws, self._clock, self._observer = aws, clock, observer
        self._questions = ReadOnlyHands(observer=observer, recommender=recommender)
        self._copies = TemplateCopies(aws, clock)
        self._terminations = Terminations(aws, clock)

    async def do(self, action: Action, attempt: int) -> Event:
        """Do it once. Raises OutsideError where AWS refused; a deed whose outcome nobody knows is answered by Failed.

        attempt: counts the asking, and comes back with the answer; a client token is made from the action alone.
        """
        if not isinstance(action, Deed):
            return await self._questions.do(action, attempt)
        outcome = await self._deed(action, attempt)
        await self._copies.swept(action.region)
        return outcome

    async def close(self, configured_regions: Iterable[str] = ()) -> None:
        """Put away what the deeds needed: call it when no more are under way.

        configured_regions: where groups launch from configurations, so that a lost process may have left something.
        """
        await self._copies.close()
        for region in configured_regions:
            await self._copies.swept(region)

    async def _deed(self, deed: Deed, attempt: int) -> Event:
        try:
            if isinstance(deed, LaunchFleet):
                return replace(await self._launch(deed), attempt=attempt)
            await self._change(deed)
        except NoAnswer as error:
            return Failed(
                time=self._clock.now(),
                key=deed.key,
                attempt=attempt,
                subject=deed.subject,
                code=error.code,
                reason=f"{error}; it may have been done all the same",
                transient=True,
                retry_after_seconds=error.retry_after_seconds,
                outcome_unknown=True,
            )
        return Done(time=self._clock.now(), key=deed.key, attempt=attempt, subject=deed.subject)

    # ---- launching ---------------------------------------------------------------------------------------------------

    async def _launch(self, action: LaunchFleet) -> FleetAnswered:
        """Raises OutsideError; a refusal for want of capacity is an answer like any other."""
        try:
            async with self._template(action) as template:
                answer = await self._aws.poll(action.region, "ec2", "create_fleet", **fleet_request(action, template))
        except OutsideError as error:
            return await self._instead_of(action, error)
        with reading(create_fleet(action.region).words):
            return fleet_answered(action, answer, time=self._clock.now())

    def _template(self, action: LaunchFleet) -> AbstractAsyncContextManager[Template]:
        launch = action.launch
        if launch.configuration is not None:
            return self._copies.copy(action)
        if launch.template_id is None:
            raise Permanent(f"{action.subject} has neither a launch template nor a configuration", code="NoLaunchData")
        own = {"LaunchTemplateId": launch.template_id, "Version": launch.template_version or "$Default"}
        return nullcontext(own)

    async def _instead_of(self, action: LaunchFleet, error: OutsideError) -> FleetAnswered:
        """What a refusal of the whole call comes to."""
        if isinstance(error, NoAnswer):
            raise error
        answer = refused_for_capacity(action, error, time=self._clock.now())
        if answer is None and error.code == MISMATCH:
            answer = await self._made_before(action)
        if answer is not None:
            return answer
        if isinstance(error, Permanent):
            raise lost_copy(action, error) or explained(action, error) from error
        raise error

    async def _made_before(self, action: LaunchFleet) -> FleetAnswered | None:
        """EC2 knows the token from a launch with other parameters: what that one made is found by its tag."""
        question = ObserveInstances(
            region=action.region, group=action.group, key=f"{action.key} look", launches=(action.key,)
        )
        seen = await self._observer.observe(question, attempt=1)
        if not isinstance(seen, InstancesObserved) or not seen.instances:
            return None
        return already_made(action, seen.instances, time=self._clock.now())

    # ---- changing ----------------------------------------------------------------------------------------------------

    async def _change(self, deed: Change) -> None:
        match deed:
            case AttachInstances():
                await self._attach(deed)
            case RetireMember():
                await self._retire(deed)
            case TerminateInstances():
                await self._terminations.terminate(deed)
            case SetMaxSize():
                await self._set_max_size(deed)
            case RestoreDesired():
                await self._restore_desired(deed)
            case SuspendProcesses():
                await self._suspend(deed)
            case ResumeProcesses():
                await self._resume(deed)
            case TagGroup():
                await self._tag(deed)
            case UntagGroup():
                await self._untag(deed)

    async def _attach(self, deed: AttachInstances) -> None:
        await self._aws.call(
            deed.region,
            "autoscaling",
            "attach_instances",
            AutoScalingGroupName=deed.group,
            InstanceIds=list(deed.instance_ids),
        )

    async def _retire(self, deed: RetireMember) -> None:
        if deed.detach:
            await self._detach(deed)
            return
        await self._aws.call(
            deed.region,
            "autoscaling",
            "terminate_instance_in_auto_scaling_group",
            InstanceId=deed.instance_id,
            ShouldDecrementDesiredCapacity=True,
        )

    async def _detach(self, deed: RetireMember) -> None:
        await self._aws.call(
            deed.region,
            "autoscaling",
            "detach_instances",
            AutoScalingGroupName=deed.group,
            InstanceIds=[deed.instance_id],
            ShouldDecrementDesiredCapacity=True,
        )

    async def _set_max_size(self, deed: SetMaxSize) -> None:
        if deed.expected is not None and not await self._must_be_set(deed, "MaxSize", deed.expected, deed.max_size):
            return
        await self._aws.call(
            deed.region,
            "autoscaling",
            "update_auto_scaling_group",
            AutoScalingGroupName=deed.group,
            MaxSize=deed.max_size,
        )

    async def _restore_desired(self, deed: RestoreDesired) -> None:
        if await self._must_be_set(deed, "DesiredCapacity", deed.expected, deed.desired):
            await self._aws.call(
                deed.region,
                "autoscaling",
                "update_auto_scaling_group",
                AutoScalingGroupName=deed.group,
                DesiredCapacity=deed.desired,
            )

    async def _must_be_set(self, deed: SetMaxSize | RestoreDesired, name: str, expected: int, wanted: int) -> bool:
        """False: it was done already, by a call whose answer was lost.

        Raises Permanent if what stands there is neither what was expected nor what is wanted. The time between this
        call and the next is left: AWS has no condition on an update.
        """
        answer = await self._aws.call(
            deed.region, "autoscaling", "describe_auto_scaling_groups", AutoScalingGroupNames=[deed.group]
        )
        with reading(f"autoscaling.DescribeAutoScalingGroups in {deed.region}"):
            sizes = [int(group[name]) for group in answer["AutoScalingGroups"]]
        if not sizes:
            raise Permanent(f"{deed.subject} is gone; its {SIZES[name]} was not set", code="GroupGone")
        if sizes[0] not in (expected, wanted):
            stands = f"is {sizes[0]} by now, and was {expected}"
            raise Permanent(f"the {SIZES[name]} of {deed.subject} {stands}; it is looked at again", code="OwnerChanged")
        return sizes[0] != wanted

    async def _suspend(self, deed: SuspendProcesses) -> None:
        if deed.processes:  # an empty list means all of them
            await self._aws.call(
                deed.region,
                "autoscaling",
                "suspend_processes",
                AutoScalingGroupName=deed.group,
                ScalingProcesses=list(deed.processes),
            )

    async def _resume(self, deed: ResumeProcesses) -> None:
        if deed.processes:  # an empty list means all of them, the owner's own included
            await self._aws.call(
                deed.region,
                "autoscaling",
                "resume_processes",
                AutoScalingGroupName=deed.group,
                ScalingProcesses=list(deed.processes),
            )

    async def _tag(self, deed: TagGroup) -> None:
        tags = [
            _group_tag(deed.group, name) | {"Value": value, "PropagateAtLaunch": False} for name, value in deed.tags
        ]
        await self._aws.call(deed.region, "autoscaling", "create_or_update_tags", Tags=tags)

    async def _untag(self, deed: UntagGroup) -> None:
        tags = [_group_tag(deed.group, name) for name in deed.names]
        await self._aws.call(deed.region, "autoscaling", "delete_tags", Tags=tags)


def _group_tag(group: str, name: str) -> dict[str, Any]:
    return {"ResourceId": group, "ResourceType": "auto-scaling-group", "Key": name}
