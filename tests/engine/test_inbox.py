"""Two lines move: what carries on, and what comes from outside."""

import asyncio

from spotward.engine.inbox import OUTSIDE_PER_INSIDE, SHELL, Inbox, Letter
from spotward.model.event import Woken


def letter(sender: str, number: int) -> Letter:
    return Letter(event=Woken(time=float(number), subject=sender), sender=sender)


def taken(inside: int, outside: int, most: int) -> list[tuple[str, float]]:
    async def work() -> list[tuple[str, float]]:
        inbox = Inbox(1_000)
        for number in range(outside):
            await inbox.put(letter("doors", number))
        for number in range(inside):
            await inbox.put(letter(SHELL, number))
        letters = await inbox.take(most)
        assert inbox.open == inside + outside
        inbox.dealt_with(len(letters))
        assert inbox.depth == inbox.open == inside + outside - len(letters)
        events = [each.event for each in letters]
        return [(event.subject, event.time) for event in events if isinstance(event, Woken)]

    return asyncio.run(work())


def test_a_flood_from_outside_does_not_keep_answers_waiting_nor_they_it() -> None:
    senders = [sender for sender, _ in taken(inside=500, outside=500, most=4 * (1 + OUTSIDE_PER_INSIDE))]
    assert senders == [SHELL, *["doors"] * OUTSIDE_PER_INSIDE] * 4


def test_each_line_keeps_its_order_and_whoever_is_alone_has_all_of_the_room() -> None:
    assert taken(inside=0, outside=7, most=5) == [("doors", float(number)) for number in range(5)]
    assert taken(inside=7, outside=1, most=100) == [
        (SHELL, 0.0),
        ("doors", 0.0),
        *[(SHELL, float(number)) for number in range(1, 7)],
    ]


def test_a_full_line_makes_those_who_stand_in_it_wait_and_no_others() -> None:
    async def work() -> None:
        inbox = Inbox(2)
        for number in range(2):
            await inbox.put(letter("doors", number))
        third = asyncio.ensure_future(inbox.put(letter("doors", 2)))
        await inbox.put(letter(SHELL, 0))
        assert not third.done()
        assert len(await inbox.take(100)) == 3
        await third
        assert len(await inbox.take(100)) == 1

    asyncio.run(work())
