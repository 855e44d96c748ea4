"""What fills the inbox from outside: the sources, and the regular look at every region."""

import asyncio
from collections.abc import MutableMapping, Sequence
from dataclasses import replace

import structlog

from spotward.engine.inbox import SHELL, Inbox, Letter
from spotward.engine.live_policy import LivePolicy
from spotward.engine.ports import Clock, Source
from spotward.model.errors import OutsideError, PayloadError
from spotward.model.event import Event, Tick

log = structlog.get_logger()


async def feed(
    source: Source,
    inbox: Inbox,
    clock: Clock,
    policy: LivePolicy,
    troubles: MutableMapping[str, str],
    heard: MutableMapping[str, float],
) -> None:
    """Put what a source delivers into the inbox, until it is exhausted; a source that fails is asked again later.

    `troubles` says why it cannot be heard, as long as it cannot; `heard`, when it last said anything, even that there
    is nothing.
    """
    pause = policy.source_pause_first_seconds
    heard[source.name] = clock.now()
    while True:
        try:
            async for delivery in source.deliveries():
                troubles.pop(source.name, None)
                heard[source.name] = clock.now()
                pause = policy.source_pause_first_seconds
                if delivery is None:
                    continue
                event = _not_of_tomorrow(delivery.event, clock.now())
                await inbox.put(Letter(event=event, sender=source.name, acknowledge=delivery.acknowledge))
        except OutsideError as error:
            troubles[source.name] = f"{error.code}: {error}"
            log.warning("a source cannot be heard", source=source.name, reason=str(error), again_in_seconds=pause)
        # A fault in one source must not silence the others, nor the regular look that finds what it did not tell.
        except Exception as error:
            troubles[source.name] = f"{type(error).__name__}: {error}"
            log.exception("fault in a source", source=source.name, again_in_seconds=pause)
        else:
            troubles.pop(source.name, None)
            return
        await asyncio.sleep(pause)
        pause = min(pause * 2, policy.source_pause_seconds_max)


def _not_of_tomorrow(event: Event | PayloadError, now: float) -> Event | PayloadError:
    """A sender whose clock is ahead must not move our time, and with it every pause, into the future."""
    if isinstance(event, PayloadError) or event.time <= now:
        return event
    return replace(event, time=now)


async def tick(inbox: Inbox, clock: Clock, regions: Sequence[str], observe_seconds: float) -> None:
    """Ask for a look at every region now, and then again and again."""
    due = clock.now()
    while True:
        await inbox.put(Letter(event=Tick(time=clock.now(), regions=tuple(regions)), sender=SHELL))
        # After a pause of the whole machine one look is enough, not one for each that was missed.
        due = max(due + observe_seconds, clock.now())
        await clock.sleep_until(due)
