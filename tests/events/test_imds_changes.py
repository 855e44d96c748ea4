"""One event for each real change, whatever the number of polls."""

from collections.abc import Sequence
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from spotward.events.imds import INTERRUPTION, MAINTENANCE, REBALANCE, TARGET_STATE, Told
from spotward.events.imds_changes import Seen
from spotward.model.event import (
    Event,
    InterruptionNoticed,
    MaintenanceEnded,
    MaintenanceScheduled,
    NoticeWithdrawn,
    RebalanceAdvised,
    TargetStateChanged,
)

REGION, ME = "eu-west-1", "i-1"
DEADLINE = 1_000.0


def interrupted(time: float, *, deadline: float = DEADLINE, action: str = "terminate") -> InterruptionNoticed:
    return InterruptionNoticed(time=time, region=REGION, instance_id=ME, action=action, deadline=deadline)


def advised(time: float) -> RebalanceAdvised:
    return RebalanceAdvised(time=time, region=REGION, instance_id=ME)


def rebooted(time: float, *, start_time: float = 5_000.0, event_id: str = "e-1") -> MaintenanceScheduled:
    return MaintenanceScheduled(
        time=time, region=REGION, instance_id=ME, event_id=event_id, code="system-reboot", start_time=start_time
    )


def ended(time: float) -> MaintenanceEnded:
    return MaintenanceEnded(time=time, region=REGION, instance_id=ME, event_id="e-1", outcome="canceled")


def wanted(time: float, state: str) -> TargetStateChanged:
    return TargetStateChanged(time=time, region=REGION, instance_id=ME, state=state)


def heard(path: str, *answers: Sequence[Told]) -> list[Event]:
    """The events of one answer every two seconds."""
    seen = Seen()
    found: list[Event] = []
    for poll, told in enumerate(answers):
        events, seen = seen.after(path, told, received=2.0 * poll)
        found.extend(events)
    return found


def test_a_notice_that_is_repeated_is_told_once() -> None:
    assert heard(INTERRUPTION, (), [interrupted(2)], [interrupted(4)], [interrupted(6)]) == [interrupted(2)]


def test_a_notice_whose_time_moves_with_every_answer_is_told_once() -> None:
    answers = [[interrupted(2.0 * poll, deadline=120 + 2.0 * poll)] for poll in range(100)]
    assert heard(INTERRUPTION, *answers) == [interrupted(0, deadline=120)]


def test_a_deadline_that_comes_nearer_is_told_and_one_that_moves_away_is_not() -> None:
    nearer = interrupted(2, deadline=DEADLINE - 30)
    assert heard(INTERRUPTION, [interrupted(0)], [nearer], [interrupted(4)]) == [interrupted(0), nearer]


def test_another_action_is_another_notice_and_takes_the_first_ones_place() -> None:
    stop, terminate = interrupted(0, action="stop"), interrupted(2)
    events = heard(INTERRUPTION, [stop], [terminate], [replace(terminate, time=4)], [replace(terminate, time=6)])
    assert events == [stop, terminate]


def test_one_answer_without_the_notice_withdraws_nothing() -> None:
    assert heard(INTERRUPTION, [interrupted(0)], (), [interrupted(4)], (), [interrupted(8)]) == [interrupted(0)]


def test_a_notice_that_stays_away_is_withdrawn_once() -> None:
    withdrawn = NoticeWithdrawn(time=4, region=REGION, instance_id=ME, notice="interruption")
    assert heard(INTERRUPTION, [interrupted(0)], (), (), (), ()) == [interrupted(0), withdrawn]


def test_a_notice_that_comes_back_after_it_was_withdrawn_is_told_again() -> None:
    events = heard(REBALANCE, [advised(0)], (), (), [advised(6)])
    assert events == [
        advised(0),
        NoticeWithdrawn(time=4, region=REGION, instance_id=ME, notice="rebalance"),
        advised(6),
    ]


def test_advice_given_again_is_not_told_again() -> None:
    assert heard(REBALANCE, [advised(0)], [advised(2)]) == [advised(0)]


def test_several_scheduled_events_are_told_one_by_one_and_moved_ones_again() -> None:
    other = rebooted(2, event_id="e-2")
    moved = rebooted(4, start_time=9_000.0)
    events = heard(MAINTENANCE, [rebooted(0)], [rebooted(2), other], [moved, replace(other, time=4)])
    assert events == [rebooted(0), other, moved]


def test_a_scheduled_event_that_is_canceled_is_told_once_even_if_its_beginning_was_missed() -> None:
    assert heard(MAINTENANCE, [rebooted(0)], [ended(2)], [ended(4)], (), ()) == [rebooted(0), ended(2)]
    assert heard(MAINTENANCE, [ended(0)], [ended(2)]) == [ended(0)]


def test_a_scheduled_event_that_is_not_listed_any_more_has_ended() -> None:
    events = heard(MAINTENANCE, [rebooted(0)], (), ())
    assert events == [rebooted(0), replace(ended(4), outcome="withdrawn")]


def test_a_target_state_is_told_when_it_is_another_and_its_absence_is_not() -> None:
    answers = ([wanted(0, "InService")], [wanted(2, "InService")], (), (), (), [wanted(10, "Terminated")])
    assert heard(TARGET_STATE, *answers) == [wanted(0, "InService"), wanted(10, "Terminated")]


answer = st.lists(
    st.one_of(
        st.builds(
            interrupted, st.just(0.0), deadline=st.floats(0, 1_000), action=st.sampled_from(["stop", "terminate"])
        )
    ),
    max_size=1,
)


def deadlines(events: Sequence[Event]) -> list[float | None]:
    return [getattr(event, "deadline", None) for event in events]


@given(st.lists(answer, max_size=12), st.integers(min_value=2, max_value=5))
def test_asking_more_often_tells_no_more(answers: list[list[Told]], times: int) -> None:
    # Each answer comes twice or more, so that a notice that is missing is missing for long enough.
    often = [each for each in answers for _ in range(times)]
    assert deadlines(heard(INTERRUPTION, *often)) == deadlines(
        heard(INTERRUPTION, *[each for each in often for _ in range(2)])
    )


@given(st.lists(answer, max_size=12))
def test_a_notice_and_its_withdrawal_take_turns(answers: list[list[Told]]) -> None:
    there = False
    for event in heard(INTERRUPTION, *answers):
        withdrawn = isinstance(event, NoticeWithdrawn)
        assert there or not withdrawn
        there = not withdrawn
