"""The metadata service's documents, read and written."""

import json
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spotward.events.imds import (
    INTERRUPTION,
    MAINTENANCE,
    REBALANCE,
    TARGET_STATE,
    WATCHED,
    Machine,
    read,
    read_machine,
    render_interruption,
    render_machine,
    render_maintenance,
    render_rebalance,
)
from spotward.model.errors import PayloadError
from spotward.model.event import (
    InterruptionNoticed,
    MaintenanceEnded,
    MaintenanceScheduled,
    RebalanceAdvised,
    TargetStateChanged,
)

PAYLOADS = Path(__file__).parent.parent / "payloads" / "imds"
ME = Machine(instance_id="i-1234567890abcdef0", region="eu-west-1")
NOW = 1_794_432_634.0  # 2026-11-11T21:30:34Z


def interruption(action: str, deadline: float) -> InterruptionNoticed:
    return InterruptionNoticed(time=NOW, region=ME.region, instance_id=ME.instance_id, action=action, deadline=deadline)


@pytest.mark.parametrize(
    ("text", "event"),
    [
        ('{"action": "terminate", "time": "2026-11-11T21:32:34Z"}', interruption("terminate", NOW + 120)),
        ('{"action": "stop", "time": "2026-11-11T21:32:34Z"}', interruption("stop", NOW + 120)),
        ('{"action": "hibernate"}', interruption("hibernate", NOW)),
        ('{"action": "dissolve", "time": "2026-11-11T21:32:34Z"}', interruption("terminate", NOW + 120)),
    ],
    ids=["terminate", "stop", "hibernate begins at once", "a word that is new"],
)
def test_an_interruption_is_read_with_its_deadline(text: str, event: InterruptionNoticed) -> None:
    assert read(INTERRUPTION, text, ME, received=NOW) == (event,)


def test_advice_keeps_the_time_at_which_ec2_gave_it() -> None:
    told = read(REBALANCE, '{"noticeTime": "2026-11-11T21:00:34Z"}', ME, received=NOW)
    assert told == (RebalanceAdvised(time=NOW - 1800, region=ME.region, instance_id=ME.instance_id),)


def test_advice_of_a_clock_that_is_ahead_was_given_now() -> None:
    (told,) = read(REBALANCE, '{"noticeTime": "2026-11-11T22:00:34Z"}', ME, received=NOW)
    assert told.time == NOW


def test_scheduled_events_are_read_one_by_one_in_awss_own_dates() -> None:
    reboot, retirement = read(MAINTENANCE, (PAYLOADS / "maintenance.json").read_text(), ME, received=NOW)
    assert reboot == MaintenanceScheduled(
        time=NOW,
        region=ME.region,
        instance_id=ME.instance_id,
        event_id="instance-event-0d59937288b749b32",
        code="system-reboot",
        start_time=1_800_522_043.0,
        end_time=1_800_523_043.0,
        description="scheduled reboot",
    )
    assert isinstance(retirement, MaintenanceEnded)
    assert retirement.outcome == "canceled"


def test_a_lone_scheduled_event_without_brackets_is_read_too() -> None:
    lone = json.dumps(json.loads((PAYLOADS / "maintenance.json").read_text())[0])
    assert len(read(MAINTENANCE, lone, ME, received=NOW)) == 1


@pytest.mark.parametrize("state", ["InService", "Terminated", "Detached", "Standby", "Warmed:Hibernated"])
def test_target_states_are_read(state: str) -> None:
    (told,) = read(TARGET_STATE, state + "\n", ME, received=NOW)
    assert told == TargetStateChanged(time=NOW, region=ME.region, instance_id=ME.instance_id, state=state)


@pytest.mark.parametrize("path", WATCHED)
@pytest.mark.parametrize("text", [None, "", "  \n"])
def test_what_is_absent_or_empty_says_nothing(path: str, text: str | None) -> None:
    assert read(path, text, ME, received=NOW) == ()


def test_an_empty_list_of_scheduled_events_says_nothing() -> None:
    assert read(MAINTENANCE, "[]", ME, received=NOW) == ()


@pytest.mark.parametrize(
    ("path", "text", "words"),
    [
        (INTERRUPTION, "<html>502 Bad Gateway</html>", "is not JSON"),
        (INTERRUPTION, '{"action": "terminate", "time": "soon"}', "`time` says 'soon'"),
        (INTERRUPTION, '{"action": "terminate"}', "`time` is missing"),
        (INTERRUPTION, '{"time": "2026-11-11T21:32:34Z"}', "`action` is missing"),
        (INTERRUPTION, "[]", "holds an array and should hold an object"),
        (REBALANCE, '{"noticeTime": 17}', "`noticeTime` says 17"),
        (MAINTENANCE, '[{"EventId": "e", "Code": "c", "NotBefore": "31 Feb 2027 00:00:00 GMT"}]', "`NotBefore`"),
        (MAINTENANCE, '[{"EventId": "e", "Code": "c", "NotBefore": "21 Jän 2027 00:00:00 GMT"}]', "`NotBefore`"),
        (MAINTENANCE, '["a reboot"]', "holds a text"),
        (MAINTENANCE, "[" + "{}," * 101 + "{}]", "more than any machine has"),
        (TARGET_STATE, "<?xml version='1.0'?>", "should say one word"),
        (TARGET_STATE, "A" * 100_000, "characters"),
    ],
)
def test_what_cannot_be_read_is_told_with_the_document_and_the_next_step(path: str, text: str, words: str) -> None:
    with pytest.raises(PayloadError, match="metadata endpoint") as refused:
        read(path, text, ME, received=NOW)
    assert words in str(refused.value)
    assert path in str(refused.value)
    assert len(str(refused.value)) < 400


def test_the_identity_document_says_whose_metadata_it_is() -> None:
    machine = read_machine((PAYLOADS / "document.json").read_text())
    assert machine == Machine(
        instance_id="i-1234567890abcdef0",
        region="eu-west-1",
        az="eu-west-1b",
        instance_type="m5.large",
        account="123456789012",
        image_id="ami-0b69ea66ff7391e80",
        private_ip="10.0.7.10",
        architecture="x86_64",
    )
    assert read_machine(render_machine(machine, pending_time=NOW)) == machine


@pytest.mark.parametrize("field", ["instanceId", "region"])
def test_an_identity_document_without_an_instance_or_a_region_is_refused(field: str) -> None:
    fields = json.loads((PAYLOADS / "document.json").read_text())
    del fields[field]
    with pytest.raises(PayloadError, match=field):
        read_machine(json.dumps(fields))


# ---- properties ------------------------------------------------------------------------------------------------------

seconds = st.integers(min_value=946_684_800, max_value=4_102_444_800).map(float)  # the years 2000 to 2099


@given(st.sampled_from(["terminate", "stop", "hibernate"]), seconds)
def test_what_is_written_of_an_interruption_is_read_back_the_same(action: str, deadline: float) -> None:
    assert read(INTERRUPTION, render_interruption(action, deadline), ME, received=NOW) == (
        interruption(action, deadline),
    )


@given(st.floats(min_value=946_684_800, max_value=NOW))
def test_what_is_written_of_advice_is_read_back_to_the_second(noticed: float) -> None:
    (told,) = read(REBALANCE, render_rebalance(noticed), ME, received=NOW)
    assert told.time == int(noticed)


maintenance = st.builds(
    MaintenanceScheduled,
    time=st.just(NOW),
    region=st.just(ME.region),
    instance_id=st.just(ME.instance_id),
    event_id=st.from_regex(r"instance-event-[0-9a-f]{17}", fullmatch=True),
    code=st.sampled_from(["instance-reboot", "system-reboot", "system-maintenance", "instance-stop"]),
    start_time=seconds,
    end_time=st.none() | seconds,
    deadline_time=st.none() | seconds,
    description=st.text(max_size=100),
)


@given(st.lists(maintenance, max_size=5, unique_by=lambda each: each.event_id))
def test_what_is_written_of_scheduled_events_is_read_back_the_same(events: list[MaintenanceScheduled]) -> None:
    text = render_maintenance([(each, "active") for each in events])
    assert read(MAINTENANCE, text, ME, received=NOW) == tuple(events)


@given(maintenance, st.sampled_from(["completed", "canceled"]))
def test_what_has_ended_is_listed_as_ended(event: MaintenanceScheduled, outcome: str) -> None:
    (told,) = read(MAINTENANCE, render_maintenance([(event, outcome)]), ME, received=NOW)
    assert isinstance(told, MaintenanceEnded)
    assert (told.event_id, told.outcome) == (event.event_id, outcome)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=40),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=10), inner, max_size=4),
    max_leaves=12,
)


@given(st.sampled_from(WATCHED), st.text() | json_values.map(json.dumps))
def test_no_text_crashes_the_reader(path: str, text: str) -> None:
    with suppress(PayloadError):
        read(path, text, ME, received=NOW)
    with suppress(PayloadError):
        read_machine(text)


FIELDS = ("NotBefore", "NotAfter", "NotBeforeDeadline", "Code", "Description", "EventId", "State")


@given(st.sampled_from(FIELDS), json_values)
def test_no_field_of_a_scheduled_event_that_is_spoilt_crashes_the_reader(field: str, value: object) -> None:
    entries = json.loads((PAYLOADS / "maintenance.json").read_text())
    entries[0][field] = value
    with suppress(PayloadError):
        read(MAINTENANCE, json.dumps(entries), ME, received=NOW)
