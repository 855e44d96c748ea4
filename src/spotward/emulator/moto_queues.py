"""Where moto's other services find their queues: SNS, S3's notifications, CloudFormation, archives being replayed.

They all go to moto's SQS backend of the region, so a backend of ours is put in its place: what is sent to it is handed
to our own SQS, and queues that are made or deleted through it are made or deleted there. Of the queues made in our SQS
it knows only what those services look at.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from moto.backends import get_backend
from moto.sqs.exceptions import QueueDoesNotExist
from moto.sqs.models import Message, Queue, SQSBackend

from spotward.emulator import world
from spotward.emulator.queues.mailboxes import Mirror
from spotward.emulator.queues.queue_settings import QueueSettings
from spotward.emulator.queues.sqs import Sqs

SqsOf = Callable[[str], Sqs]
"""Region -> its queues."""

_SEEN_BY_OTHERS = ("FifoQueue", "ContentBasedDeduplication", "Policy")


class QueueBackend(SQSBackend):
    """moto's door to the queues of one region."""

    def __init__(self, region_name: str, account_id: str) -> None:
        """In the form in which moto makes its backends; `sqs_of` is set behind it."""
        super().__init__(region_name, account_id)
        self.sqs_of: SqsOf | None = None

    @property
    def _sqs(self) -> Sqs:
        assert self.sqs_of is not None, "planted without its queues"
        return self.sqs_of(self.region_name)

    def create_queue(self, name: str, tags: dict[str, str] | None = None, **kwargs: Any) -> Queue:
        """A queue that another service makes, with attributes as CloudFormation writes them."""
        queue = super().create_queue(name, tags, **dict(kwargs))
        attributes = {key: _as_sqs_writes(value) for key, value in kwargs.items() if QueueSettings.knows(key)}
        self._sqs.adopt(queue.name, attributes, tags or {})
        return queue

    def delete_queue(self, queue_name: str) -> None:
        """A queue that another service deletes."""
        super().delete_queue(queue_name)
        self._sqs.forget(queue_name)

    def send_message(
        self,
        queue_name: str,
        message_body: str,
        message_attributes: dict[str, Any] | None = None,
        delay_seconds: int | None = None,
        deduplication_id: str | None = None,
        group_id: str | None = None,
        system_attributes: dict[str, Any] | None = None,
        validate_group_id: bool = True,  # noqa: ARG002 - moto's signature
    ) -> Message:
        """A message that another service sends."""
        entry = {
            "MessageBody": message_body,
            "MessageAttributes": message_attributes,
            "DelaySeconds": delay_seconds or None,
            "MessageDeduplicationId": deduplication_id,
            "MessageGroupId": group_id,
            "MessageSystemAttributes": system_attributes,
        }
        if not self._sqs.deliver(queue_name, {name: value for name, value in entry.items() if value is not None}):
            raise QueueDoesNotExist
        return Message("", message_body)

    def reflect(self, name: str, settings: QueueSettings | None, tags: Mapping[str, str]) -> None:
        """A queue of our SQS was made, changed or (None) deleted."""
        if settings is None:
            super().delete_queue(name)
            return
        attributes = {key: value for key, value in settings.shown().items() if key in _SEEN_BY_OTHERS}
        self.queues.pop(name, None)
        super().create_queue(name, dict(tags), **attributes)


def plant(account: str, sqs_of: SqsOf) -> None:
    """Puts our door in the place of moto's, in every region."""
    backends = get_backend("sqs")[account]
    for region in world.REGIONS:
        backend = QueueBackend(region, account)
        backend.sqs_of = sqs_of
        backends[region] = backend


def mirror(account: str, region: str) -> Mirror:
    """What tells moto about the queues of a region."""

    def tell(name: str, settings: QueueSettings | None, tags: Mapping[str, str]) -> None:
        backend = get_backend("sqs")[account][region]
        if isinstance(backend, QueueBackend):
            backend.reflect(name, settings, tags)

    return tell


def _as_sqs_writes(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return json.dumps(value) if isinstance(value, dict | list) else str(value)
