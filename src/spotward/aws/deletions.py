"""Acknowledgements gathered: messages of a burst are deleted ten in a call instead of one by one."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress

from spotward.model.errors import Transient

BATCH_MAX = 10
"""SQS deletes no more messages in one call."""

GATHERING_SECONDS = 0.05
"""So long an acknowledgement waits for others to go with it."""

Delete = Callable[[list[str]], Awaitable[dict[str, str]]]
"""Deletes by receipts, and answers with those that were refused and why. May raise OutsideError: none was deleted."""


class _Batch:
    """Receipts that go together, and the deletion that waits for more of them."""

    def __init__(self, delete: Delete) -> None:
        self.receipts: list[str] = []
        self.full = asyncio.Event()
        self.deletion = asyncio.create_task(self._deleted(delete))

    async def _deleted(self, delete: Delete) -> dict[str, str]:
        with suppress(TimeoutError):
            async with asyncio.timeout(GATHERING_SECONDS):
                await self.full.wait()
        self.full.set()
        return await delete(self.receipts)


class Deletions:
    """Gathers what is to be deleted."""

    def __init__(self, delete: Delete) -> None:
        self._delete = delete
        self._batch: _Batch | None = None

    async def delete(self, receipt: str) -> None:
        """Return when the message is deleted. Raises OutsideError when it is not."""
        if self._batch is None or self._batch.full.is_set():
            self._batch = _Batch(self._delete)
        batch = self._batch
        batch.receipts.append(receipt)
        if len(batch.receipts) == BATCH_MAX:
            batch.full.set()
        # Shielded, because one that gives up waiting must not take the others' deletion with it.
        refused = await asyncio.shield(batch.deletion)
        if receipt in refused:
            code = refused[receipt]
            raise Transient(f"SQS did not delete a message: {code}", code=code)
