"""EventBridge's JSON: text in, Event out, and back.

EC2 and Auto Scaling put their news on EventBridge. A rule carries it on, and each target wraps it in its own way: SQS
hands over the bare envelope, SNS puts it as a string into `Message`, a Lambda function gets `Records`, and a pipe or
an API destination may send an array. All of that is taken off first; what is left is one envelope per event:

    version, id, detail-type, source, account, time, region, resources, detail

Only `detail-type` decides how an envelope is read. The source is not looked at: AWS reserves `aws.` sources to itself,
so that a test event put on the bus by hand carries another, and who may write into the queue is its policy's business.

The shapes are in AWS's user guides: for EC2 under "Instance state change events", "Spot Instance interruption notices"
and "Instance rebalance recommendations", for Auto Scaling under "Amazon EC2 Auto Scaling event reference". Hooks are
read in `lifecycle`, AWS Health in `health`.
"""

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Mapping

from spotward.events.envelope import NEXT_STEP, Envelope, Ignored
from spotward.events.health import HEALTH, read_health
from spotward.events.lifecycle import LAUNCH_ACTION, TERMINATE_ACTION, TRANSITION, as_envelope, read_action
from spotward.events.reading import QUOTED_MAX, iso, json_value, kind, quoted
from spotward.model.errors import PayloadError
from spotward.model.event import InstanceGone, InstanceLaunched, InterruptionNoticed, News, RebalanceAdvised, Told

NOTICE_SECONDS = 120.0
"""How long after the warning EC2 takes a Spot instance (docs.aws.amazon.com, "Spot Instance interruption notices")."""

WRAPPERS_MAX = 4
"""An event is taken out of at most so many wrappings (SNS in SQS in Lambda's records is three)."""

EVENTS_PER_TEXT_MAX = 1000
"""No text may hold more events than this: EventBridge and its pipes send far fewer at a time."""

STATE_CHANGE = "EC2 Instance State-change Notification"
INTERRUPTION = "EC2 Spot Instance Interruption Warning"
REBALANCE = "EC2 Instance Rebalance Recommendation"
GROUP_LAUNCHED = "EC2 Instance Launch Successful"
GROUP_TERMINATED = "EC2 Instance Terminate Successful"

TEST_NOTIFICATION = "autoscaling:TEST_NOTIFICATION"
"""What Auto Scaling sends when a hook or a notification is set up."""

TOPIC_REGION_AT = 3
"""Which part of a topic's ARN is its region."""

GONE_STATES = ("shutting-down", "terminated", "stopping", "stopped")
"""Instance states in which an instance is no more use. The last of each pair repeats the first for a group; for a node
it says that the machine is off."""

INTERRUPTION_ACTIONS = ("terminate", "stop", "hibernate")


def parse(text: str, *, received: float, region: str | None = None) -> Told | Ignored:
    """The one event that a text holds.

    received: Unix seconds, when the text came; an event without a time happened then, and none happened later.
    region: of the queue that it came through, for a form that names none.
    Raises PayloadError, naming what is wrong and the next step, and nothing else whatever the text.
    """
    events = parse_all(text, received=received, region=region)
    if len(events) != 1:
        raise PayloadError(f"the text holds {len(events)} events where one was expected; send one event per text")
    return events[0]


def parse_all(text: str, *, received: float, region: str | None = None) -> tuple[Told | Ignored, ...]:
    """All events that a text holds, in order: usually one; more in an array, in Lambda's records, or of AWS Health.

    Raises PayloadError as `parse` does. One that is unreadable makes the text unreadable, so that none is lost unseen.
    """
    return told_in(envelopes(text, region=region), received=received)


def envelopes(text: str, *, region: str | None = None) -> "tuple[Mapping[str, object] | Ignored, ...]":
    """All bare envelopes that a text holds, whatever they are wrapped in. Raises PayloadError."""
    bare = tuple(_unwrapped(json_value(text, next_step=NEXT_STEP), region, depth=0))
    if len(bare) > EVENTS_PER_TEXT_MAX:
        raise PayloadError(f"the text holds {len(bare)} events; send at most {EVENTS_PER_TEXT_MAX} at a time")
    return bare


def told_in(bare: "Iterable[Mapping[str, object] | Ignored]", *, received: float) -> tuple[Told | Ignored, ...]:
    """What bare envelopes tell. Raises PayloadError."""
    return tuple(told for each in bare for told in ((each,) if isinstance(each, Ignored) else _read(each, received)))


# ---- taking the wrapping off -----------------------------------------------------------------------------------------


def _unwrapped(value: object, region: str | None, *, depth: int) -> Iterator["Mapping[str, object] | Ignored"]:
    """Bare envelopes, whatever they were wrapped in."""
    if depth > WRAPPERS_MAX:
        raise PayloadError(f"the event is wrapped more than {WRAPPERS_MAX} times; {NEXT_STEP}")
    if isinstance(value, list):
        for each in value:
            yield from _unwrapped(each, region, depth=depth + 1)
    elif not isinstance(value, dict):
        raise PayloadError(f"the event is {kind(value)} and not a JSON object: {quoted(value)}; {NEXT_STEP}")
    elif "detail-type" in value:
        yield value
    elif isinstance(value.get("Records"), list):
        yield from _unwrapped(value["Records"], region, depth=depth + 1)
    elif isinstance(value.get("Sns"), dict):
        yield from _unwrapped(value["Sns"], region, depth=depth + 1)
    elif isinstance(inner := value.get("body") or value.get("Message"), str):
        yield from _inside(value, inner, region, depth)
    elif TRANSITION in value:
        yield as_envelope(value, region)
    elif isinstance(direct := value.get("Event"), str) and direct.startswith("autoscaling:"):
        yield Ignored(detail_type=direct, reason=_why_unread(direct))
    else:
        raise PayloadError(f"the event has no `detail-type`: {quoted(value)}; {NEXT_STEP}")


def _why_unread(direct: str) -> str:
    if direct == TEST_NOTIFICATION:
        return "a test notification straight from Auto Scaling"
    return "a notification straight from Auto Scaling; its EventBridge event is read"


def _inside(
    value: Mapping[str, object], inner: str, region: str | None, depth: int
) -> Iterator["Mapping[str, object] | Ignored"]:
    if value.get("Type") in ("SubscriptionConfirmation", "UnsubscribeConfirmation"):
        yield Ignored(detail_type=str(value["Type"]), reason="SNS's own housekeeping, not an event")
    else:
        topic = str(value.get("TopicArn") or "").split(":")
        region = topic[TOPIC_REGION_AT] if len(topic) > TOPIC_REGION_AT else region
        yield from _unwrapped(json_value(inner, next_step=NEXT_STEP), region, depth=depth + 1)


# ---- reading one envelope --------------------------------------------------------------------------------------------


def _read(envelope: Mapping[str, object], received: float) -> tuple[Told | Ignored, ...]:
    detail_type = envelope["detail-type"]
    if not isinstance(detail_type, str):
        raise PayloadError(f"`detail-type` is {kind(detail_type)} and not a text: {quoted(detail_type)}; {NEXT_STEP}")
    reader = _READERS.get(detail_type)
    if reader is None and detail_type != HEALTH:
        return (Ignored(detail_type=detail_type[:QUOTED_MAX], reason="not a kind of event that Spotward acts on"),)
    detail = envelope.get("detail")
    if not isinstance(detail, dict):
        raise PayloadError(f"{detail_type}: `detail` is {kind(detail)} and not an object; {NEXT_STEP}")
    read = Envelope(detail_type, envelope, detail, received)
    return (reader(read),) if reader is not None else read_health(read)


def _read_state_change(envelope: Envelope) -> News | Ignored:
    state = envelope.text("state")
    if state == "running":
        return InstanceLaunched(
            time=envelope.time, region=envelope.region, instance_id=envelope.instance_id("instance-id")
        )
    if state in GONE_STATES:
        return InstanceGone(
            time=envelope.time, region=envelope.region, instance_id=envelope.instance_id("instance-id"), state=state
        )
    return Ignored(detail_type=STATE_CHANGE, reason=f"the state {state[:QUOTED_MAX]} asks for nothing")


def _read_interruption(envelope: Envelope) -> InterruptionNoticed:
    action = envelope.text("instance-action")
    if action not in INTERRUPTION_ACTIONS:
        action = "terminate"  # a word that AWS may add: the instance is taken all the same
    return InterruptionNoticed(
        time=envelope.time,
        region=envelope.region,
        instance_id=envelope.instance_id("instance-id"),
        action=action,
        deadline=envelope.time + notice_seconds(action),
    )


def _read_rebalance(envelope: Envelope) -> RebalanceAdvised:
    return RebalanceAdvised(time=envelope.time, region=envelope.region, instance_id=envelope.instance_id("instance-id"))


def _read_group_launch(envelope: Envelope) -> InstanceLaunched:
    return InstanceLaunched(
        time=envelope.time,
        region=envelope.region,
        instance_id=envelope.instance_id("EC2InstanceId"),
        group=envelope.text("AutoScalingGroupName"),
    )


def _read_group_termination(envelope: Envelope) -> InstanceGone:
    return InstanceGone(
        time=envelope.time,
        region=envelope.region,
        instance_id=envelope.instance_id("EC2InstanceId"),
        group=envelope.text("AutoScalingGroupName"),
        state="terminated",
    )


_READERS: Mapping[str, Callable[[Envelope], Told | Ignored]] = {
    STATE_CHANGE: _read_state_change,
    INTERRUPTION: _read_interruption,
    REBALANCE: _read_rebalance,
    GROUP_LAUNCHED: _read_group_launch,
    GROUP_TERMINATED: _read_group_termination,
    LAUNCH_ACTION: read_action,
    TERMINATE_ACTION: read_action,
}


def notice_seconds(action: str) -> float:
    """How long an instance has from the warning on: hibernation begins at once, without the two minutes."""
    return 0.0 if action == "hibernate" else NOTICE_SECONDS


# ---- writing ---------------------------------------------------------------------------------------------------------


def render(event: News, *, account: str = "123456789012", az: str | None = None) -> str:
    """The event as EventBridge would send it.

    Times keep whole seconds as AWS writes them, and microseconds where an event has a fraction. What the wire has no
    place for is lost: the deadline of an interruption is always worked out from its time, and a member that left its
    group is terminated.
    az: the zone, which EC2 writes into the ARN of an interruption warning where others have the region.
    """
    match event:
        case InterruptionNoticed():
            detail = {"instance-id": event.instance_id, "instance-action": event.action}
            return _envelope(event, INTERRUPTION, detail, _interrupted_arn(event, az), account)
        case RebalanceAdvised():
            return _envelope(event, REBALANCE, {"instance-id": event.instance_id}, _arn(event, account), account)
        case InstanceLaunched(group=None):
            detail = {"instance-id": event.instance_id, "state": "running"}
            return _envelope(event, STATE_CHANGE, detail, _arn(event, account), account)
        case InstanceGone(group=None):
            detail = {"instance-id": event.instance_id, "state": event.state}
            return _envelope(event, STATE_CHANGE, detail, _arn(event, account), account)
        case InstanceLaunched():
            return _envelope(event, GROUP_LAUNCHED, _activity(event), _arn(event, account), account)
        case InstanceGone():
            return _envelope(event, GROUP_TERMINATED, _activity(event), _arn(event, account), account)


def _activity(event: InstanceLaunched | InstanceGone) -> dict[str, str]:
    return {
        "StatusCode": "InProgress",
        "AutoScalingGroupName": event.group or "",
        "EC2InstanceId": event.instance_id,
        "Cause": "",
    }


def _envelope(event: News, detail_type: str, detail: Mapping[str, str], arn: str, account: str) -> str:
    content = {
        "version": "0",
        "detail-type": detail_type,
        "source": "aws.autoscaling" if "AutoScalingGroupName" in detail else "aws.ec2",
        "account": account,
        "time": iso(event.time),
        "region": event.region,
        "resources": [arn],
        "detail": detail,
    }
    return json.dumps({"id": _identifier(content), **content}, ensure_ascii=False)


def _identifier(content: Mapping[str, object]) -> str:
    """An id in AWS's form, the same for the same event: chance has no place here."""
    digest = hashlib.sha256(json.dumps(content, sort_keys=True).encode("utf-8", "surrogatepass")).hexdigest()
    return "-".join((digest[:8], digest[8:12], digest[12:16], digest[16:20], digest[20:32]))


def _arn(event: News, account: str) -> str:
    return f"arn:{partition_of(event.region)}:ec2:{event.region}:{account}:instance/{event.instance_id}"


def _interrupted_arn(event: News, az: str | None) -> str:
    """Unlike other ARNs of EC2 it names the zone and no account."""
    return f"arn:{partition_of(event.region)}:ec2:{az or event.region}:instance/{event.instance_id}"


def partition_of(region: str) -> str:
    """`aws`, `aws-cn` or `aws-us-gov`: the first word of an ARN in that region."""
    if region.startswith("cn-"):
        return "aws-cn"
    return "aws-us-gov" if region.startswith("us-gov-") else "aws"
