"""The objects of a journal in the cluster: how they are named, labelled and filled.

All are of one kind, `JournalRecord`, and but for the head none is ever changed:

    prod                          the head: where the newest image is
    prod.0000000042               commit 42, whole in one object; `role` says whether it is a grant
    prod.0000000043.1f0c9a.0      a part of a commit that is too great for one object; commit 43 itself comes last
    prod.image.0000000040.77aa.0  a part of the image: everything that commits 1 to 40 left behind

A payload is compressed. etcd takes 1.5 MiB for one object, in which it stands in base64.
"""

import base64
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from spotward.kube.resources import Resource
from spotward.model.errors import ConfigError

RECORDS = Resource(group="spotward.io", version="v1", plural="journalrecords", kind="JournalRecord")

JOURNAL_LABEL = "spotward.io/journal"
ROLE_LABEL = "spotward.io/role"
SEGMENT_LABEL = "spotward.io/segment"
"""Which segment an object's number falls into: what is over is deleted by the segment, in one call."""
IMAGE_LABEL = "spotward.io/image"

SEGMENT = 64
"""Numbers to a segment. So many commits at most are kept longer than they need to be."""

GRANT, COMMIT, PART, IMAGE, HEAD = "grant", "commit", "part", "image", "head"
"""The roles."""

PART_BYTES_MAX = 768 * 1024
"""Compressed bytes in one object: 1 MiB in base64, which leaves a third of etcd's limit to the rest of the object."""

PACK_LEVEL = 3
"""zlib's level. A commit of one event shrinks to a third, the observation of a region to a fiftieth."""

FORMAT = 1
"""Of everything here. It rises when an older Spotward must not read or write a journal any more."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Budget:
    """How much of etcd a journal may take. Bytes are compressed ones; base64 makes four of three."""

    image_bytes_max: int = 8 * 2**20
    """An image is not greater: first the recording for replay is given up, then the oldest pages."""

    tail_commits_max: int = 1_000
    """After so many commits a new image is made. A load reads no more than these, which takes two seconds on a busy
    machine: they are part of the fifteen in which a replica takes over."""

    tail_bytes_max: int = 16 * 2**20
    """And after so many bytes."""

    @property
    def tail_bytes_limit(self) -> int:
        """Where no image can be made, nothing is written beyond this: the cluster needs its etcd for other things."""
        return 2 * self.tail_bytes_max


@dataclass(frozen=True, kw_only=True, slots=True)
class Image:
    """Where the newest image is."""

    sequence: int
    """The last commit that is in it."""
    mark: str
    """Tells images of one number apart."""
    parts: int
    size: int
    """Compressed bytes."""

    @property
    def label(self) -> str:
        """The label of its parts."""
        return f"{self.sequence}-{self.mark}"


@dataclass(frozen=True, kw_only=True, slots=True)
class Head:
    """The one object that changes."""

    version: str
    """Its `resourceVersion`: a change names the one that it is meant for."""
    image: Image | None
    """None until the first is made."""
    swept: int
    """All segments below this one were deleted."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Commit:
    """One commit as it is in the cluster, its payload perhaps still in parts."""

    sequence: int
    writer: str
    mark: str
    parts: int
    payload: bytes
    """Compressed; empty when it is in parts."""


def packed(text: bytes) -> bytes:
    """As it is sent."""
    return zlib.compress(text, PACK_LEVEL)


def unpacked(payload: bytes) -> bytes:
    """As it was. Raises ConfigError for what is no payload of ours."""
    try:
        return zlib.decompress(payload)
    except zlib.error as error:
        raise ConfigError(
            f"a record of the journal is damaged ({error}); restore it, or begin a new journal"
        ) from error


def cut(payload: bytes) -> list[bytes]:
    """In parts that fit into one object each; one at least."""
    return [payload[at : at + PART_BYTES_MAX] for at in range(0, len(payload), PART_BYTES_MAX)] or [b""]


# ---- names ---------------------------------------------------------------------------------------------------


def commit_name(journal: str, sequence: int) -> str:
    """The name that only one writer can take."""
    return f"{journal}.{sequence:010d}"


def part_name(journal: str, sequence: int, mark: str, number: int) -> str:
    """A part of a commit."""
    return f"{commit_name(journal, sequence)}.{mark}.{number}"


def image_name(journal: str, image: Image, number: int) -> str:
    """A part of an image."""
    return f"{journal}.image.{image.sequence:010d}.{image.mark}.{number}"


# ---- objects -------------------------------------------------------------------------------------------------


def record(
    journal: str,
    name: str,
    role: str,
    sequence: int,
    payload: bytes,
    *,
    image: str | None = None,
    said: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """One object, as it is created. `said`: what else it says of itself."""
    labels = {JOURNAL_LABEL: journal, ROLE_LABEL: role, SEGMENT_LABEL: str(sequence // SEGMENT)}
    if image is not None:
        labels[IMAGE_LABEL] = image
    spec = {"role": role, "sequence": sequence, **(said or {})}
    if payload:
        spec["payload"] = base64.b64encode(payload).decode()
    return {
        "apiVersion": RECORDS.api_version,
        "kind": RECORDS.kind,
        "metadata": {"name": name, "labels": labels},
        "spec": spec,
    }


def new_head(journal: str) -> dict[str, Any]:
    """The head of a journal that has nothing in it yet. No segment: it is never swept."""
    return {
        "apiVersion": RECORDS.api_version,
        "kind": RECORDS.kind,
        "metadata": {"name": journal, "labels": {JOURNAL_LABEL: journal, ROLE_LABEL: HEAD}},
        "spec": {"role": HEAD, "sequence": 0, "format": FORMAT, "swept": 0},
    }


def head_of(document: dict[str, Any]) -> Head:
    """Raises ConfigError for a journal of a newer version."""
    spec = document["spec"]
    if spec.get("format", FORMAT) > FORMAT:
        raise ConfigError(
            f"the journal {document['metadata']['name']} was written by a newer version of Spotward (format "
            f"{spec['format']}; this one knows {FORMAT}); install that version, or set store.name to another"
        )
    said = spec.get("image")
    image = None if said is None else Image(**{name: said[name] for name in ("sequence", "mark", "parts", "size")})
    return Head(version=document["metadata"]["resourceVersion"], image=image, swept=spec.get("swept", 0))


def image_said(image: Image) -> dict[str, Any]:
    """As the head says it."""
    return {"sequence": image.sequence, "mark": image.mark, "parts": image.parts, "size": image.size}


def payload_of(document: dict[str, Any]) -> bytes:
    """Compressed, as it was sent."""
    return base64.b64decode(document["spec"].get("payload", ""))


def commit_of(document: dict[str, Any]) -> Commit:
    """A commit, as it was found."""
    spec = document["spec"]
    return Commit(
        sequence=spec["sequence"],
        writer=spec.get("writer", ""),
        mark=spec.get("mark", ""),
        parts=spec.get("parts", 0),
        payload=payload_of(document),
    )
