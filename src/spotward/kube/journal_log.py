"""The journal in the cluster: an append-only log with a gate that nobody can pass twice.

A commit is an object whose name is its number, and the API server creates a name only once. So whoever appends commit
43 knows all of 1 to 42, or is told that there is a 43 already: that is the whole of the fence. It needs no clock, and
holds for a request that was on its way for an hour. Whoever is given the journal begins by a commit that says so, a
grant; and grants stay long after the rest was swept away, so that the next name of whoever had it before stays taken.

A load reads the image, then the commits after it. A new image is begun by its parts, which nobody sees until the head,
changed only from the version that was read, says where they are; then what it replaced is deleted. Killed anywhere in
between, a journal is as good as before, and the next sweep takes the rest away.
"""

import asyncio
import hashlib
import secrets
from collections.abc import AsyncIterator, Mapping
from typing import Any, NoReturn

import structlog

from spotward.http.values import Answer
from spotward.kube.client import Json, Kube, document, message_of, refusal, status_of
from spotward.kube.records import (
    COMMIT,
    GRANT,
    IMAGE,
    IMAGE_LABEL,
    JOURNAL_LABEL,
    PART,
    RECORDS,
    ROLE_LABEL,
    SEGMENT,
    SEGMENT_LABEL,
    Commit,
    Head,
    Image,
    commit_name,
    commit_of,
    cut,
    head_of,
    image_name,
    image_said,
    new_head,
    packed,
    part_name,
    payload_of,
    record,
    unpacked,
)
from spotward.model.errors import ConfigError, OutsideError, Transient

STORE_UNAVAILABLE = "StoreUnavailable"

CALL_SECONDS_MAX = 10.0
"""How long one call of the journal may take. An object of 1 MiB takes a tenth of a second when all is well."""

GRANT_SEGMENTS_KEPT = 256
"""Grants are swept so many segments later than the rest: a process that sleeps through 16,000 commits of others is
shut out by its lease alone.
"""

PAGE = 50
"""Commits in one page of a list: in the worst case 50 MiB."""

MANIFEST = "deploy/journal.yaml"
"""What a cluster needs before a journal can be in it."""

log = structlog.get_logger()


class Moved(Exception):  # noqa: N818 - it says what happened, and reads as that
    """The head moved on while we read: begin again."""


class JournalLog:
    """One journal's objects. Raises Transient (code `StoreUnavailable`) and ConfigError everywhere."""

    def __init__(self, kube: Kube, *, namespace: str, name: str, writer: str) -> None:
        """`writer` tells apart all who ever write: no two processes have the same."""
        self._kube = kube
        self.namespace, self.name, self.writer = namespace, name, writer

    # ---- commits ---------------------------------------------------------------------------------------------

    async def append(self, sequence: int, text: bytes, *, role: str = COMMIT) -> int | None:
        """Write commit `sequence`: its size in bytes; None when there is one already that is not this very one.

        Raises Transient when it is not known to be written. Asked again, with the same text, it is written once.
        """
        payload = packed(text)
        mark = hashlib.blake2b(payload, digest_size=6).hexdigest()
        parts = cut(payload)
        if len(parts) > 1:
            await self._write_parts(sequence, mark, parts)
        name, alone = commit_name(self.name, sequence), len(parts) == 1
        said = {"writer": self.writer, "mark": mark, "parts": 0 if alone else len(parts)}
        body = record(self.name, name, role, sequence, payload if alone else b"", said=said)
        answer = await self._answer("create", body=body)
        if answer.status == 409:
            return len(payload) if await self._is_ours(sequence, mark) else None
        if answer.status >= 300:
            self._refused("create", answer)
        return len(payload)

    async def _write_parts(self, sequence: int, mark: str, parts: list[bytes]) -> None:
        for number, part in enumerate(parts):
            name = part_name(self.name, sequence, mark, number)
            await self._create(record(self.name, name, PART, sequence, part))

    async def _create(self, body: Json) -> None:
        """A part; one that is there already is the same one, for its name says what is in it."""
        answer = await self._answer("create", body=body)
        if answer.status >= 300 and answer.status != 409:
            self._refused("create", answer)

    async def _is_ours(self, sequence: int, mark: str) -> bool:
        """Is it this very one, sent before, whose answer did not come?"""
        found = await self._commit(sequence)
        return found is not None and (found.writer, found.mark) == (self.writer, mark)

    async def read(self, sequence: int) -> bytes | None:
        """The text of a commit, or None if there is none."""
        found = await self._commit(sequence)
        return None if found is None else await self._text(found)

    async def _commit(self, sequence: int) -> Commit | None:
        found = await self._get(commit_name(self.name, sequence))
        return None if found is None else commit_of(found)

    async def _text(self, commit: Commit) -> bytes:
        if not commit.parts:
            return unpacked(commit.payload)
        names = [part_name(self.name, commit.sequence, commit.mark, number) for number in range(commit.parts)]
        return unpacked(await self._joined(names))

    async def _joined(self, names: list[str]) -> bytes:
        """Raises Moved if one of them is gone."""
        found = await asyncio.gather(*(self._get(name) for name in names))
        if any(each is None for each in found):
            raise Moved
        return b"".join(payload_of(each) for each in found if each is not None)

    async def tail(self, after: int) -> AsyncIterator[bytes]:
        """The text of every commit after that one, in order. Raises Moved if one is missing."""
        expected = after + 1
        async for found in self._listed(f"{JOURNAL_LABEL}={self.name},{ROLE_LABEL} in ({COMMIT},{GRANT})"):
            commit = commit_of(found)
            if commit.sequence < expected:
                continue
            if commit.sequence > expected:
                raise Moved
            yield await self._text(commit)
            expected += 1

    async def _listed(self, selector: str) -> AsyncIterator[Json]:
        """Page by page; names come in the order of etcd's keys, which is that of the numbers."""
        query = {"labelSelector": selector, "limit": str(PAGE)}
        while True:
            answer = await self._answer("list", query=query)
            if answer.status == 410:  # the list outlived what etcd remembers of the time when it began
                raise Moved
            if answer.status >= 300:
                self._refused("list", answer)
            page = document(answer, self._kube.cluster)
            for item in page.get("items") or ():
                yield item
            following = (page.get("metadata") or {}).get("continue")
            if not following:
                return
            query["continue"] = following

    # ---- the head and the image ------------------------------------------------------------------------------

    async def head(self, *, make: bool) -> Head | None:
        """The head, made if there is none and `make`."""
        found = await self._get(self.name)
        if found is None and make:
            await self._create(new_head(self.name))
            found = await self._get(self.name)
        return None if found is None else head_of(found)

    async def image(self, image: Image) -> bytes:
        """All that it holds. Raises Moved if it is there no more."""
        names = [image_name(self.name, image, number) for number in range(image.parts)]
        return unpacked(await self._joined(names))

    async def write_image(self, sequence: int, payload: bytes, head: Head) -> Head | None:
        """Make it the newest, and delete what it replaces. None if another process changed the head meanwhile."""
        parts = cut(payload)
        image = Image(sequence=sequence, mark=secrets.token_hex(4), parts=len(parts), size=len(payload))
        for number, part in enumerate(parts):
            name = image_name(self.name, image, number)
            await self._create(record(self.name, name, IMAGE, sequence, part, image=image.label))
        spec = {"sequence": sequence, "image": image_said(image), "swept": head.swept}
        body = {"metadata": {"resourceVersion": head.version}, "spec": spec}
        answer = await self._answer("patch", name=self.name, body=body)
        if answer.status == 409:
            return None
        if answer.status >= 300:
            self._refused("patch", answer)
        return await self._swept(head_of(document(answer, self._kube.cluster)), replaced=head.image)

    async def _swept(self, head: Head, *, replaced: Image | None) -> Head:
        """Delete what the head needs no more. What is missed now is deleted the next time.

        Everything that is named here lies before the image that the head says: whoever comes late with it harms nobody.
        """
        assert head.image is not None, "it was just written"
        segments = range(head.swept, head.image.sequence // SEGMENT)
        try:
            if replaced is not None:
                await self._delete(f"{IMAGE_LABEL}={replaced.label}")
            if segments:
                await self._delete(f"{ROLE_LABEL}!={GRANT},{SEGMENT_LABEL} in ({','.join(map(str, segments))})")
            older = [number - GRANT_SEGMENTS_KEPT for number in segments if number >= GRANT_SEGMENTS_KEPT]
            if older:
                await self._delete(f"{SEGMENT_LABEL} in ({','.join(map(str, older))})")
        except OutsideError as error:
            log.warning("what the journal needs no more is deleted later", reason=str(error))
            return head
        return Head(version=head.version, image=head.image, swept=segments.stop)

    async def _delete(self, selector: str) -> None:
        query = {"labelSelector": f"{JOURNAL_LABEL}={self.name},{selector}"}
        answer = await self._answer("deletecollection", query=query)
        if answer.status >= 300:
            self._refused("deletecollection", answer)

    # ---- calls -----------------------------------------------------------------------------------------------

    async def _get(self, name: str) -> Json | None:
        answer = await self._answer("get", name=name)
        if answer.status == 404 and not no_such_kind(answer):
            return None
        if answer.status >= 300:
            self._refused("get", answer)
        return document(answer, self._kube.cluster)

    async def _answer(
        self, verb: str, *, name: str | None = None, query: Mapping[str, str] | None = None, body: Json | None = None
    ) -> Answer:
        try:
            return await self._kube.answer(
                verb,
                RECORDS,
                namespace=self.namespace,
                name=name,
                query=query,
                body=body,
                timeout_seconds=CALL_SECONDS_MAX,
            )
        except OutsideError as error:
            raise Transient(f"the journal cannot be used now: {error}", code=STORE_UNAVAILABLE) from error

    def _refused(self, verb: str, answer: Answer) -> NoReturn:
        """Raises what the refusal means for a journal."""
        if answer.status == 404:
            said = message_of(answer)
            raise ConfigError(
                f"there is no room for a journal in the namespace {self.namespace} ({said}); make the namespace and "
                f"apply {MANIFEST}"
            )
        if answer.status == 403 and "quota" not in message_of(answer):
            raise ConfigError(f"{message_of(answer)}; grant it: {MANIFEST} holds the role that is needed")
        error = refusal(answer, f"{verb} {RECORDS.plural}", self._kube.cluster)
        raise Transient(f"the journal cannot be used now: {error}", code=STORE_UNAVAILABLE) from error


def no_such_kind(answer: Answer) -> bool:
    """Is it the kind itself that the server does not know, and not the object?"""
    details: Any = status_of(answer).get("details") or {}
    return not details.get("name")
