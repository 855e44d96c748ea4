"""The target groups that a load balancer controller fills with nodes, listed now and then.

They come and go with Services, and nodes are emptied in minutes, so they need not be followed. A cluster without such a
controller knows no such thing, which is no trouble.
"""

import asyncio
import logging

from spotward.kube.client import Kube, document
from spotward.kube.reading import node_target_groups
from spotward.kube.resources import TARGET_GROUP_BINDINGS
from spotward.model.errors import OutsideError

LIST_SECONDS = 300.0
"""How often they are listed anew."""

RETRY_SECONDS = 5.0
"""When the list could not be had."""

log = logging.getLogger("spotward.kube")


class Bindings:
    """What is known of them, and what of that was told."""

    def __init__(self, kube: Kube) -> None:
        self._kube = kube
        self._known: tuple[str, ...] | None = None
        self._told: tuple[str, ...] | None = None

    def batch(self) -> tuple[str, ...] | None:
        """ARNs, if they were not told yet, or are others than were told."""
        if self._known == self._told:
            return None
        self._told = self._known
        return self._known

    async def keep_listing(self, stirred: asyncio.Event) -> None:
        """Again and again, for ever; sets `stirred` when there may be something to tell."""
        while True:
            pause = LIST_SECONDS
            try:
                self._known = await self._listed()
                stirred.set()
            except OutsideError:
                pause = RETRY_SECONDS  # the watches tell that the server is away
            await asyncio.sleep(pause)

    async def _listed(self) -> tuple[str, ...]:
        answer = await self._kube.answer("list", TARGET_GROUP_BINDINGS)
        if answer.status == 403:
            log.warning("which target groups send to nodes cannot be known", extra={"reason": "Forbidden"})
        return node_target_groups(document(answer, self._kube.cluster)) if answer.status == 200 else ()
