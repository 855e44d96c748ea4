"""The queues of one region by their names, and the calls that make, find, describe and delete them."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from spotward.emulator.queues.mailbox import Mailbox, Now
from spotward.emulator.queues.queue_settings import QueueSettings
from spotward.sim.errors import ApiError

QUEUES_MAX = 10_000
"""Queues in one region. AWS has no limit; a loop that forgets to delete has to stop somewhere."""

REBIRTH_SECONDS = 60.0
"""How long the name of a deleted queue stays taken. AWS's figure."""

_NAME = re.compile(r"(?=.{1,80}$)[A-Za-z0-9_-]+(\.fifo)?")

Mirror = Callable[[str, QueueSettings | None, Mapping[str, str]], None]
"""(name, settings or None when it is gone, tags): tells the rest of the account about a queue."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """One call of SQS's API."""

    params: Mapping[str, Any]
    host: str
    """Where queue URLs lead: `http://127.0.0.1:5000`."""
    sender: str
    """The access key that asks."""

    def list_of(self, name: str) -> list[Any]:
        """A list of the parameters; empty if it was not given."""
        return list(self.params.get(name) or ())


Deed = Callable[[Ask], dict[str, Any]]


class Mailboxes:
    """Not safe for threads: who calls a method, holds the lock."""

    def __init__(
        self, *, arn_prefix: str, account: str, lock: threading.RLock, stamps: Now, waits: Now, mirror: Mirror
    ) -> None:
        """`stamps`: virtual time; `waits`: the consumers' own."""
        self._arn_prefix = arn_prefix
        self._account = account
        self._lock = lock
        self._stamps = stamps
        self._waits = waits
        self._mirror = mirror
        self._boxes: dict[str, Mailbox] = {}
        self._deleted: dict[str, float] = {}
        self.deeds: dict[str, Deed] = {
            "CreateQueue": self._create,
            "DeleteQueue": self._delete,
            "GetQueueAttributes": self._attributes,
            "GetQueueUrl": self._url,
            "ListDeadLetterSourceQueues": self._dead_letter_sources,
            "ListQueues": self._list,
            "ListQueueTags": self._tags,
            "PurgeQueue": self._purge,
            "SetQueueAttributes": self._configure,
            "TagQueue": self._tag,
            "UntagQueue": self._untag,
        }

    def named(self, name: str) -> Mailbox | None:
        """The queue of that name."""
        return self._boxes.get(name)

    def asked_for(self, ask: Ask) -> Mailbox:
        """The queue of the request's QueueUrl, whatever host it names. Raises ApiError."""
        box = self._boxes.get(str(ask.params["QueueUrl"]).rpartition("/")[2])
        if box is None:
            raise _no_queue()
        return box

    def by_arn(self, arn: str) -> Mailbox | None:
        """The queue of that ARN."""
        return self._boxes.get(arn.removeprefix(self._arn_prefix))

    def adopt(self, name: str, attributes: Mapping[str, str], tags: Mapping[str, str]) -> None:
        """Opens a queue that somebody else made. Raises ApiError if its attributes are wrong."""
        if name not in self._boxes:
            self._boxes[name] = self._make(name, attributes)
        self._boxes[name].tags.update(tags)

    def forget(self, name: str) -> None:
        """Closes a queue that somebody else deleted."""
        box = self._boxes.pop(name, None)
        if box is not None:
            box.close()

    def close(self) -> None:
        """Sends all waiting receivers away."""
        for box in self._boxes.values():
            box.close()

    def _create(self, ask: Ask) -> dict[str, Any]:
        name, attributes = ask.params["QueueName"], ask.params.get("Attributes") or {}
        if not _NAME.fullmatch(name) or (name.endswith(".fifo") and attributes.get("FifoQueue") != "true"):
            words = "Can only include alphanumeric characters, hyphens, or underscores. 1 to 80 in length"
            raise ApiError("InvalidParameterValue", words)
        box = self._boxes.get(name) or self._new(name, attributes)
        shown = box.settings.shown()
        different = [attribute for attribute, value in attributes.items() if shown.get(attribute, "") != value]
        if different:
            words = f"A queue already exists with the same name and a different value for attribute {different[0]}"
            raise ApiError("QueueNameExists", words)
        box.tags.update(ask.params.get("tags") or {})
        self._tell(box)
        return {"QueueUrl": self._url_of(name, ask)}

    def _new(self, name: str, attributes: Mapping[str, str]) -> Mailbox:
        if self._stamps() - self._deleted.get(name, float("-inf")) < REBIRTH_SECONDS:
            words = "You must wait 60 seconds after deleting a queue before you can create another with the same name."
            raise ApiError("QueueDeletedRecently", words)
        if len(self._boxes) >= QUEUES_MAX:
            raise ApiError("OverLimit", f"There are {QUEUES_MAX} queues; delete some.", 403)
        self._boxes[name] = self._make(name, attributes)
        return self._boxes[name]

    def _make(self, name: str, attributes: Mapping[str, str]) -> Mailbox:
        settings = QueueSettings(name=name).changed(attributes)
        return Mailbox(settings, lock=self._lock, stamps=self._stamps, waits=self._waits, arn=self._arn_prefix + name)

    def _delete(self, ask: Ask) -> dict[str, Any]:
        name = self.asked_for(ask).settings.name
        self.forget(name)
        self._deleted[name] = self._stamps()
        self._mirror(name, None, {})
        return {}

    def _url(self, ask: Ask) -> dict[str, Any]:
        if ask.params["QueueName"] not in self._boxes:
            raise _no_queue()
        return {"QueueUrl": self._url_of(ask.params["QueueName"], ask)}

    def _url_of(self, name: str, ask: Ask) -> str:
        return f"{ask.host}/{self._account}/{name}"

    def _list(self, ask: Ask) -> dict[str, Any]:
        prefix = ask.params.get("QueueNamePrefix") or ""
        return self._page(sorted(name for name in self._boxes if name.startswith(prefix)), ask, "QueueUrls")

    def _dead_letter_sources(self, ask: Ask) -> dict[str, Any]:
        arn = self.asked_for(ask).arn
        redrives = {name: box.settings.redrive for name, box in self._boxes.items()}
        names = sorted(name for name, redrive in redrives.items() if redrive is not None and redrive.target_arn == arn)
        return {"queueUrls": [], **self._page(names, ask, "queueUrls")}

    def _page(self, names: Sequence[str], ask: Ask, key: str) -> dict[str, Any]:
        """From the name that the token gives, up to MaxResults (1,000 at most); a token only if MaxResults is given."""
        most = int(ask.params.get("MaxResults") or 1000)
        if not 1 <= most <= 1000:
            raise ApiError("InvalidParameterValue", "MaxResults must be an integer between 1 and 1000.")
        rest = [name for name in names if name >= (ask.params.get("NextToken") or "")]
        answer: dict[str, Any] = {key: [self._url_of(name, ask) for name in rest[:most]]} if rest else {}
        if len(rest) > most and "MaxResults" in ask.params:
            answer["NextToken"] = rest[most]
        return answer

    def _attributes(self, ask: Ask) -> dict[str, Any]:
        names, every = ask.list_of("AttributeNames"), self.asked_for(ask).attributes()
        for name in names:
            if name != "All" and name not in every and not QueueSettings.knows(name):
                raise ApiError("InvalidAttributeName", f"Unknown Attribute {name}.")
        chosen = {name: value for name, value in every.items() if name in names or "All" in names}
        return {"Attributes": chosen} if chosen else {}

    def _configure(self, ask: Ask) -> dict[str, Any]:
        box = self.asked_for(ask)
        box.configure(ask.params["Attributes"])
        self._tell(box)
        return {}

    def _purge(self, ask: Ask) -> dict[str, Any]:
        self.asked_for(ask).purge()
        return {}

    def _tags(self, ask: Ask) -> dict[str, Any]:
        tags = self.asked_for(ask).tags
        return {"Tags": dict(tags)} if tags else {}

    def _tag(self, ask: Ask) -> dict[str, Any]:
        box = self.asked_for(ask)
        box.tags.update(ask.params["Tags"])
        self._tell(box)
        return {}

    def _untag(self, ask: Ask) -> dict[str, Any]:
        box = self.asked_for(ask)
        for key in ask.params["TagKeys"]:
            box.tags.pop(key, None)
        self._tell(box)
        return {}

    def _tell(self, box: Mailbox) -> None:
        self._mirror(box.settings.name, box.settings, box.tags)


def _no_queue() -> ApiError:
    return ApiError("QueueDoesNotExist", "The specified queue does not exist.")
