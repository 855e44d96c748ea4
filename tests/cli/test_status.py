"""What `spotward status` says of what the journal remembers."""

from __future__ import annotations

from dataclasses import replace

from rpds import HashTrieMap

from spotward.cli.status import VERDICTS_TOLD_MAX, done_last, under_way, waiting
from spotward.model.cloud import Pool
from spotward.model.incident import Cause, Incident, PodRecord, Signal
from spotward.model.order import Ordered, SwapReason, SwapWanted
from spotward.model.pool_memory import PoolMemory
from spotward.model.wish import WishState
from spotward.model.world import World
from tests.engine.made import NOON, a_launch, a_swap

LATER = NOON + 75


def test_where_nothing_was_begun_it_says_so() -> None:
    assert list(under_way(World(), NOON)) == ["nothing is under way"]
    assert list(waiting(World(), NOON)) == []
    assert list(done_last([])) == []


def test_a_swap_is_told_with_how_far_it_is() -> None:
    world = World().with_undertaking(replace(a_swap(), born=NOON))
    _, head, line = under_way(world, LATER)
    assert head.split() == ["[dim]group", "why", "for", "to", "replace", "launched", "serving[/dim]"]
    assert line.split() == ["us-east-1/web", "interruption", "75", "s", "1", "0", "0"]


def test_what_is_ordered_is_told_with_who_wants_it_and_what_it_waits_for() -> None:
    wanted = SwapWanted(regions=("us-east-1",), instance_id="i-1", reason=SwapReason.COST, terminate=True)
    order = Ordered(time=NOON, order="flow.swap", wanted=wanted, by="a step of rebalance.1").born
    world = World().with_undertaking(replace(order, progress="waits: another swap of web is under way"))
    _, head, line = under_way(world, LATER)
    assert head.split("  ")[0:2] == ["", "[dim]what is ordered"]
    assert " ".join(line.split()) == (
        "replace i-1 by something cheaper a step of rebalance.1 75 s waits: another swap of web is under way"
    )


def test_nodes_are_told_with_the_time_and_the_pods_that_are_left_the_most_urgent_first() -> None:
    signal = Signal(cause=Cause.INTERRUPTION, id="interruption", time=NOON, deadline=NOON + 120)
    pod = PodRecord(uid="u", namespace="default", name="web-1", since=NOON, grace_seconds=30.0)
    going = Incident(
        key="incident i-1",
        instance_id="i-1",
        region="us-east-1",
        born=NOON,
        signals=(signal,),
        node="n-1",
        begun_time=NOON,
        pods=(pod,),
    )
    advised = Incident(
        key="incident i-2",
        instance_id="i-2",
        region="us-east-1",
        born=NOON,
        signals=(Signal(cause=Cause.REBALANCE, id="rebalance", time=NOON),),
    )
    world = World().with_undertaking(advised).with_undertaking(going)
    _, head, *lines = under_way(world, LATER)
    assert head.split() == ["[dim]node", "why", "for", "time", "left", "pods", "left", "state[/dim]"]
    assert [line.split() for line in lines] == [
        ["n-1", "interruption", "75", "s", "45", "s", "1", "being", "emptied"],
        ["i-2", "rebalance", "75", "s", "noted"],
    ]


def test_a_failed_wish_is_told_in_words_with_when_it_is_asked_again_and_only_once() -> None:
    launch = a_launch("launch 1 in web")
    wish = WishState(attempt=1, state="failed", time=NOON, retry_time=LATER, reason="no permission", action=launch)
    world = World(verdicts=HashTrieMap({launch.key: "UnauthorizedOperation: no"})).with_wish(launch.key, wish)
    (line,) = waiting(world, NOON)
    assert line.startswith(
        "[red]failed:[/red] launch 1 Spot in us-east-1b for us-east-1/web, from 1 pool: no permission"
    )
    assert line.endswith("asked again at 2023-11-14 22:14:35Z")


def test_subjects_that_share_a_reason_stand_on_one_line() -> None:
    verdicts = {"i-2": "is protected from scale-in", "i-1": "is protected from scale-in", "us-east-1/web": "rests"}
    assert list(waiting(World(verdicts=HashTrieMap(verdicts)), NOON)) == [
        "[yellow]i-1 and i-2:[/yellow] is protected from scale-in",
        "[yellow]us-east-1/web:[/yellow] rests",
    ]


def test_a_wall_of_reasons_is_cut_short() -> None:
    verdicts = {f"i-{n:03}": f"reason {n}" for n in range(VERDICTS_TOLD_MAX + 5)}
    lines = list(waiting(World(verdicts=HashTrieMap(verdicts)), NOON))
    assert len(lines) == VERDICTS_TOLD_MAX + 1
    assert lines[-1].startswith("and 5 more reasons")


def test_pools_at_rest_are_named_until_their_time_is_over() -> None:
    pool = Pool(instance_type="m5.large", az="us-east-1a")
    memory = PoolMemory(failures=1, until=LATER, last_time=NOON, reason="no capacity")
    world = World(pools=HashTrieMap({("us-east-1", pool): memory}))
    assert list(waiting(world, NOON)) == ["1 pool at rest: m5.large/us-east-1a in us-east-1"]
    assert list(waiting(world, LATER)) == []


def test_what_was_done_last_is_told_by_its_end_and_not_by_its_birth() -> None:
    old = replace(a_swap("old"), born=NOON, ended="the long one", ended_time=NOON + 100)
    young = replace(a_swap("young"), born=NOON + 50, ended="the short one", ended_time=NOON + 60)
    heading, first, second = done_last([young, old])
    assert heading == "[bold]done last[/bold]"
    assert first == "  2023-11-14 22:15:00Z  us-east-1/web: the long one"
    assert second.endswith("the short one")
