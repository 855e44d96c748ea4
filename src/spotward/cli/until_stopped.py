"""A program that serves until it is told to stop: SIGTERM and SIGINT end it well, a second one at once."""

import asyncio
import logging
import os
import signal

log = logging.getLogger("spotward.cli")


async def until_stopped() -> None:
    """Returns at the first SIGTERM or SIGINT."""
    loop, stopped = asyncio.get_running_loop(), asyncio.Event()

    def heard(number: signal.Signals) -> None:
        if stopped.is_set():
            os._exit(128 + number)
        log.info("stopping on %s; a second signal ends at once", number.name)
        stopped.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, heard, number)
    await stopped.wait()
