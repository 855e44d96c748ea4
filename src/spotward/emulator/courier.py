"""What Auto Scaling sends straight to a queue or a topic, past EventBridge: the notifications of lifecycle hooks.

A queue is ours and gets the message as JSON. A topic is moto's, which hands it on to the topic's subscribers; queues
among them get it wrapped, as a text in `Message`. Whoever reads a topic by e-mail would see lines on AWS, not JSON.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable

from moto.backends import get_backend

from spotward.emulator.queues.sqs import Sqs
from spotward.sim.errors import ApiError
from spotward.sim.region import Notification

_log = logging.getLogger(__name__)


class Courier:
    """Carries the notifications of one region of one account."""

    def __init__(self, *, account: str, region: str, sqs_of: Callable[[str], Sqs]) -> None:
        """`sqs_of`: the queues of a region."""
        self._account = account
        self._region = region
        self._sqs_of = sqs_of

    def carry(self, notification: Notification) -> None:
        """To its target. One that is gone meanwhile gets nothing, as on AWS, and the log says so."""
        body = json.dumps(notification.message, separators=(",", ":"))
        service, name = notification.target_arn.split(":")[2], notification.target_arn.rpartition(":")[2]
        try:
            taken = self._to_queue(name, body) if service == "sqs" else self._to_topic(notification, body)
        except ApiError as error:
            _log.warning("queue %s did not take a notification: %s", name, error)
            return
        if not taken:
            _log.warning("a lifecycle hook's target %s is gone; put the hook again", notification.target_arn)

    def _to_queue(self, name: str, body: str) -> bool:
        return self._sqs_of(self._region).deliver(name, {"MessageBody": body})

    def _to_topic(self, notification: Notification, body: str) -> bool:
        topic = get_backend("sns")[self._account][self._region].topics.get(notification.target_arn)
        if topic is None:
            return False
        try:
            topic.publish(body, subject=notification.subject)
        except Exception:  # noqa: BLE001 - see below
            # moto raises all sorts of things for subscribers that it cannot serve, and time must go on.
            _log.warning("topic %s could not serve all its subscribers", topic.arn, exc_info=True)
        return True
