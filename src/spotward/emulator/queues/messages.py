"""A message's content: what SQS accepts, and the digests that it answers with.

Digest of message attributes: documented in the SQS Developer Guide, "Calculating the MD5 message digest for message
attributes". Java's SDK compares it with its own.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from typing import Any

from spotward.sim.errors import ApiError

ATTRIBUTES_MAX = 10
"""Attributes of one message. AWS's limit."""

_UNFIT = re.compile("[^\x09\x0a\x0d\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_ATTRIBUTE_NAME = re.compile(r"[A-Za-z0-9_\-.]{1,256}")
_TYPES = ("String", "Number", "Binary")


def md5(data: bytes) -> str:
    """SQS's digest of a body."""
    return hashlib.md5(data, usedforsecurity=False).hexdigest()


def md5_of_attributes(attributes: Mapping[str, Any]) -> str:
    """SQS's digest of message attributes: each part with its length (4 bytes, big-endian) before it, names in order."""
    digest = hashlib.md5(usedforsecurity=False)
    for name in sorted(attributes):
        data_type = attributes[name]["DataType"]
        binary = data_type.startswith("Binary")
        value = attributes[name]["BinaryValue"] if binary else attributes[name]["StringValue"].encode()
        for part in (name.encode(), data_type.encode()):
            digest.update(len(part).to_bytes(4, "big") + part)
        digest.update((b"\x02" if binary else b"\x01") + len(value).to_bytes(4, "big") + value)
    return digest.hexdigest()


def check_body(body: str, bytes_max: int) -> None:
    """Raises ApiError if SQS would not take it."""
    if not body:
        raise ApiError("MissingParameter", "The request must contain the parameter MessageBody.")
    if _UNFIT.search(body):
        raise ApiError(
            "InvalidMessageContents",
            "Invalid binary character was found in the message body, the set of allowed characters is "
            "#x9 | #xA | #xD | #x20 to #xD7FF | #xE000 to #xFFFD | #x10000 to #x10FFFF",
        )
    if len(body.encode()) > bytes_max:
        message = f"One or more parameters are invalid. Reason: Message must be shorter than {bytes_max} bytes."
        raise ApiError("InvalidParameterValue", message)


def check_attributes(attributes: Mapping[str, Any]) -> None:
    """Raises ApiError if SQS would not take them."""
    if len(attributes) > ATTRIBUTES_MAX:
        message = f"Number of message attributes [{len(attributes)}] exceeds the allowed maximum [{ATTRIBUTES_MAX}]."
        raise ApiError("InvalidParameterValue", message)
    for name, value in attributes.items():
        if not _ATTRIBUTE_NAME.fullmatch(name) or name.lower().startswith(("aws.", "amazon.")):
            raise ApiError("InvalidParameterValue", f"The message attribute name '{name[:256]}' is invalid.")
        kind = value["DataType"].split(".", 1)[0]
        wanted = "BinaryValue" if kind == "Binary" else "StringValue"
        if kind not in _TYPES or not value.get(wanted):
            message = f"The message attribute '{name}' with type '{value['DataType']}' must use field '{wanted}'."
            raise ApiError("InvalidParameterValue", message)


def chosen_attributes(attributes: Mapping[str, Any], patterns: list[str]) -> dict[str, Any]:
    """Those that a receiver asks for: by name, by prefix (`foo.*`), or all (`All`, `.*`)."""
    if "All" in patterns or ".*" in patterns:
        return dict(attributes)
    prefixes = tuple(pattern[:-2] for pattern in patterns if pattern.endswith(".*"))
    return {
        name: value
        for name, value in attributes.items()
        if name in patterns or (prefixes and name.startswith(prefixes))
    }
