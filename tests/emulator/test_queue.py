"""One queue's messages, held against a naive queue that searches lists."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from spotward.emulator.queues.queue import Message, Queue, State


def message(name: str, *, group: str = "", stamp: float = 0.0) -> Message:
    return Message(id=name, body=name, stamp=stamp, group_id=group, deduplication_id=name)


def take(queue: Queue, now: float, most: int = 10, hide: float = 30.0) -> list[str]:
    return [got.id for got in queue.take(most, now=now, stamp=now, visibility_seconds=hide)]


class QueueAgainstLists(RuleBasedStateMachine):
    """Any sequence of calls leaves each message where a naive model says it is."""

    def __init__(self) -> None:
        super().__init__()
        self.queue = Queue()
        self.now = 0.0
        self.names = 0
        self.until: dict[str, float] = {}
        """Name -> when it is (or was) visible; what is gone is not in it."""
        self.taken: set[str] = set()

    @rule(delay=st.sampled_from([0, 5]))
    def put(self, delay: float) -> None:
        name = f"m{self.names}"
        self.names += 1
        self.queue.put(message(name), now=self.now, delay_seconds=delay)
        self.until[name] = self.now + delay

    @rule(most=st.integers(1, 10), hide=st.sampled_from([0, 3, 7]))
    def take(self, most: int, hide: float) -> None:
        visible = {name for name, time in self.until.items() if time <= self.now}
        got = take(self.queue, self.now, most, hide)
        assert set(got) <= visible
        assert len(got) == len(set(got)) == min(most, len(visible))
        self.until.update(dict.fromkeys(got, self.now + hide))
        self.taken.update(got)

    @rule(data=st.data())
    def delete(self, data: st.DataObject) -> None:
        if self.taken:
            name = data.draw(st.sampled_from(sorted(self.taken)))
            found = self.queue.message(name)
            assert found is not None
            self.queue.delete(found, now=self.now)
            del self.until[name]
            self.taken.remove(name)

    @rule(data=st.data(), hide=st.sampled_from([0, 2, 9]))
    def hide_again(self, data: st.DataObject, hide: float) -> None:
        if self.taken:
            name = data.draw(st.sampled_from(sorted(self.taken)))
            found = self.queue.message(name)
            assert found is not None
            in_flight = self.until[name] > self.now
            assert self.queue.hide_again(found, now=self.now, visibility_seconds=hide) is in_flight
            if in_flight:
                self.until[name] = self.now + hide

    @rule(seconds=st.sampled_from([1, 4]))
    def wait(self, seconds: float) -> None:
        self.now += seconds

    @invariant()
    def each_message_is_where_it_should_be(self) -> None:
        hidden = [name for name, time in self.until.items() if time > self.now]
        in_flight = [name for name in hidden if name in self.taken]
        assert self.queue.count(State.READY, self.now) == len(self.until) - len(hidden)
        assert self.queue.count(State.IN_FLIGHT, self.now) == len(in_flight)
        assert self.queue.count(State.DELAYED, self.now) == len(hidden) - len(in_flight)


TestQueueAgainstLists = QueueAgainstLists.TestCase
TestQueueAgainstLists.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)


@given(
    groups=st.lists(st.sampled_from("abc"), max_size=20), takes=st.lists(st.integers(1, 4), max_size=30), data=st.data()
)
@settings(deadline=None)
def test_each_fifo_group_is_given_out_from_its_start(groups: list[str], takes: list[int], data: st.DataObject) -> None:
    queue = Queue(fifo=True)
    left: dict[str, list[str]] = {group: [] for group in "abc"}
    for at, group in enumerate(groups):
        left[group].append(f"{group}{at}")
        queue.put(message(left[group][-1], group=group), now=0.0)
    for turn, most in enumerate(takes):
        now = 100.0 * turn
        got = queue.take(most, now=now, stamp=now, visibility_seconds=30)
        assert len(got) == min(most, sum(map(len, left.values())))
        for group in "abc":
            ours = [one for one in got if one.group_id == group]
            assert [one.id for one in ours] == left[group][: len(ours)]
            for one in data.draw(st.lists(st.sampled_from(ours), unique=True)) if ours else []:
                queue.delete(one, now=now)
                left[group].remove(one.id)


def test_a_fifo_group_is_closed_while_one_of_its_messages_is_in_flight() -> None:
    queue = Queue(fifo=True)
    for name in ("a1", "a2", "b1"):
        queue.put(message(name, group=name[0]), now=0.0)
    assert take(queue, 0.0, most=1) == ["a1"]
    assert take(queue, 0.0) == ["b1"]
    first = queue.message("a1")
    assert first is not None
    queue.delete(first, now=1.0)
    assert take(queue, 1.0) == ["a2"]


def test_a_fifo_message_that_comes_back_comes_back_first() -> None:
    queue = Queue(fifo=True)
    for name in ("a1", "a2"):
        queue.put(message(name, group="a"), now=0.0)
    assert take(queue, 0.0, most=1) == ["a1"]
    assert take(queue, 31.0) == ["a1", "a2"]


def test_a_repeated_deduplication_id_is_taken_once_in_five_minutes() -> None:
    queue = Queue(fifo=True)
    first = queue.put(message("a", group="g"), now=0.0)
    again = message("b", group="g", stamp=299.0)
    again.deduplication_id = "a"
    assert queue.put(again, now=299.0) is first
    later = message("c", group="g", stamp=300.0)
    later.deduplication_id = "a"
    assert queue.put(later, now=300.0) is later


def test_messages_too_old_are_dropped() -> None:
    queue = Queue()
    for at in range(5):
        queue.put(message(f"m{at}", stamp=at), now=at)
    queue.expire(3, now=10.0)
    assert take(queue, 10.0) == ["m3", "m4"]


def test_hiding_a_message_twice_until_the_same_moment_is_no_trouble() -> None:
    queue = Queue()
    queue.put(message("m"), now=0.0)
    [got] = queue.take(1, now=0.0, stamp=0.0, visibility_seconds=30)
    for _ in range(3):
        assert queue.hide_again(got, now=0.0, visibility_seconds=30)
    assert take(queue, 29.0) == []
    assert take(queue, 30.0) == ["m"]
    assert take(queue, 30.0) == []


@pytest.mark.parametrize("fifo", [False, True])
def test_a_long_queue_is_emptied_to_the_last_message(fifo: bool) -> None:
    queue = Queue(fifo=fifo)
    for at in range(2_000):
        queue.put(message(f"m{at}", group=str(at % 100)), now=0.0)
    while batch := queue.take(10, now=1.0, stamp=1.0, visibility_seconds=30):
        for got in batch:
            queue.delete(got, now=1.0)
    assert queue.count(State.READY, 1.0) == queue.count(State.IN_FLIGHT, 1.0) == 0
