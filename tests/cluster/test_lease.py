"""Who leads, on a real API server: takeover times, and that there are never two."""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass

import pytest

from spotward.engine.clock import ScaledClock, SystemClock
from spotward.kube.lease import Election, LeasePolicy, Term
from spotward.kube.resources import LEASES
from spotward.model.errors import Permanent
from tests.cluster.control_plane import NOBODY, ControlPlane
from tests.cluster.stage import Stage, on_stage

QUICK = LeasePolicy(ttl_seconds=3.0, renew_seconds=2.0, retry_seconds=0.3)
"""For what does not depend on how long it takes."""


def election(stage: Stage, name: str, policy: LeasePolicy | None = None, lease: str = "") -> Election:
    return Election(
        stage.kube,
        namespace="spotward",
        name=lease or stage.namespace,
        identity=name,
        clock=SystemClock(),
        policy=policy,
    )


async def killed(term: Term) -> None:
    """As SIGKILL leaves it: nobody renews, and nobody gives it back."""
    assert term._renewing is not None
    term._renewing.cancel()
    await asyncio.gather(term._renewing, return_exceptions=True)


@on_stage
async def test_a_leader_that_stops_is_followed_within_five_seconds(stage: Stage) -> None:
    first = await election(stage, "first").win()
    async with first:
        following = asyncio.create_task(election(stage, "second").win())
        await asyncio.sleep(2.0)
        assert first.held
        assert not following.done()
        stopped = time.perf_counter()
    second = await following
    took = time.perf_counter() - stopped
    assert took < 5.0
    assert (second.held, first.held) == (True, False)
    assert second.fence > first.fence


@on_stage
async def test_a_leader_that_is_killed_is_followed_within_fifteen_seconds(stage: Stage) -> None:
    first = await election(stage, "first").win()
    await first.__aenter__()
    following = asyncio.create_task(election(stage, "second").win())
    await asyncio.sleep(3.0)
    dead = time.perf_counter()
    await killed(first)
    second = await following
    took = time.perf_counter() - dead
    assert took < 15.0
    assert second.held
    assert not first.held, "whoever comes back from the dead finds that its time is over"


@on_stage
async def test_of_many_who_reach_for_it_one_leads_at_any_moment(stage: Stage) -> None:
    terms: list[Term] = []
    seen_together: list[int] = []

    async def stand(name: str) -> None:
        for _ in range(2):
            async with await election(stage, name, QUICK).win() as term:
                terms.append(term)
                seen_together.append(sum(each.held for each in terms))
                await asyncio.sleep(0.2)
                seen_together.append(sum(each.held for each in terms))

    await asyncio.gather(*(stand(f"replica-{number}") for number in range(5)))
    assert len(terms) == 10
    assert set(seen_together) == {1}
    assert len({term.fence for term in terms}) == 10


@on_stage
async def test_clocks_that_are_a_minute_apart_change_nothing(stage: Stage) -> None:
    late = ScaledClock(start=1.0e9, wall0=0.0, speed=1.0)
    first = await election(stage, "first", QUICK).win()
    async with first:
        other = Election(
            stage.kube, namespace="spotward", name=stage.namespace, identity="late", clock=late, policy=QUICK
        )
        following = asyncio.create_task(other.win())
        await asyncio.sleep(QUICK.ttl_seconds * 2)
        assert not following.done(), "the holder renews, whatever time it writes"
    second = await following
    assert second.held
    assert other.holder == "late"


@on_stage
async def test_somebody_who_took_it_ends_our_term_at_the_next_renewal(stage: Stage) -> None:
    async with await election(stage, "first", QUICK).win() as term:
        taken = {"spec": {"holderIdentity": "usurper", "leaseTransitions": 7}}
        await stage.owner.json("patch", LEASES, namespace="spotward", name=stage.namespace, body=taken)
        async with asyncio.timeout(QUICK.renew_seconds):
            await term.ended()
        assert not term.held
    seen = await election(stage, "looker").look()
    assert seen is not None
    assert seen.holder == "usurper", "what is not ours is not given back"


@on_stage
async def test_a_write_by_others_that_leaves_us_the_lease_does_not_end_our_term(stage: Stage) -> None:
    async with await election(stage, "first", QUICK).win() as term:
        noted = {"metadata": {"annotations": {"example.com/seen": "yes"}}}
        await stage.owner.json("patch", LEASES, namespace="spotward", name=stage.namespace, body=noted)
        await asyncio.sleep(QUICK.ttl_seconds)
        assert term.held


@on_stage
async def test_without_the_right_to_lead_it_is_said_and_not_waited_for(stage: Stage) -> None:
    nobody = stage.as_user(NOBODY)
    standing = Election(nobody, namespace="spotward", name="x", identity="nobody", clock=SystemClock(), policy=QUICK)
    with pytest.raises(Permanent, match="get leases"):
        await standing.win()
    nobody.close()


@dataclass
class Watcher:
    """When a term ended, by a stopwatch."""

    ended_at: float | None = None

    async def watch(self, term: Term, stopwatch: Callable[[], float]) -> None:
        await term.ended()
        self.ended_at = stopwatch()


def test_a_leader_that_cannot_renew_stops_acting_before_anybody_may_follow(own_control_plane: ControlPlane) -> None:
    async def play() -> None:
        async with Stage(own_control_plane).set() as stage:
            term = await election(stage, "first").win()
            async with term:
                await asyncio.sleep(2.0)
                watcher = Watcher()
                watching = asyncio.create_task(watcher.watch(term, time.perf_counter))
                frozen_at = time.perf_counter()
                with own_control_plane.frozen("kube-apiserver"):
                    await asyncio.wait_for(watching, 30)
                    assert not term.held
                assert watcher.ended_at is not None
                took = watcher.ended_at - frozen_at
                assert took <= LeasePolicy().renew_seconds + 0.5
                following = await asyncio.wait_for(election(stage, "second").win(), 30)
                assert following.held
                assert not term.held

    asyncio.run(play())
