"""A batch of what the cluster shows is followed by the next one when it was dealt with, or when that takes too long."""

import asyncio

from spotward.kube.surroundings import Handed


def test_the_next_batch_waits_until_each_event_of_the_last_was_dealt_with() -> None:
    async def play() -> None:
        handed = Handed(2)
        waiting = asyncio.create_task(handed.dealt_with(60.0))
        await handed.acknowledge()
        await asyncio.sleep(0.01)
        assert not waiting.done()
        await handed.acknowledge()
        async with asyncio.timeout(5.0):
            await waiting

    asyncio.run(play())


def test_a_batch_of_nothing_and_one_that_nobody_deals_with_hold_up_no_other() -> None:
    async def play() -> None:
        async with asyncio.timeout(5.0):
            await Handed(0).dealt_with(60.0)
            await Handed(1).dealt_with(0.01)

    asyncio.run(play())
