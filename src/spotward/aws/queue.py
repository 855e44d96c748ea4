"""A source of events: an SQS queue that EventBridge rules write into.

Messages are polled for, ten at a time, and deleted only when what they led to is stored; one that is not deleted comes
again, and changes nothing the second time. What cannot be read is delivered as such, to be set aside; kinds of events
that Spotward does not act on, and no rule takes, are deleted at once.

A poll waits for twenty seconds inside SQS, in a thread that nobody waits for: stopping is immediate. What such a poll
still receives is not deleted, so it comes again when the queue's visibility timeout has passed.

One poll waits at a quiet queue. In a storm, when polls come back full, several are under way at once.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Mapping
from functools import partial
from typing import Any

import structlog

from spotward.aws.deletions import Deletions
from spotward.aws.queue_address import QueueAddress
from spotward.aws.session import Aws
from spotward.aws.translation import reading
from spotward.engine.ports import Clock, Delivery
from spotward.events.envelope import Ignored
from spotward.events.eventbridge import envelopes, told_in
from spotward.events.occurred import envelope_occurrence
from spotward.model.errors import OutsideError, PayloadError, Permanent
from spotward.model.event import Told
from spotward.model.flow_event import Occurred
from spotward.model.occurrence import Occurrence

WAIT_SECONDS = 20
"""SQS lets a poll wait no longer; the longer, the fewer calls an idle queue costs."""

MESSAGES_MAX = 10
"""SQS hands over no more messages in one call."""

POLLS_AT_ONCE_MAX = 4
"""Polls under way while there is much to fetch: the next ten messages are on their way while ten are thought about."""

Received = list[tuple[str, str]]
"""Receipt and body of each message that came."""

NO_QUEUE = frozenset({"AWS.SimpleQueueService.NonExistentQueue", "QueueDoesNotExist"})

log = structlog.get_logger("spotward.aws")


def nobody_crowds() -> str | None:
    """There is always room."""
    return None


class Polls:
    """The polls of one queue: one at a time, and more of them as long as they come back full."""

    def __init__(self, poll: Callable[[], Coroutine[Any, Any, Received]]) -> None:
        self._poll, self._wanted = poll, 1
        self._under_way: set[asyncio.Task[Received]] = set()

    async def next(self) -> Received:
        """What the first that comes back has received. Raises what it raised."""
        while len(self._under_way) < self._wanted:
            self._under_way.add(asyncio.create_task(self._poll()))
        done, _ = await asyncio.wait(self._under_way, return_when=asyncio.FIRST_COMPLETED)
        first = done.pop()
        self._under_way.discard(first)
        received = first.result()
        self._wanted = min(self._wanted + 1, POLLS_AT_ONCE_MAX) if len(received) == MESSAGES_MAX else 1
        return received

    def close(self) -> None:
        """Nobody waits for those under way any more; what they receive comes again."""
        for poll in self._under_way:
            poll.cancel()


class QueueSource:
    """One queue."""

    def __init__(
        self,
        aws: Aws,
        clock: Clock,
        address: QueueAddress,
        *,
        wait_seconds: int = WAIT_SECONDS,
        wanted: Callable[[Occurrence], bool] | None = None,
        crowded: Callable[[], str | None] = nobody_crowds,
    ) -> None:
        """wanted: does a rule mean such events? None where there are no rules. crowded: why no rule can begin anything
        now; None while there is room.
        """
        self._aws, self._clock, self._address, self._wait_seconds = aws, clock, address, wait_seconds
        self._wanted, self._crowded = wanted, crowded
        self._url = address.url
        self._deletions = Deletions(self._delete)
        self._forgetting: set[asyncio.Task[None]] = set()

    @property
    def name(self) -> str:
        """`queue spotward in us-east-1`."""
        return self._address.words

    async def deliveries(self) -> AsyncIterator[Delivery | None]:
        """What comes into the queue, for ever; None after each poll. Raises OutsideError; asked again, it goes on."""
        polls = Polls(self._received)
        try:
            while True:
                received = await polls.next()
                yield None
                for receipt, body in received:
                    read, occurred = self._read(body)
                    if occurred and self._crowded() is not None:
                        for event in read:
                            yield Delivery(
                                event=event
                            )  # and the message stays, for rules to take it when it comes again
                        continue
                    if not read and not occurred:
                        self._forget(receipt)
                    acknowledge = _after(len(read) + len(occurred), partial(self._deletions.delete, receipt))
                    for each in (*read, *occurred):
                        yield Delivery(event=each, acknowledge=acknowledge)
        finally:
            polls.close()

    def _read(self, body: str) -> tuple[list[Told | PayloadError], list[Occurred]]:
        """The events of a message that are of use, and those of them that are for rules; a message may hold several."""
        now = self._clock.now()
        try:
            bare = envelopes(body, region=self._address.region)
            events = told_in(bare, received=now)
        except PayloadError as error:
            return [error], []
        found = [one for each in bare if (one := self._for_rules(each)) is not None]
        occurred = [Occurred(time=now, occurrence=one, door=self.name) for one in found]
        return [event for event in events if not isinstance(event, Ignored)], occurred

    def _for_rules(self, bare: Mapping[str, object] | Ignored) -> Occurrence | None:
        """An envelope as something that a rule takes; None where none does. One that has no id occurred for nobody."""
        if self._wanted is None or isinstance(bare, Ignored):
            return None
        try:
            occurrence = envelope_occurrence(bare)
        except PayloadError:
            return None
        return occurrence if self._wanted(occurrence) else None

    def _forget(self, receipt: str) -> None:
        """Delete a message of no use, beside the work."""
        task = asyncio.create_task(self._forgotten(receipt))
        self._forgetting.add(task)
        task.add_done_callback(self._forgetting.discard)

    async def _forgotten(self, receipt: str) -> None:
        try:
            await self._deletions.delete(receipt)
        except OutsideError as error:
            log.warning("a message of no use was not deleted; it comes again", queue=self.name, reason=str(error))

    # ---- calls -------------------------------------------------------------------------------------------------------

    async def _received(self) -> Received:
        """What came."""
        url = await self._found()
        try:
            answer = await self._aws.poll(
                self._address.region,
                "sqs",
                "receive_message",
                QueueUrl=url,
                MaxNumberOfMessages=MESSAGES_MAX,
                WaitTimeSeconds=self._wait_seconds,
            )
        except OutsideError as error:
            raise self._explained(error) from error
        with reading(f"sqs.ReceiveMessage in {self._address.region}"):
            return [_receipt_and_body(message) for message in answer.get("Messages") or ()]

    async def _found(self) -> str:
        if self._url is None:
            wanted: dict[str, Any] = {"QueueName": self._address.name}
            if self._address.owner is not None:
                wanted["QueueOwnerAWSAccountId"] = self._address.owner
            try:
                answer = await self._aws.call(self._address.region, "sqs", "get_queue_url", **wanted)
            except OutsideError as error:
                raise self._explained(error) from error
            with reading(f"sqs.GetQueueUrl in {self._address.region}"):
                self._url = str(answer["QueueUrl"])
        return self._url

    async def _delete(self, receipts: list[str]) -> dict[str, str]:
        """Delete messages; the receipts that were refused, with the reason."""
        entries = [{"Id": str(number), "ReceiptHandle": receipt} for number, receipt in enumerate(receipts)]
        answer = await self._aws.call(
            self._address.region, "sqs", "delete_message_batch", QueueUrl=await self._found(), Entries=entries
        )
        with reading(f"sqs.DeleteMessageBatch in {self._address.region}"):
            return {receipts[int(each["Id"])]: str(each.get("Code")) for each in answer.get("Failed") or ()}

    def _explained(self, error: OutsideError) -> OutsideError:
        if error.code not in NO_QUEUE:
            return error
        return Permanent(
            f"{self.name} does not exist ({error}); create it, with an EventBridge rule that writes into it, "
            "or correct its name",
            code=error.code,
        )


def _receipt_and_body(message: Mapping[str, Any]) -> tuple[str, str]:
    return str(message["ReceiptHandle"]), str(message["Body"])


def _after(number: int, then: Callable[[], Awaitable[None]]) -> Callable[[], Awaitable[None]]:
    """An acknowledgement of one of several events; the message goes when the last is acknowledged."""
    left = number

    async def acknowledge() -> None:
        nonlocal left
        left -= 1
        if left <= 0:
            await then()

    return acknowledge
