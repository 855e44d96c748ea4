"""Lifecycle hooks of Auto Scaling, in each of the three forms in which their news come.

On EventBridge they are the `detail` of an envelope. A hook with a notification target writes the same fields straight
into an SQS queue, or to an SNS topic, which wraps them as a string. That direct form has no `detail-type` and names no
region; it is the region of the topic or of the queue that it came through.

Source: "Amazon EC2 Auto Scaling lifecycle hooks", the parts on EventBridge and on notification targets.
"""

from collections.abc import Mapping

from spotward.events.envelope import Envelope, Ignored
from spotward.model.node_event import LifecycleHooked

LAUNCHING = "autoscaling:EC2_INSTANCE_LAUNCHING"
TERMINATING = "autoscaling:EC2_INSTANCE_TERMINATING"

LAUNCH_ACTION = "EC2 Instance-launch Lifecycle Action"
TERMINATE_ACTION = "EC2 Instance-terminate Lifecycle Action"

DIRECT = "lifecycle action"
"""What a direct one is called in messages."""

TRANSITION = "LifecycleTransition"
"""The field by which a direct one is known."""


def read_action(envelope: Envelope) -> LifecycleHooked | Ignored:
    """The hook that an envelope, or a direct message made into one, tells of. Raises PayloadError."""
    transition = envelope.text(TRANSITION)
    if transition not in (LAUNCHING, TERMINATING):
        return Ignored(detail_type=envelope.detail_type, reason=f"the transition {transition[:80]} asks for nothing")
    return LifecycleHooked(
        time=envelope.time,
        region=envelope.region,
        instance_id=envelope.instance_id("EC2InstanceId"),
        group=envelope.text("AutoScalingGroupName"),
        hook=envelope.text("LifecycleHookName"),
        token=envelope.text("LifecycleActionToken"),
        launching=transition == LAUNCHING,
    )


def as_envelope(direct: Mapping[str, object], region: str | None) -> dict[str, object]:
    """A direct message in EventBridge's form. region: of the topic or queue that it came through, if that is known."""
    return {
        "detail-type": LAUNCH_ACTION if direct.get(TRANSITION) == LAUNCHING else TERMINATE_ACTION,
        "time": direct.get("Time"),
        "region": region,
        "detail": dict(direct),
    }
