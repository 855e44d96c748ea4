"""How many pods a workload wants, and its restart, by order of the user's rules: each has one effect for one key.

A number that is fixed goes through the scale subresource alone, and is the same however often it is set. One that
depends on what there is must not be applied twice, so it is written together with a note of its key in one patch, which
holds only for the version that it was worked out from: either both stand there or neither does. A restart carries its
key in the pods' template, where changing it is what restarts.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from spotward.engine.ports import Clock
from spotward.http.values import Answer
from spotward.kube.client import Kube, message_of, refusal, status_of, wants_rights
from spotward.kube.reading import part, selector
from spotward.kube.resources import AUTOSCALERS, DAEMON_SETS, DEPLOYMENTS, STATEFUL_SETS, Resource
from spotward.model.cluster import Selector
from spotward.model.errors import OutsideError, Permanent, Transient

SCALED_NOTE = "spotward.io/scaled"
"""The annotation: a JSON list of the last changes of its size (`key`, `from`, `to`), the newest last."""

NOTES_MAX = 10
"""So many are kept."""

RESTARTED_NOTE = "spotward.io/restarted"
"""The annotation of the pods' template: the key of the last restart."""

RESTARTED_AT = "kubectl.kubernetes.io/restartedAt"
"""Where kubectl writes the time of one, for those who look there."""

TRIES_MAX = 10
"""How often a patch is made anew because somebody was quicker, as its controller is at times."""

KINDS: Mapping[str, Resource] = {each.kind: each for each in (DEPLOYMENTS, STATEFUL_SETS, DAEMON_SETS)}

Json = dict[str, Any]


@dataclass(frozen=True, kw_only=True, slots=True)
class Change:
    """From how many to how many."""

    before: int
    after: int
    repeated: bool = False


class Sizes:
    """What rules may do to workloads."""

    def __init__(self, kube: Kube, clock: Clock) -> None:
        self._kube, self._clock = kube, clock

    async def selector(self, kind: str, namespace: str, name: str) -> Selector:
        """Whom a workload selects as its pods. Raises OutsideError."""
        said = await self._seen(KINDS[kind], namespace, name)
        return selector(part(part(said, "spec"), "selector"))

    async def scale(
        self, kind: str, namespace: str, name: str, size: Callable[[int], int], *, key: str, exact: bool
    ) -> Change:
        """Set its size. Raises OutsideError; Permanent where an autoscaler sets it."""
        resource = KINDS[kind]
        for number in range(TRIES_MAX):
            said = await self._seen(resource, namespace, name)
            if number == 0:
                await self._check_autoscaler(kind, namespace, name)
            before, notes = _wanted(said), _notes(said)
            if not exact and (known := next((n for n in notes if n.get("key") == key), None)) is not None:
                return Change(before=int(known["from"]), after=int(known["to"]), repeated=True)
            after = size(before)
            if after == before:
                return Change(before=before, after=after)
            note = None if exact else [*notes, {"key": key, "from": before, "to": after}][-NOTES_MAX:]
            if await self._set(resource, said, after, note):
                return Change(before=before, after=after)
        raise _crowded(kind, namespace, name)

    async def restart(self, kind: str, namespace: str, name: str, *, key: str) -> bool:
        """Have its pods replaced. False: that was done for this key. Raises OutsideError."""
        resource = KINDS[kind]
        for _ in range(TRIES_MAX):
            said = await self._seen(resource, namespace, name)
            spec = part(said, "spec")
            if part(part(part(spec, "template"), "metadata"), "annotations").get(RESTARTED_NOTE) == key:
                return False
            if spec.get("paused"):
                raise Permanent(f"the {kind} {namespace}/{name} is paused; resume its rollout first", code="Paused")
            now = datetime.fromtimestamp(self._clock.now(), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
            template = {"metadata": {"annotations": {RESTARTED_NOTE: key, RESTARTED_AT: now}}}
            if await self._patched(resource, said, {"spec": {"template": template}}, subresource=None):
                return True
        raise _crowded(kind, namespace, name)

    async def _set(self, resource: Resource, said: Json, replicas: int, notes: list[Json] | None) -> bool:
        """False: somebody was quicker. With notes they are written in the same patch."""
        body: Json = {"spec": {"replicas": replicas}}
        if notes is None:
            return await self._patched(resource, said, body, subresource="scale")
        body["metadata"] = {"annotations": {SCALED_NOTE: json.dumps(notes, separators=(",", ":"))}}
        return await self._patched(resource, said, body, subresource=None)

    async def _patched(self, resource: Resource, said: Json, body: Json, *, subresource: str | None) -> bool:
        """One patch that holds only for what was seen. False: it is another by now."""
        known = part(said, "metadata")
        metadata = {**body.get("metadata", {}), "uid": known["uid"], "resourceVersion": known["resourceVersion"]}
        if subresource is not None:
            del metadata["uid"]  # the version alone is of that object, and a Scale's metadata cannot be patched
        answer = await self._kube.answer(
            "patch",
            resource,
            namespace=known["namespace"],
            name=known["name"],
            subresource=subresource,
            body={**body, "metadata": metadata},
        )
        if answer.status == 409:
            return False
        if answer.status >= 300:
            raise self._refused(answer, f"patch {resource.plural}" + (f"/{subresource}" if subresource else ""))
        return True

    async def _seen(self, resource: Resource, namespace: str, name: str) -> Json:
        answer = await self._kube.answer("get", resource, namespace=namespace, name=name)
        if answer.status == 404:
            raise Permanent(f"there is no {resource.kind} {namespace}/{name}", code="NotFound")
        if answer.status >= 300:
            raise self._refused(answer, f"get {resource.plural}")
        return status_of(answer)

    def _refused(self, answer: Answer, call: str) -> OutsideError:
        if wants_rights(answer):
            words = f"{call}: {message_of(answer)}; deploy/plugin-kubernetes.yaml has the rights that steps need"
            return Permanent(words, code="Forbidden")
        return refusal(answer, call, self._kube.cluster)

    async def _check_autoscaler(self, kind: str, namespace: str, name: str) -> None:
        """Two who set one number would do so in turns for ever."""
        listed = await self._kube.json("list", AUTOSCALERS, namespace=namespace)
        for item in listed.get("items") or ():
            target = part(part(item, "spec"), "scaleTargetRef")
            if (target.get("kind"), target.get("name")) == (kind, name):
                autoscaler = part(item, "metadata").get("name", "")
                words = f"the HorizontalPodAutoscaler {namespace}/{autoscaler} sets the size of the {kind} {name}"
                raise Permanent(f"{words}; change its bounds instead", code="Autoscaled")


def _wanted(said: Json) -> int:
    """Without a number it wants one pod."""
    replicas = part(said, "spec").get("replicas")
    return 1 if replicas is None else int(replicas)


def _notes(said: Json) -> list[Json]:
    """A note that cannot be read says nothing."""
    try:
        notes = json.loads(part(part(said, "metadata"), "annotations").get(SCALED_NOTE, "[]"))
        return [note for note in notes if {"key", "from", "to"} <= note.keys()]
    except (ValueError, AttributeError, TypeError):
        return []


def _crowded(kind: str, namespace: str, name: str) -> Transient:
    return Transient(f"the {kind} {namespace}/{name} is changed by others all the time", code="Conflict")
