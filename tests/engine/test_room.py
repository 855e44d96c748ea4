import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from spotward.engine.room import Room


async def _settled() -> None:
    """Let everybody go as far as they can."""
    for _ in range(10):
        await asyncio.sleep(0)


def in_a_loop(work: Callable[[], Coroutine[Any, Any, None]]) -> None:
    asyncio.run(work())


def test_the_urgent_are_let_in_before_all_who_wait_and_each_in_the_order_of_coming() -> None:
    let_in: list[str] = []

    async def work() -> None:
        room, end = Room(1), asyncio.Event()

        async def visit(name: str, *, urgent: bool = False, stays: bool = False) -> None:
            async with room.place(urgent=urgent):
                let_in.append(name)
                if stays:
                    await end.wait()

        visits = [asyncio.create_task(visit("first", stays=True))]
        await _settled()
        visits += [asyncio.create_task(visit(f"saving {n}")) for n in range(2)]
        visits += [asyncio.create_task(visit(f"rescue {n}", urgent=True)) for n in range(2)]
        await _settled()
        end.set()
        await asyncio.gather(*visits)

    in_a_loop(work)
    assert let_in == ["first", "rescue 0", "rescue 1", "saving 0", "saving 1"]


@given(
    st.integers(1, 3), st.lists(st.tuples(st.booleans(), st.sampled_from(["stays", "fails", "gives up"])), max_size=12)
)
def test_whoever_fails_or_gives_up_never_more_are_inside_than_there_are_places_and_none_is_lost(
    places: int, visits: list[tuple[bool, str]]
) -> None:
    async def work() -> None:
        room, inside, most = Room(places), 0, 0

        async def visit(urgent: bool, how: str) -> None:
            nonlocal inside, most
            async with room.place(urgent=urgent):
                inside += 1
                most = max(most, inside)
                try:
                    await asyncio.sleep(0)
                    if how == "fails":
                        raise ZeroDivisionError
                finally:
                    inside -= 1

        tasks = []
        for urgent, how in visits:
            tasks.append(asyncio.create_task(visit(urgent, how)))
            await asyncio.sleep(0)
            if how == "gives up":
                tasks[-1].cancel()
        async with asyncio.timeout(60):
            await asyncio.gather(*tasks, return_exceptions=True)
            assert most <= places
            async with asyncio.TaskGroup() as group:
                for _ in range(places):
                    group.create_task(visit(False, "stays"))
        assert inside == 0

    in_a_loop(work)


def test_a_place_that_is_given_to_one_who_gives_up_at_that_moment_goes_to_the_next() -> None:
    let_in: list[str] = []

    async def work() -> None:
        room, end = Room(1), asyncio.Event()

        async def visit(name: str) -> None:
            async with room.place(urgent=False):
                let_in.append(name)
                await end.wait()

        visits = [asyncio.create_task(visit(name)) for name in ("first", "second", "third")]
        await _settled()
        visits[0].cancel()
        await asyncio.sleep(0)
        visits[1].cancel()
        await _settled()
        end.set()
        await asyncio.gather(*visits, return_exceptions=True)

    in_a_loop(work)
    assert let_in[-1] == "third"
