"""A queue with its owner's settings: what one SQS queue does with the messages of a request.

A receipt handle names the message and which receive of it this was, so that an older handle than the last one deletes
nothing, as on AWS.
"""

from __future__ import annotations

import hashlib
import re
import threading
from collections.abc import Callable, Mapping
from typing import Any

from spotward.emulator.queues.messages import check_attributes, check_body, chosen_attributes, md5, md5_of_attributes
from spotward.emulator.queues.queue import Message, Queue, State
from spotward.emulator.queues.queue_settings import QueueSettings
from spotward.sim.errors import ApiError

_RECEIPT = re.compile(r"AQEB([0-9a-f-]{36})([0-9a-f]{8})")

Now = Callable[[], float]
"""What time it is, by some clock, in Unix seconds."""

Bury = Callable[[Message, str], bool]
"""Moves a message to the dead-letter queue of that ARN; False if there is none."""


class Mailbox:
    """One SQS queue. Its condition's lock is that of its region: who calls a method, holds it."""

    def __init__(self, settings: QueueSettings, *, lock: threading.RLock, stamps: Now, waits: Now, arn: str) -> None:
        """`stamps`: what messages are stamped with (virtual time); `waits`: on what timeouts run (the consumers')."""
        self.settings = settings
        self.tags: dict[str, str] = {}
        self.arn = arn
        self.created_time = self.changed_time = stamps()
        self.purged_time: float | None = None
        self._queue = Queue(fifo=settings.fifo)
        self._arrival = threading.Condition(lock)
        self._stamps = stamps
        self._waits = waits
        self._open = True

    def configure(self, attributes: Mapping[str, str]) -> None:
        """Sets attributes. Raises ApiError."""
        self.settings = self.settings.changed(attributes)
        self.changed_time = self._stamps()

    def close(self) -> None:
        """Sends the waiting receivers away with nothing."""
        self._open = False
        self._arrival.notify_all()

    def attributes(self) -> dict[str, str]:
        """All attributes, with the approximate numbers (which are exact here)."""
        now = self._waits()
        return {
            **self.settings.shown(),
            "QueueArn": self.arn,
            "CreatedTimestamp": str(int(self.created_time)),
            "LastModifiedTimestamp": str(int(self.changed_time)),
            "ApproximateNumberOfMessages": str(self._queue.count(State.READY, now)),
            "ApproximateNumberOfMessagesNotVisible": str(self._queue.count(State.IN_FLIGHT, now)),
            "ApproximateNumberOfMessagesDelayed": str(self._queue.count(State.DELAYED, now)),
        }

    def purge(self) -> None:
        """Deletes all messages. Raises ApiError if it was done less than a minute ago."""
        now = self._stamps()
        if self.purged_time is not None and now - self.purged_time < 60:
            message = f"Only one PurgeQueue operation on {self.settings.name} is allowed every 60 seconds."
            raise ApiError("PurgeQueueInProgress", message)
        self.purged_time = now
        self._queue.purge(now=self._waits())

    def send(self, entry: Mapping[str, Any], *, message_id: str, sender: str) -> dict[str, Any]:
        """Takes one message, in SendMessage's shape. Raises ApiError."""
        check_body(entry["MessageBody"], self.settings.message_bytes_max)
        attributes = entry.get("MessageAttributes") or {}
        check_attributes(attributes)
        traces = {name: part["StringValue"] for name, part in (entry.get("MessageSystemAttributes") or {}).items()}
        message = Message(
            id=message_id,
            body=entry["MessageBody"],
            stamp=self._stamps(),
            attributes=attributes,
            system_attributes={"SenderId": sender, **traces},
            group_id=self._group_of(entry),
            deduplication_id=self._deduplication_of(entry),
        )
        message = self.put(message, delay_seconds=self._delay_of(entry))
        answer = {"MessageId": message.id, "MD5OfMessageBody": md5(message.body.encode())}
        if attributes:
            answer["MD5OfMessageAttributes"] = md5_of_attributes(attributes)
        if self.settings.fifo:
            answer["SequenceNumber"] = _sequence(message)
        return answer

    def put(self, message: Message, *, delay_seconds: float = 0.0) -> Message:
        """Adds a message and wakes who waits for it."""
        now = self._waits()
        self._queue.expire(message.stamp - self.settings.retention_seconds, now=now)
        kept = self._queue.put(message, now=now, delay_seconds=delay_seconds)
        self._arrival.notify()
        return kept

    def receive(self, ask: Mapping[str, Any], *, bury: Bury) -> list[dict[str, Any]]:
        """Up to ten messages, after waiting for the first as long as the request or the queue says. Raises ApiError."""
        most = _within(ask, "MaxNumberOfMessages", 1, 1, 10)
        wait_seconds = _within(ask, "WaitTimeSeconds", self.settings.wait_seconds, 0, 20)
        hide_seconds = _within(ask, "VisibilityTimeout", self.settings.visibility_timeout_seconds, 0, 43_200)
        deadline = self._waits() + wait_seconds
        while True:
            taken = self._take(most, hide_seconds, bury)
            now = self._waits()
            if taken or now >= deadline or not self._open:
                return [self._shown(message, ask) for message in taken]
            wake_time = min(deadline, self._queue.next_time() or deadline)
            self._arrival.wait(max(0.0, wake_time - now))

    def _take(self, most: int, hide_seconds: float, bury: Bury) -> list[Message]:
        now, stamp = self._waits(), self._stamps()
        self._queue.expire(stamp - self.settings.retention_seconds, now=now)
        if self._queue.full:
            raise ApiError("OverLimit", "Too many messages in flight.", 403)
        taken: list[Message] = []
        while len(taken) < most:
            # Hidden for a moment at least, or a message that is to be visible at once would be taken here again.
            fresh = self._queue.take(most - len(taken), now=now, stamp=stamp, visibility_seconds=max(hide_seconds, 1))
            if not fresh:
                break
            taken += [message for message in fresh if not self._buried(message, bury)]
        if hide_seconds == 0:
            for message in taken:
                self._queue.hide_again(message, now=now, visibility_seconds=0)
        return taken

    def _buried(self, message: Message, bury: Bury) -> bool:
        """Moves it to the dead-letter queue, if it was received too often."""
        redrive = self.settings.redrive
        if redrive is None or message.receives <= redrive.receives_max or not bury(message, redrive.target_arn):
            return False
        self._queue.delete(message, now=self._waits())
        return True

    def delete(self, receipt: str) -> None:
        """Deletes the message of a receipt handle; nothing happens if it was received again since. Raises ApiError."""
        message = self._message_of(receipt)
        if message is not None:
            self._queue.delete(message, now=self._waits())

    def hide_again(self, receipt: str, seconds: int) -> None:
        """Changes when a message in flight comes back. Raises ApiError."""
        if not 0 <= seconds <= 43_200:
            words = "Reason: Must be between 0 and 43200."
            message = f"Value {seconds} for parameter VisibilityTimeout is invalid. {words}"
            raise ApiError("InvalidParameterValue", message)
        found = self._message_of(receipt)
        now = self._waits()
        if found is None or not self._queue.hide_again(found, now=now, visibility_seconds=seconds):
            raise ApiError("MessageNotInflight", "The specified message isn't in flight.")
        self._arrival.notify_all()

    def _message_of(self, receipt: str) -> Message | None:
        found = _RECEIPT.fullmatch(receipt)
        if found is None:
            raise ApiError("ReceiptHandleIsInvalid", f'The input receipt handle "{receipt[:200]}" is not a valid one.')
        message = self._queue.message(found[1])
        return message if message is not None and message.receives == int(found[2], 16) else None

    def _shown(self, message: Message, ask: Mapping[str, Any]) -> dict[str, Any]:
        """In ReceiveMessage's shape, with what was asked for."""
        answer: dict[str, Any] = {
            "MessageId": message.id,
            "ReceiptHandle": f"AQEB{message.id}{message.receives:08x}",
            "MD5OfBody": md5(message.body.encode()),
            "Body": message.body,
        }
        names = {*(ask.get("AttributeNames") or ()), *(ask.get("MessageSystemAttributeNames") or ())}
        if names:
            every = self._system_attributes(message)
            answer["Attributes"] = {name: part for name, part in every.items() if name in names or "All" in names}
        attributes = chosen_attributes(message.attributes, ask.get("MessageAttributeNames") or [])
        if attributes:
            answer["MessageAttributes"] = attributes
            answer["MD5OfMessageAttributes"] = md5_of_attributes(attributes)
        return answer

    def _system_attributes(self, message: Message) -> dict[str, str]:
        every = {
            **message.system_attributes,
            "SentTimestamp": str(int(message.stamp * 1000)),
            "ApproximateReceiveCount": str(message.receives),
            "ApproximateFirstReceiveTimestamp": str(int(message.first_receive_stamp * 1000)),
        }
        if message.group_id:
            every["MessageGroupId"] = message.group_id
        if self.settings.fifo:
            every |= {"MessageDeduplicationId": message.deduplication_id, "SequenceNumber": _sequence(message)}
        return every

    def _group_of(self, entry: Mapping[str, Any]) -> str:
        group_id = str(entry.get("MessageGroupId") or "")
        if self.settings.fifo and not group_id:
            raise ApiError("MissingParameter", "The request must contain the parameter MessageGroupId.")
        return group_id

    def _deduplication_of(self, entry: Mapping[str, Any]) -> str:
        given = str(entry.get("MessageDeduplicationId") or "")
        if given or not self.settings.fifo:
            return given
        if not self.settings.deduplicates_by_content:
            message = (
                "The queue should either have ContentBasedDeduplication enabled or MessageDeduplicationId provided "
                "explicitly"
            )
            raise ApiError("InvalidParameterValue", message)
        return hashlib.sha256(entry["MessageBody"].encode()).hexdigest()

    def _delay_of(self, entry: Mapping[str, Any]) -> int:
        if self.settings.fifo and entry.get("DelaySeconds"):
            message = f"Value {entry['DelaySeconds']} for parameter DelaySeconds is invalid."
            raise ApiError("InvalidParameterValue", f"{message} Reason: a FIFO queue has one delay for all messages.")
        return _within(entry, "DelaySeconds", self.settings.delay_seconds, 0, 900)


def _within(ask: Mapping[str, Any], name: str, default: int, least: int, greatest: int) -> int:
    """A number of the request, or the queue's own. Raises ApiError if it is out of SQS's range."""
    value = int(ask.get(name, default))
    if not least <= value <= greatest:
        words = f"Reason: Must be between {least} and {greatest}, if provided."
        raise ApiError("InvalidParameterValue", f"Value {value} for parameter {name} is invalid. {words}")
    return value


def _sequence(message: Message) -> str:
    return f"{message.sequence:020d}"
