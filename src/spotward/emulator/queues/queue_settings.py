"""A queue's attributes: what its owner may set, with SQS's defaults, limits and refusals."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from spotward.sim.errors import ApiError

_NUMBERS = {
    "VisibilityTimeout": (30, 0, 43_200),
    "DelaySeconds": (0, 0, 900),
    "MaximumMessageSize": (1_048_576, 1_024, 1_048_576),
    "MessageRetentionPeriod": (345_600, 60, 1_209_600),
    "ReceiveMessageWaitTimeSeconds": (0, 0, 20),
}
"""Attribute -> its default, least and greatest value: seconds, but for the size, which is in bytes."""

_KEPT = frozenset({"Policy", "RedriveAllowPolicy", "KmsMasterKeyId", "KmsDataKeyReusePeriodSeconds"})
"""Attributes that are kept and shown and change nothing here."""

_SWITCHES = frozenset({"FifoQueue", "ContentBasedDeduplication", "SqsManagedSseEnabled"})

_FIFO_ONLY = {
    "ContentBasedDeduplication": ("false", frozenset({"true", "false"})),
    "DeduplicationScope": ("queue", frozenset({"queue", "messageGroup"})),
    "FifoThroughputLimit": ("perQueue", frozenset({"perQueue", "perMessageGroupId"})),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Redrive:
    """Where messages go that were received too often."""

    target_arn: str
    receives_max: int


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueSettings:
    """The attributes of one queue, as SQS's strings."""

    name: str
    values: Mapping[str, str] = field(default_factory=dict)

    @property
    def fifo(self) -> bool:
        """FIFO queues have names that end so, and only they."""
        return self.name.endswith(".fifo")

    @property
    def visibility_timeout_seconds(self) -> int:
        """How long a received message is hidden."""
        return self._number("VisibilityTimeout")

    @property
    def delay_seconds(self) -> int:
        """How long a new message is hidden."""
        return self._number("DelaySeconds")

    @property
    def wait_seconds(self) -> int:
        """How long a receive waits for a message."""
        return self._number("ReceiveMessageWaitTimeSeconds")

    @property
    def retention_seconds(self) -> int:
        """How long an undeleted message is kept."""
        return self._number("MessageRetentionPeriod")

    @property
    def message_bytes_max(self) -> int:
        """How large a message may be."""
        return self._number("MaximumMessageSize")

    @property
    def deduplicates_by_content(self) -> bool:
        """Whether a message without a deduplication id gets one from its body."""
        return self.values.get("ContentBasedDeduplication") == "true"

    @property
    def redrive(self) -> Redrive | None:
        """The dead-letter policy, if there is one."""
        text = self.values.get("RedrivePolicy")
        return _redrive(text) if text else None

    def _number(self, name: str) -> int:
        return int(self.values.get(name, _NUMBERS[name][0]))

    @staticmethod
    def knows(name: str) -> bool:
        """Whether there is such an attribute to set."""
        return name in _NUMBERS or name in _KEPT or name in _SWITCHES or name in _FIFO_ONLY or name == "RedrivePolicy"

    def changed(self, values: Mapping[str, str]) -> QueueSettings:
        """With some attributes set; an empty string takes one away. Raises ApiError."""
        for name, value in values.items():
            self._check(name, value)
        merged = {**self.values, **values}
        return replace(self, values={name: value for name, value in merged.items() if value != ""})

    def shown(self) -> dict[str, str]:
        """All of them, defaults included."""
        numbers = {name: str(default) for name, (default, _, _) in _NUMBERS.items()}
        fifo = {"FifoQueue": "true", **{name: default for name, (default, _) in _FIFO_ONLY.items()}}
        return {**numbers, "SqsManagedSseEnabled": "true", **(fifo if self.fifo else {}), **self.values}

    def _check(self, name: str, value: str) -> None:
        if name in _NUMBERS:
            _check_number(name, value)
        elif name == "RedrivePolicy":
            if value:
                _redrive(value)
        elif name == "FifoQueue":
            if (value == "true") is not self.fifo:
                raise _bad(name, value, "It is true for queues whose name ends with .fifo, and for no others.")
        elif name in _FIFO_ONLY:
            if not self.fifo or value not in _FIFO_ONLY[name][1]:
                raise _bad(name, value)
        elif name in _SWITCHES:
            if value not in {"true", "false"}:
                raise _bad(name, value)
        elif not self.knows(name):
            raise ApiError("InvalidAttributeName", f"Unknown Attribute {name}.")


def _check_number(name: str, value: str) -> None:
    _, least, greatest = _NUMBERS[name]
    if not (value.isascii() and value.isdecimal() and len(value) < 10 and least <= int(value) <= greatest):
        raise _bad(name, value, f"It must be an integer from {least} to {greatest}.")


def _redrive(text: str) -> Redrive:
    try:
        policy: Any = json.loads(text)
        receives_max = int(policy["maxReceiveCount"])
        target_arn = str(policy["deadLetterTargetArn"])
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        hint = "It must be JSON with deadLetterTargetArn and maxReceiveCount."
        raise _bad("RedrivePolicy", text, hint) from error
    if not 1 <= receives_max <= 1000:
        raise _bad("RedrivePolicy", text, "maxReceiveCount must be from 1 to 1000.")
    return Redrive(target_arn=target_arn, receives_max=receives_max)


def _bad(name: str, value: str, hint: str = "") -> ApiError:
    message = f"Invalid value {value[:200]} for the parameter {name}. Reason: {hint}" if hint else ""
    return ApiError("InvalidAttributeValue", message or f"Invalid value for the parameter {name}.")
