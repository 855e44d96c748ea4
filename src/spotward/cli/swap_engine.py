"""asg-swap by itself: an engine with a journal of its own, that begins nothing which nobody orders.

It is the engine of `spotward run`, without queue, doors, pages and rules. So a swap that was begun is finished after
the process was killed, and two orders of one member are one.
"""

import asyncio
import logging
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from spotward.cli.page_lines import tell
from spotward.cli.wire import parts
from spotward.config import Config
from spotward.engine.live import Ending, Live
from spotward.plugins.builtin.asg_swap import AsgSwap

log = logging.getLogger("spotward.plugin")


@asynccontextmanager
async def swapping(config: Config) -> AsyncIterator[AsgSwap]:
    """The plugin, with its engine running behind it. Raises ConfigError, LeaseHeld, OutsideError."""
    house = await parts(config)
    store = house.store()
    try:
        live = house.live(store, listeners=[tell])
        running = asyncio.create_task(live.run())
        running.add_done_callback(_ended)
        log.info("looking after groups in %s; the journal is in %s", ", ".join(house.regions), config.state)
        try:
            yield AsgSwap(house.desk, house.clock, house.regions)
        finally:
            await _stopped(live, running)
    finally:
        await store.close()
        house.close()


async def _stopped(live: Live, running: "asyncio.Task[Ending]") -> None:
    """Deeds under way have the time that they have in the daemon. Raises whatever fault the engine ended by."""
    running.remove_done_callback(_ended)
    live.stop()
    ending = await running
    if ending.open_undertakings:
        log.info("not finished: %s; the next start goes on with it", ", ".join(ending.open_undertakings))


def _ended(running: "asyncio.Task[Ending]") -> None:
    """Without its engine the plugin can do nothing: the server ends, and says why when it is left."""
    if not running.cancelled():
        log.error("the engine ended: %s", running.exception() or "it was stopped")
        signal.raise_signal(signal.SIGTERM)
