from dataclasses import fields, replace
from typing import Any, Literal

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from spotward.engine.core import REFUSED_PAUSE_SECONDS, Core, Step
from spotward.engine.memory import Change
from spotward.model.action import LaunchFleet, ObserveRegion, RetireMember
from spotward.model.decision import Decision, GroupPause, Verdict, WakeAt, Wish
from spotward.model.event import (
    Event,
    Failed,
    FleetAnswered,
    GroupObserved,
    InterruptionNoticed,
    NoticeWithdrawn,
    PoolFailure,
    RebalanceAdvised,
    Restarted,
    Tick,
    Woken,
)
from spotward.model.page import Refusal
from spotward.model.world import Pause, World
from tests.engine.made import (
    NOON,
    PRODUCT,
    REGION,
    WEB,
    a_group,
    a_launch,
    a_swap,
    a_tagging,
    answer,
    deciding,
    done,
    failed,
    noting,
    refusing,
    seen,
    wishing,
)

TICK = Tick(time=NOON)
LOOK = ObserveRegion(region=REGION)


def run(core: Core, *events: Event, world: World | None = None) -> list[Step]:
    steps: list[Step] = []
    for event in events:
        steps.append(core.step(steps[-1].world if steps else world or World(), event, page_number=len(steps) + 1))
    return steps


# ---- a wish --------------------------------------------------------------------------------------------------


def test_a_wish_is_asked_once_while_it_is_in_flight() -> None:
    core = Core([wishing(a_tagging()), wishing(a_tagging())])
    first, second = run(core, TICK, replace(TICK, time=NOON + 1))
    assert [asked.action for asked in first.asked] == [a_tagging()]
    assert second.asked == ()
    assert second.page is None


def test_a_wish_that_is_done_can_be_wished_again() -> None:
    steps = run(Core([wishing(a_tagging(), when=Tick)]), TICK, done(a_tagging()), TICK)
    assert [len(step.asked) for step in steps] == [1, 0, 1]
    assert steps[2].asked[0].attempt == 1


def test_a_failed_wish_waits_out_its_pause_and_says_when_it_is_to_be_woken() -> None:
    core = Core([wishing(a_tagging(), when=(Tick, Woken))])
    later = [Woken(time=NOON + 1, subject=WEB), Woken(time=NOON + 2, subject=WEB)]
    _, failure, too_early, in_time = run(core, TICK, failed(a_tagging()), *later)
    assert failure.wakes == (WakeAt(time=NOON + 2, subject=WEB),)
    assert too_early.asked == ()
    assert too_early.wakes == (WakeAt(time=NOON + 2, subject=WEB),)
    assert [each.attempt for each in in_time.asked] == [2]


def test_a_wish_that_is_withdrawn_is_forgotten_when_it_has_failed_and_awaited_when_it_is_in_flight() -> None:
    withdrawing = Decision(withdrawn=("tag web",))
    asked, failure, withdrawn = run(
        Core([deciding(Decision(wishes=(Wish(action=a_tagging(), reason="because"),)), withdrawing)]),
        TICK,
        done(LOOK),
        failed(a_tagging()),
    )
    assert "tag web" in asked.world.wishes
    assert failure.world.wishes["tag web"].state == "asked"
    assert "tag web" not in withdrawn.world.wishes
    assert withdrawn.change.wishes == {"tag web": None}


def test_the_pause_grows_with_each_failure_in_a_row_of_questions_too() -> None:
    core = Core([wishing(LOOK, when=Tick)])
    world, pauses = World(), []
    for number in range(5):
        time = NOON + 1000 * number
        step = core.step(world, replace(TICK, time=time), page_number=1)
        step = core.step(step.world, failed(LOOK, time=time), page_number=1)
        world = step.world
        pauses.append(step.wakes[0].time - time)
    assert pauses == [2, 4, 8, 16, 32]


def test_the_outside_may_ask_for_a_longer_pause() -> None:
    (_, step) = run(Core([wishing(LOOK, when=Tick)]), TICK, failed(LOOK, retry_after_seconds=90))
    assert step.wakes == (WakeAt(time=NOON + 90, subject=REGION),)


def test_a_launch_carries_its_own_attempt() -> None:
    (step,) = run(Core([wishing(a_launch(attempt=7))]), TICK)
    assert step.asked[0].attempt == 7
    assert step.world.wishes["launch 1"].attempt == 7


def test_a_launch_whose_outcome_is_unknown_is_repeated_to_the_letter_and_its_pause_grows() -> None:
    first, changed = a_launch(), a_launch(count=2)
    unknown = failed(first, outcome_unknown=True)
    step = run(Core([wishing(first, when=Tick)]), TICK, unknown)[-1]
    core = Core([wishing(changed, when=Tick)])
    steps = run(core, replace(TICK, time=NOON + 2), failed(first, time=NOON + 2), world=step.world)
    assert [asked.action for asked in steps[0].asked] == [first]
    assert steps[1].wakes[0].time == NOON + 6


def test_a_launch_that_was_asked_before_a_restart_is_repeated_to_the_letter() -> None:
    world = run(Core([wishing(a_launch(), when=Tick)]), TICK)[-1].world
    core = Core([wishing(a_launch(count=2), when=Restarted)])
    (step,) = run(core, Restarted(time=NOON + 60), world=world)
    assert [asked.action for asked in step.asked] == [a_launch()]


def test_a_launch_whose_outcome_is_known_may_be_another_one_next_time() -> None:
    answered = answer(a_launch(), NOON)
    refused = failed(a_launch(), transient=False)
    for outcome in (answered, refused):
        world = run(Core([wishing(a_launch(), when=Tick)]), TICK, outcome)[-1].world
        (step,) = run(Core([wishing(a_launch(count=2))]), replace(TICK, time=NOON + 600), world=world)
        assert [asked.action for asked in step.asked] == [a_launch(count=2)]


def test_a_new_attempt_is_a_new_request() -> None:
    world = run(Core([wishing(a_launch(), when=Tick)]), TICK, failed(a_launch()))[-1].world
    second = a_launch(attempt=2, count=2)
    (step,) = run(Core([wishing(second)]), replace(TICK, time=NOON + 600), world=world)
    assert [asked.action for asked in step.asked] == [second]


def test_after_a_restart_what_was_asked_and_not_answered_can_be_asked_again() -> None:
    waiting = a_tagging("tag 2")
    core = Core([wishing(a_tagging(), waiting, when=(Tick, Restarted))])
    *_, step = run(core, TICK, failed(waiting), Restarted(time=NOON + 1))
    assert [asked.action.key for asked in step.asked] == ["tag web"]
    assert step.world.wishes["tag 2"].state == "failed"


# ---- a guard -------------------------------------------------------------------------------------------------


def test_a_refusal_is_said_once_and_looked_at_again_at_the_next_multiple() -> None:
    core = Core([wishing(a_tagging())], [refusing(lambda _: "10 of 10 swaps are under way")])
    first, second = run(core, TICK, replace(TICK, time=NOON + 1))
    assert first.page is not None
    assert first.page.refusals == (Refusal(key="tag web", subject=WEB, reason="10 of 10 swaps are under way"),)
    assert first.asked == ()
    assert second.page is None
    assert first.wakes == second.wakes
    assert 0 < first.wakes[0].time - NOON <= REFUSED_PAUSE_SECONDS


def test_a_refusal_is_said_again_when_its_words_change() -> None:
    core = Core([wishing(a_tagging())], [refusing(lambda world: f"it is {world.time:.0f}")])
    first, second = run(core, TICK, replace(TICK, time=NOON + 1))
    assert first.page is not None
    assert second.page is not None


def test_a_refusal_is_forgotten_once_the_wish_is_admitted() -> None:
    core = Core(
        [wishing(a_tagging(), when=Tick)], [refusing(lambda world: "not yet" if world.time < NOON + 60 else None)]
    )
    late = replace(TICK, time=NOON + 60)
    refused, admitted = run(core, TICK, late)
    assert refused.world.verdicts["tag web"] == "not yet"
    assert [asked.action.key for asked in admitted.asked] == ["tag web"]
    assert "tag web" not in admitted.world.verdicts


def test_the_first_guard_that_refuses_gives_the_reason_and_each_sees_what_was_asked_before() -> None:
    def busy(world: World) -> str | None:
        return "one at a time" if any(each.state == "asked" for each in world.wishes.values()) else None

    core = Core([wishing(a_tagging("1"), a_tagging("2"))], [refusing(busy), refusing(lambda _: None)])
    (step,) = run(core, TICK)
    assert [asked.action.key for asked in step.asked] == ["1"]
    assert step.page is not None
    assert [(refusal.key, refusal.reason) for refusal in step.page.refusals] == [("2", "one at a time")]


# ---- deciders in order ---------------------------------------------------------------------------------------


def test_each_decider_sees_what_those_before_it_began_paused_judged_and_asked() -> None:
    pause = Pause(until=NOON + 60, failures=1, reason="dry")

    def first(world: World, event: Event) -> Decision:
        return Decision(
            undertakings=(a_swap(),),
            pauses=(GroupPause(subject=WEB, pause=pause),),
            verdicts=(Verdict(subject="i-9", text="is kept"),),
            wishes=(Wish(action=a_tagging(), reason=""),),
        )

    seen_by_second: list[World] = []

    def second(world: World, event: Event) -> Decision:
        seen_by_second.append(world)
        return Decision()

    run(Core([first, second]), TICK)
    (world,) = seen_by_second
    assert world.swaps.by_key["swap 1"] == a_swap()
    assert world.pauses[WEB] == pause
    assert world.verdicts["i-9"] == "is kept"
    assert world.wishes["tag web"].state == "asked"


def test_an_undertaking_that_ended_leaves_the_world_and_stands_in_the_step() -> None:
    ended = a_swap(ended="replaced", ended_time=NOON)
    world = World().with_undertaking(a_swap())
    (step,) = run(Core([deciding(Decision(undertakings=(ended,)))]), TICK, world=world)
    assert step.undertakings == (ended,)
    assert "swap 1" not in step.world.swaps.by_key


# ---- pages ---------------------------------------------------------------------------------------------------


def test_questions_alone_make_no_page_and_a_deed_takes_them_along() -> None:
    (question,) = run(Core([wishing(LOOK)]), TICK)
    assert question.page is None
    assert len(question.asked) == 1
    (both,) = run(Core([wishing(LOOK, a_tagging())]), TICK)
    assert both.page is not None
    assert both.page.asked == both.asked


def test_a_verdict_is_said_once_and_again_after_it_was_taken_back() -> None:
    texts = ["is kept", "is kept", None, "is kept"]
    core = Core([deciding(*(Decision(verdicts=(Verdict(subject="i-1", text=text),)) for text in texts))])
    steps = run(core, TICK, TICK, TICK, TICK)
    assert [step.page is not None for step in steps] == [True, False, False, True]
    assert steps[0].page is not None
    assert steps[0].page.refusals == (Refusal(key="i-1", subject="i-1", reason="is kept"),)


def test_a_note_makes_a_page_with_the_event_in_words() -> None:
    core = Core([deciding(noting())])
    step = core.step(World(), RebalanceAdvised(time=NOON, region=REGION, instance_id="i-1"), page_number=42)
    assert step.page is not None
    assert step.page.number == 42
    assert step.page.event_kind == "instance.rebalance"
    assert step.page.event_text == "EC2 advises to move off i-1"
    assert step.page.subjects == ("i-1", WEB)


def test_a_page_is_dated_by_what_the_world_takes_for_now() -> None:
    core = Core([deciding(noting())])
    step = core.step(World(time=NOON), Woken(time=NOON - 100, subject=WEB), page_number=1)
    assert step.page is not None
    assert step.page.time == NOON


def test_the_first_and_the_last_page_of_a_swap_name_all_its_instances_and_those_between_only_theirs() -> None:
    deed = RetireMember(region=REGION, group="web", key="retire i-1", instance_id="i-1")
    olds = (a_swap().olds[0], replace(a_swap().olds[0], id="i-2"))
    first = a_swap(olds=olds)
    moments = [first, replace(first, desired_seen=3), replace(first, ended="done", ended_time=NOON)]
    swapping = deciding(*(replace(noting(), undertakings=(swap,)) for swap in moments))
    steps = run(Core([wishing(deed, when=Woken), swapping]), TICK, Woken(time=NOON, subject=WEB), TICK)
    birth, between, end = (set(step.page.subjects) for step in steps if step.page)
    assert {"i-1", "i-2", "swap 1", WEB} <= birth & end
    assert "i-2" not in between
    assert {"i-1", "retire i-1", WEB} <= between


# ---- always --------------------------------------------------------------------------------------------------


def whole_difference(before: World, after: World) -> dict[str, Any]:
    """The slow way: every key of every map of the memory."""
    different: dict[str, Any] = {}
    for field in fields(Change):
        if field.name != "time":
            old, new = getattr(before, field.name), getattr(after, field.name)
            keys = {*old.keys(), *new.keys()}
            different[field.name] = {key: new.get(key) for key in keys if old.get(key) != new.get(key)}
    return different


IDS = st.sampled_from(["i-1", "i-2", "i-3", "i-4", "i-new"])
NAMES = st.sampled_from(["web", "api"])
LOOKS_SECONDS = st.sampled_from([0.0, 30.0])


class AnyHistory(RuleBasedStateMachine):
    """The small product under any order of events that the outside can think of."""

    @initialize()
    def begin(self) -> None:
        self.core = Core(PRODUCT, [refusing(lambda world: "three at once" if len(world.wishes) >= 3 else None)])
        self.world = World()
        self.now = NOON
        self.in_flight: dict[str, Any] = {}
        self.remembered: dict[str, dict[Any, Any]] = {field.name: {} for field in fields(Change)}
        self.history: list[tuple[World, Event, Step]] = []

    def happen(self, event: Event) -> None:
        before = self.world
        step = self.core.step(before, event, page_number=1)
        if isinstance(event, Restarted):
            self.in_flight.clear()
        self.in_flight.pop(getattr(event, "key", ""), None)
        for asked in step.asked:
            assert asked.action.key not in self.in_flight, "asked twice while in flight"
            self.in_flight[asked.action.key] = asked.action
        for name, difference in whole_difference(before, step.world).items():
            assert getattr(step.change, name) == difference, name
        self.world = step.world
        self.history.append((before, event, step))

    @rule(seconds=st.sampled_from([0.5, 3.0, 40.0, 4000.0, 100_000.0]))
    def time_passes(self, seconds: float) -> None:
        self.now += seconds
        self.happen(Tick(time=self.now, regions=(REGION,)))

    @rule(ids=st.lists(IDS, unique=True), name=NAMES, took=LOOKS_SECONDS)
    def a_region_is_seen(self, ids: list[str], name: str, took: float) -> None:
        self.happen(replace(seen(a_group(*ids, name=name), time=self.now), as_of=self.now - took))

    @rule(name=NAMES, took=LOOKS_SECONDS)
    def a_group_disappears(self, name: str, took: float) -> None:
        self.happen(replace(seen(time=self.now), gone_groups=(name,), as_of=self.now - took))

    @rule(ids=st.lists(IDS, unique=True), name=NAMES, there=st.booleans())
    def a_group_is_seen(self, ids: list[str], name: str, there: bool) -> None:
        group = a_group(*ids, name=name) if there else None
        event = GroupObserved(
            time=self.now, key=f"observe {name}", as_of=self.now, region=REGION, group_name=name, group=group
        )
        self.happen(event)

    @rule(instance_id=IDS)
    def a_notice_comes(self, instance_id: str) -> None:
        self.happen(InterruptionNoticed(time=self.now, region=REGION, instance_id=instance_id, deadline=self.now + 120))

    @rule(instance_id=IDS)
    def advice_comes(self, instance_id: str) -> None:
        self.happen(RebalanceAdvised(time=self.now, region=REGION, instance_id=instance_id))

    @rule(instance_id=IDS, notice=st.sampled_from(["rebalance", "interruption"]))
    def what_was_said_is_taken_back(self, instance_id: str, notice: Literal["rebalance", "interruption"]) -> None:
        self.happen(NoticeWithdrawn(time=self.now, region=REGION, instance_id=instance_id, notice=notice))

    @rule(data=st.data(), how=st.sampled_from(["done", "failed", "lost", "refused", "dry"]))
    def an_action_is_answered(self, data: st.DataObject, how: str) -> None:
        if not self.in_flight:
            return
        action = self.in_flight[data.draw(st.sampled_from(sorted(self.in_flight)))]
        event: Event
        if how == "done":
            event = answer(action, self.now, launched=data.draw(IDS))
        elif how == "dry" and isinstance(action, LaunchFleet):
            failures = tuple(PoolFailure(pool=p, code="InsufficientInstanceCapacity", message="") for p in action.pools)
            full = answer(action, self.now)
            assert isinstance(full, FleetAnswered)
            event = replace(full, instances=(), failures=failures)
        else:
            event = failed(action, self.now, transient=how != "refused", outcome_unknown=how == "lost")
        self.happen(event)

    @rule(subject=st.sampled_from([WEB, f"{REGION}/api", "i-1"]))
    def a_wake_rings(self, subject: str) -> None:
        self.happen(Woken(time=self.now, subject=subject))

    @rule()
    def the_process_restarts(self) -> None:
        self.happen(Restarted(time=self.now))

    @rule()
    def an_answer_comes_that_nobody_waits_for(self) -> None:
        self.happen(Failed(time=self.now, key="x", subject=WEB, code="C", reason="r", transient=True))

    @invariant()
    def what_is_in_flight_is_known_to_be(self) -> None:
        asked = {key for key, wish in self.world.wishes.items() if wish.state == "asked"}
        assert asked == set(self.in_flight)

    @invariant()
    def the_undertakings_of_a_group_are_found(self) -> None:
        for subject in (WEB, f"{REGION}/api"):
            slowly = sorted((u for u in self.world.swaps.by_key.values() if u.group_id == subject), key=lambda u: u.key)
            assert list(self.world.undertakings_of(subject)) == slowly

    @invariant()
    def whatever_waits_for_a_time_was_given_a_wake(self) -> None:
        wakes = {wake for *_, step in self.history for wake in step.wakes}
        for wish in self.world.wishes.values():
            if wish.state == "failed" and wish.action is not None:
                assert WakeAt(time=wish.retry_time, subject=wish.action.subject) in wakes

    def teardown(self) -> None:
        for before, event, step in self.history:
            assert self.core.step(before, event, page_number=1) == step


TestAnyHistory = AnyHistory.TestCase
TestAnyHistory.settings = settings(max_examples=80, stateful_step_count=40, deadline=None)
