"""What EC2's instance metadata service says of its own machine: text in, Event out, and back.

Four documents under `/latest/meta-data/` matter. Three are absent (404) while there is nothing to say, the list of
scheduled events is `[]`:

    spot/instance-action                   {"action": "terminate", "time": "2026-11-22T14:05:09Z"}
    events/recommendations/rebalance       {"noticeTime": "2026-11-22T14:03:09Z"}
    events/maintenance/scheduled           [{"NotBefore": "21 Jan 2027 09:00:43 GMT", "Code": "system-reboot", …}]
    autoscaling/target-lifecycle-state     InService

A document tells a state, not an event: it says the same at every poll. `spotward.events.imds_changes` finds what is
new in it. The service's clock is the machine's owner's business; an event's time is when the document was read.

The shapes are in AWS's user guides: for EC2 under "Spot Instance interruption notices", "EC2 instance rebalance
recommendations" and "Scheduled events", for Auto Scaling under "Retrieve the target lifecycle state".
"""

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from spotward.events.reading import (
    INSTANCE_ID,
    REGION,
    dated,
    dated_seconds,
    iso,
    iso_seconds,
    json_value,
    kind,
    quoted,
)
from spotward.model.errors import PayloadError
from spotward.model.event import (
    InterruptionNoticed,
    MaintenanceEnded,
    MaintenanceScheduled,
    RebalanceAdvised,
    TargetStateChanged,
)

INTERRUPTION = "spot/instance-action"
REBALANCE = "events/recommendations/rebalance"
MAINTENANCE = "events/maintenance/scheduled"
TARGET_STATE = "autoscaling/target-lifecycle-state"
WATCHED = (INTERRUPTION, REBALANCE, MAINTENANCE, TARGET_STATE)
"""Most urgent first."""

IDENTITY = "instance-identity/document"
"""Under `/latest/dynamic/`."""

Told = InterruptionNoticed | RebalanceAdvised | MaintenanceScheduled | MaintenanceEnded | TargetStateChanged

TEXT_CHARACTERS_MAX = 65_536
"""No document is longer: a machine has a handful of scheduled events at the most."""

EVENTS_MAX = 100
"""No machine has more scheduled events."""

WORD_MAX = 64
"""No code, id or state is longer; what is longer is cut."""

DESCRIPTION_MAX = 500

ACTIONS = ("terminate", "stop", "hibernate")

NEXT_STEP = "see whether something else answers at the metadata endpoint; it will be read again"


@dataclass(frozen=True, kw_only=True, slots=True)
class Machine:
    """Whose metadata it is, as the instance identity document says."""

    instance_id: str
    region: str
    az: str = ""
    instance_type: str = ""
    account: str = ""
    image_id: str = ""
    private_ip: str = ""
    architecture: str = ""


def read_machine(text: str) -> Machine:
    """The instance identity document. Raises PayloadError if it does not say which instance in which region."""
    fields = _object(_json("the instance identity document", text), "the instance identity document")
    return Machine(
        instance_id=_matching(fields, "instanceId", INSTANCE_ID, "an instance id such as i-0123456789abcdef0"),
        region=_matching(fields, "region", REGION, "a region such as us-east-1"),
        az=_word(fields.get("availabilityZone")),
        instance_type=_word(fields.get("instanceType")),
        account=_word(fields.get("accountId")),
        image_id=_word(fields.get("imageId")),
        private_ip=_word(fields.get("privateIp")),
        architecture=_word(fields.get("architecture")),
    )


def read(path: str, text: str | None, machine: Machine, *, received: float) -> tuple[Told, ...]:
    """What one of the watched documents says; None is its absence, which says nothing.

    received: Unix seconds, when it was read. Raises PayloadError, and nothing else whatever the text.
    """
    if text is None or not text.strip():
        return ()
    if len(text) > TEXT_CHARACTERS_MAX:
        raise PayloadError(f"{path} holds {len(text)} characters, which no such document does; {NEXT_STEP}")
    return _READERS[path](text, machine, received)


def _read_interruption(text: str, machine: Machine, received: float) -> tuple[Told, ...]:
    fields = _object(_json(INTERRUPTION, text), INTERRUPTION)
    action = _text(INTERRUPTION, fields, "action")
    if action == "none":
        return ()
    # Hibernation begins at once and may come without a time; a word that AWS may add takes the machine all the same.
    deadline = received if "time" not in fields and action == "hibernate" else _iso_time(INTERRUPTION, fields, "time")
    return (
        InterruptionNoticed(
            time=received,
            region=machine.region,
            instance_id=machine.instance_id,
            action=action if action in ACTIONS else "terminate",
            deadline=deadline,
        ),
    )


def _read_rebalance(text: str, machine: Machine, received: float) -> tuple[Told, ...]:
    advised = _iso_time(REBALANCE, _object(_json(REBALANCE, text), REBALANCE), "noticeTime")
    time = min(advised, received)  # clocks differ, and time here only goes forward
    return (RebalanceAdvised(time=time, region=machine.region, instance_id=machine.instance_id),)


def _read_maintenance(text: str, machine: Machine, received: float) -> tuple[Told, ...]:
    listed = _json(MAINTENANCE, text)
    entries = listed if isinstance(listed, list) else [listed]  # some fakes of the service leave the brackets out
    if len(entries) > EVENTS_MAX:
        raise PayloadError(f"{MAINTENANCE} lists {len(entries)} events, more than any machine has; {NEXT_STEP}")
    told = [_scheduled(_object(entry, MAINTENANCE), machine, received) for entry in entries]
    return tuple({each.event_id: each for each in told}.values())


_OUTCOMES: Mapping[str, Literal["completed", "canceled"]] = {
    "completed": "completed",
    "canceled": "canceled",
    "cancelled": "canceled",
}


def _scheduled(
    fields: Mapping[str, object], machine: Machine, received: float
) -> MaintenanceScheduled | MaintenanceEnded:
    event_id = _text(MAINTENANCE, fields, "EventId")
    outcome = _OUTCOMES.get(str(fields.get("State", "active")).lower())
    if outcome is not None:
        return MaintenanceEnded(
            time=received,
            region=machine.region,
            instance_id=machine.instance_id,
            event_id=event_id,
            outcome=outcome,
        )
    return MaintenanceScheduled(
        time=received,
        region=machine.region,
        instance_id=machine.instance_id,
        event_id=event_id,
        code=_text(MAINTENANCE, fields, "Code"),
        start_time=_dated_time(fields, "NotBefore"),
        end_time=_dated_time(fields, "NotAfter") if fields.get("NotAfter") else None,
        deadline_time=_dated_time(fields, "NotBeforeDeadline") if fields.get("NotBeforeDeadline") else None,
        description=str(fields.get("Description") or "")[:DESCRIPTION_MAX],
    )


_STATE = re.compile(r"[A-Z][A-Za-z]*(:[A-Z][A-Za-z]*)?")


def _read_target_state(text: str, machine: Machine, received: float) -> tuple[Told, ...]:
    state = text.strip()
    if len(state) > WORD_MAX or _STATE.fullmatch(state) is None:
        raise PayloadError(f"{TARGET_STATE} says {quoted(state)} and should say one word as InService; {NEXT_STEP}")
    return (TargetStateChanged(time=received, region=machine.region, instance_id=machine.instance_id, state=state),)


_READERS: Mapping[str, Callable[[str, Machine, float], tuple[Told, ...]]] = {
    INTERRUPTION: _read_interruption,
    REBALANCE: _read_rebalance,
    MAINTENANCE: _read_maintenance,
    TARGET_STATE: _read_target_state,
}


# ---- fields ----------------------------------------------------------------------------------------------------------


def _json(path: str, text: str) -> object:
    try:
        return json_value(text, next_step=NEXT_STEP)
    except PayloadError as error:
        raise PayloadError(f"{path}: {error}") from None


def _object(value: object, path: str) -> Mapping[str, object]:
    if not isinstance(value, dict):
        raise PayloadError(f"{path} holds {kind(value)} and should hold an object: {quoted(value)}; {NEXT_STEP}")
    return value


def _wrong(path: str, field: str, value: object, what: str) -> PayloadError:
    said = "is missing" if value is None else f"says {quoted(value)}"
    return PayloadError(f"{path}: `{field}` {said} and should be {what}; {NEXT_STEP}")


def _text(path: str, fields: Mapping[str, object], field: str) -> str:
    value = fields.get(field)
    if not isinstance(value, str) or not value.strip():
        raise _wrong(path, field, value, "a text")
    return _word(value)


def _word(value: object) -> str:
    return value.strip()[:WORD_MAX] if isinstance(value, str) else ""


def _matching(fields: Mapping[str, object], field: str, pattern: re.Pattern[str], what: str) -> str:
    value = fields.get(field)
    if not isinstance(value, str) or pattern.fullmatch(value) is None:
        raise _wrong("the instance identity document", field, value, what)
    return value


def _iso_time(path: str, fields: Mapping[str, object], field: str) -> float:
    time = iso_seconds(fields.get(field))
    if time is None:
        raise _wrong(path, field, fields.get(field), "a time such as 2026-11-22T14:05:09Z")
    return time


def _dated_time(fields: Mapping[str, object], field: str) -> float:
    time = dated_seconds(fields.get(field))
    if time is None:
        raise _wrong(MAINTENANCE, field, fields.get(field), "a time such as 21 Jan 2027 09:00:43 GMT")
    return time


# ---- writing ---------------------------------------------------------------------------------------------------------


def render_interruption(action: str, deadline: float | None) -> str:
    """`spot/instance-action`. deadline: Unix seconds, written in whole seconds; None writes none."""
    fields = {"action": action} if deadline is None else {"action": action, "time": iso(int(deadline))}
    return json.dumps(fields)


def render_rebalance(notice_time: float) -> str:
    """`events/recommendations/rebalance`."""
    return json.dumps({"noticeTime": iso(int(notice_time))})


def render_maintenance(entries: Sequence[tuple[MaintenanceScheduled, str]]) -> str:
    """`events/maintenance/scheduled`: each with its state, for what has ended is listed for some time.

    The states are `active`, `completed` and `canceled`.
    """
    return json.dumps([_entry(scheduled, state) for scheduled, state in entries])


def _entry(scheduled: MaintenanceScheduled, state: str) -> Mapping[str, str]:
    mark = {"completed": "[Completed] ", "canceled": "[Canceled] "}.get(state, "")
    fields = {
        "NotBefore": dated(scheduled.start_time),
        "Code": scheduled.code,
        "Description": mark + scheduled.description.removeprefix(mark),
        "EventId": scheduled.event_id,
        "State": state,
    }
    if scheduled.end_time is not None:
        fields["NotAfter"] = dated(scheduled.end_time)
    if scheduled.deadline_time is not None:
        fields["NotBeforeDeadline"] = dated(scheduled.deadline_time)
    return fields


def render_machine(machine: Machine, *, pending_time: float) -> str:
    """The instance identity document. pending_time: Unix seconds, when the machine was launched."""
    fields = {
        "accountId": machine.account,
        "architecture": machine.architecture,
        "availabilityZone": machine.az,
        "billingProducts": None,
        "devpayProductCodes": None,
        "imageId": machine.image_id,
        "instanceId": machine.instance_id,
        "instanceType": machine.instance_type,
        "kernelId": None,
        "marketplaceProductCodes": None,
        "pendingTime": iso(int(pending_time)),
        "privateIp": machine.private_ip,
        "ramdiskId": None,
        "region": machine.region,
        "version": "2017-09-30",
    }
    return json.dumps(fields, indent=2)
