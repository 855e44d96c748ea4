"""SQS: one region's queues, and what is sent to them and received from them.

moto has an SQS, but it searches its whole list at every receive (40 messages a second with 3,000 waiting), and a storm
of interruptions is thousands. So this one is our own, and moto's other services deliver into it (see `moto_queues`).
Long polls and visibility timeouts run on the consumers' clock, not on the virtual one: who consumes is real, and at
sixty times the speed a visibility timeout of 30 s would be over before a real worker had opened its message.
"""

from __future__ import annotations

import random
import re
import threading
import uuid
from collections.abc import Callable, Mapping
from typing import Any

from spotward.emulator.queues.mailbox import Mailbox, Now
from spotward.emulator.queues.mailboxes import Ask, Deed, Mailboxes, Mirror
from spotward.emulator.queues.queue import Message
from spotward.sim.errors import ApiError

BATCH_MAX = 10
"""Entries of one batch. AWS's limit."""

BATCH_BYTES_MAX = 1_048_576
"""All bodies of one batch together. AWS's limit."""

_BATCH_ID = re.compile(r"[A-Za-z0-9_-]{1,80}")

QUERY_CODES = {
    "QueueDoesNotExist": "AWS.SimpleQueueService.NonExistentQueue",
    "QueueNameExists": "QueueAlreadyExists",
    **{
        code: f"AWS.SimpleQueueService.{code}"
        for code in (
            "BatchEntryIdsNotDistinct",
            "BatchRequestTooLong",
            "EmptyBatchRequest",
            "InvalidBatchEntryId",
            "MessageNotInflight",
            "PurgeQueueInProgress",
            "QueueDeletedRecently",
            "TooManyEntriesInBatchRequest",
            "UnsupportedOperation",
        )
    },
}
"""Error code of the JSON protocol -> what it was called in the query protocol, which SDKs still show."""

Entry = Mapping[str, Any]


class Sqs:
    """The queues of one region. Safe for threads."""

    def __init__(
        self, *, region: str, partition: str, account: str, stamps: Now, waits: Now, seed: int, mirror: Mirror
    ) -> None:
        """`stamps`: virtual time; `waits`: the consumers' own."""
        self._account = account
        self._dice = random.Random(f"sqs/{region}/{seed}")
        self._lock = threading.RLock()
        self._boxes = Mailboxes(
            arn_prefix=f"arn:{partition}:sqs:{region}:{account}:",
            account=account,
            lock=self._lock,
            stamps=stamps,
            waits=waits,
            mirror=mirror,
        )
        self._deeds: dict[str, Deed] = {
            **self._boxes.deeds,
            "ChangeMessageVisibility": self._hide_again,
            "ChangeMessageVisibilityBatch": self._hide_batch_again,
            "DeleteMessage": self._delete,
            "DeleteMessageBatch": self._delete_batch,
            "ReceiveMessage": self._receive,
            "SendMessage": self._send,
            "SendMessageBatch": self._send_batch,
        }

    def call(self, operation: str, ask: Ask) -> dict[str, Any]:
        """One operation, in boto3's shapes. Raises ApiError."""
        deed = self._deeds.get(operation)
        if deed is None:
            raise ApiError("UnsupportedOperation", f"{operation} is not part of the embedded cloud.")
        with self._lock:
            return deed(ask)

    def deliver(self, name: str, entry: Entry) -> bool:
        """A message from elsewhere in the account, in SendMessage's shape; False if there is no such queue.

        Raises ApiError if the queue would not take it.
        """
        with self._lock:
            box = self._boxes.named(name)
            if box is not None:
                self._put(box, entry, self._account)
            return box is not None

    def adopt(self, name: str, attributes: Mapping[str, str], tags: Mapping[str, str]) -> None:
        """Opens a queue that somebody else made. Raises ApiError if its attributes are wrong."""
        with self._lock:
            self._boxes.adopt(name, attributes, tags)

    def forget(self, name: str) -> None:
        """Closes a queue that somebody else deleted."""
        with self._lock:
            self._boxes.forget(name)

    def close(self) -> None:
        """Sends all waiting receivers away."""
        with self._lock:
            self._boxes.close()

    def _put(self, box: Mailbox, entry: Entry, sender: str) -> dict[str, Any]:
        message_id = str(uuid.UUID(int=self._dice.getrandbits(128), version=4))
        return box.send(entry, message_id=message_id, sender=sender)

    def _send(self, ask: Ask) -> dict[str, Any]:
        return self._put(self._boxes.asked_for(ask), ask.params, ask.sender)

    def _send_batch(self, ask: Ask) -> dict[str, Any]:
        box = self._boxes.asked_for(ask)
        if sum(len(entry["MessageBody"].encode()) for entry in ask.params["Entries"]) > BATCH_BYTES_MAX:
            words = f"Batch requests cannot be longer than {BATCH_BYTES_MAX} bytes."
            raise ApiError("BatchRequestTooLong", words)
        return _each(ask, lambda entry: self._put(box, entry, ask.sender))

    def _receive(self, ask: Ask) -> dict[str, Any]:
        messages = self._boxes.asked_for(ask).receive(ask.params, bury=self._bury)
        return {"Messages": messages} if messages else {}

    def _bury(self, message: Message, arn: str) -> bool:
        """Moves a message that was received too often to the dead-letter queue of that ARN."""
        box = self._boxes.by_arn(arn)
        if box is None:
            return False
        box.put(
            Message(
                id=message.id,
                body=message.body,
                stamp=message.stamp,
                attributes=message.attributes,
                system_attributes=message.system_attributes,
                group_id=message.group_id,
                deduplication_id=message.deduplication_id,
                receives=message.receives,
            )
        )
        return True

    def _delete(self, ask: Ask) -> dict[str, Any]:
        self._boxes.asked_for(ask).delete(ask.params["ReceiptHandle"])
        return {}

    def _delete_batch(self, ask: Ask) -> dict[str, Any]:
        box = self._boxes.asked_for(ask)
        return _each(ask, lambda entry: box.delete(entry["ReceiptHandle"]))

    def _hide_again(self, ask: Ask) -> dict[str, Any]:
        self._boxes.asked_for(ask).hide_again(ask.params["ReceiptHandle"], ask.params["VisibilityTimeout"])
        return {}

    def _hide_batch_again(self, ask: Ask) -> dict[str, Any]:
        box = self._boxes.asked_for(ask)
        return _each(ask, lambda entry: box.hide_again(entry["ReceiptHandle"], entry.get("VisibilityTimeout", 0)))


def _each(ask: Ask, deed: Callable[[Entry], dict[str, Any] | None]) -> dict[str, Any]:
    """Does a batch entry by entry: what fails is told of, and hinders no other. Raises ApiError for the whole of it."""
    entries = ask.params["Entries"]
    _check_batch([entry["Id"] for entry in entries])
    done, failed = [], []
    for entry in entries:
        try:
            done.append({"Id": entry["Id"], **(deed(entry) or {})})
        except ApiError as error:
            code = QUERY_CODES.get(error.code, error.code)
            failed.append({"Id": entry["Id"], "SenderFault": True, "Code": code, "Message": error.message})
    answer: dict[str, Any] = {"Successful": done} if done else {}
    return {**answer, "Failed": failed} if failed else answer


def _check_batch(ids: list[str]) -> None:
    if not ids:
        raise ApiError("EmptyBatchRequest", "There should be at least one entry in the request.")
    if len(ids) > BATCH_MAX:
        words = f"Maximum number of entries per request are {BATCH_MAX}. You have sent {len(ids)}."
        raise ApiError("TooManyEntriesInBatchRequest", words)
    for at, batch_id in enumerate(ids):
        if not _BATCH_ID.fullmatch(batch_id):
            words = "A batch entry id can only contain alphanumeric characters, hyphens and underscores. 1 to 80 long."
            raise ApiError("InvalidBatchEntryId", words)
        if batch_id in ids[:at]:
            raise ApiError("BatchEntryIdsNotDistinct", f"Id {batch_id} repeated.")
