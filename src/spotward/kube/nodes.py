"""What we set on nodes, and take back: cordon, taints, labels, in one patch, with a note of what is ours.

A node belongs to many: the scheduler, the kubelet, controllers, people. So nothing is ever written whole, and what was
there before us stays when we go. The note is an annotation on the node itself (`spotward.io/set`), written in the same
patch as the things it speaks of. Whoever repeats an order after a crash reads there what the first try had set, and
does not take it for somebody else's; and an owner who removes Spotward can see what to take back.

The list of taints is one field to the API, without a way to add one entry to it. So a patch that touches it names the
version that it was made from (`metadata.resourceVersion`); if somebody was quicker, the server refuses it (409), and we
look again.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from spotward.kube.client import Kube, refusal
from spotward.kube.reading import node as node_reader
from spotward.kube.reading import read
from spotward.kube.reading import taint as taint_reader
from spotward.kube.resources import NODES
from spotward.model.cluster import OUT_OF_SERVICE_TAINT, Node, Taint
from spotward.model.errors import Permanent, Transient

NOTE = "spotward.io/set"
"""The annotation: a JSON object of what we set (`cordoned`, `taints`, `labels`)."""

RULES_NOTE = "spotward.io/set-by-rules"
"""The same, of what steps of the user's rules have set: an incident that ends does not take that back."""

TRIES_MAX = 20
"""How often a patch is made anew because somebody was quicker. A kubelet writes a node's status every few seconds, and
other controllers when a node begins and ends; two tries are the rule, and twenty take a fifth of a second."""

OUT_OF_SERVICE = Taint(key=OUT_OF_SERVICE_TAINT, value="nodeshutdown", effect="NoExecute")

Patch = dict[str, Any]


@dataclass(frozen=True, kw_only=True, slots=True)
class Marks:
    """Things on a node that keep pods, or traffic, away from it."""

    cordoned: bool = False
    taints: tuple[Taint, ...] = ()
    labels: tuple[tuple[str, str], ...] = ()

    @property
    def empty(self) -> bool:
        """Nothing at all."""
        return not (self.cordoned or self.taints or self.labels)

    def __or__(self, other: "Marks") -> "Marks":
        """These and those."""
        taints = {(t.key, t.effect): t for t in (*self.taints, *other.taints)}
        return Marks(
            cordoned=self.cordoned or other.cordoned,
            taints=tuple(taints.values()),
            labels=tuple(sorted({**dict(self.labels), **dict(other.labels)}.items())),
        )

    def without(self, other: "Marks") -> "Marks":
        """These but for those."""
        return Marks(
            cordoned=self.cordoned and not other.cordoned,
            taints=tuple(taint for taint in self.taints if taint not in other.taints),
            labels=tuple(label for label in self.labels if label not in other.labels),
        )

    def within(self, other: "Marks") -> "Marks":
        """Those of these that are in the other."""
        return self.without(self.without(other))


class NodeHands:
    """What we may do to nodes."""

    def __init__(self, kube: Kube, seen: Callable[[str], Node | None] = lambda _: None, *, note: str = NOTE) -> None:
        """`seen` tells how a node was last seen, if anybody follows it: that saves the look before the patch. note:
        the annotation that says what was set by these hands.
        """
        self._kube, self._seen, self._note = kube, seen, note

    async def look(self, name: str) -> Node:
        """The node as it is now. Raises OutsideError; `NotFound` if there is none."""
        return read(node_reader, await self._kube.json("get", NODES, name=name))

    async def mark(self, name: str, uid: str, marks: Marks) -> Marks:
        """Set what is not there yet. Gives what of it is ours: set now, or by an earlier try of ours.

        Where a rule of the cluster forbids our taints or labels, the node is cordoned all the same. Raises
        OutsideError; `NotFound` if the node is gone, or is another by now.
        """
        try:
            node = await self._change(name, uid, lambda node: marking(node, marks, self._note))
        except Permanent as error:
            if error.code not in {"Forbidden", "Invalid"} or not marks.cordoned or marks == Marks(cordoned=True):
                raise
            node = await self._change(name, uid, lambda node: marking(node, Marks(cordoned=True), self._note))
        return noted(node, self._note).within(marks)

    async def unmark(self, name: str, uid: str, marks: Marks) -> None:
        """Take back exactly these, where they are still as we set them. Raises OutsideError."""
        await self._change(name, uid, lambda node: unmarking(node, marks, self._note))

    async def mark_out_of_service(self, name: str, uid: str) -> None:
        """Say that the machine is off for good: pods are removed, volumes detached, at once. Never true of a machine
        that may still run: its pods would write to volumes that others have by then. Raises OutsideError.
        """
        await self.mark(name, uid, Marks(taints=(OUT_OF_SERVICE,)))

    async def unmark_out_of_service(self, name: str, uid: str) -> None:
        """The machine is on again. Raises OutsideError."""
        await self.unmark(name, uid, Marks(taints=(OUT_OF_SERVICE,)))

    async def delete(self, name: str, uid: str) -> None:
        """Delete the node object of a machine that is no more. If it is gone, or another has its name by now, there is
        nothing to do. Raises OutsideError.
        """
        body = {"apiVersion": "v1", "kind": "DeleteOptions", "preconditions": {"uid": uid}}
        answer = await self._kube.answer("delete", NODES, name=name, body=body)
        if answer.status >= 300 and answer.status not in {404, 409}:
            raise refusal(answer, "delete nodes", self._kube.cluster)

    async def _change(self, name: str, uid: str, patch_for: Callable[[Node], Patch | None]) -> Node:
        """Patch what was last seen; if somebody was quicker, look and patch again. Gives the node after that."""
        node = self._seen(name)
        if node is None or node.uid != uid:
            node = await self._same(name, uid)
        for _ in range(TRIES_MAX):
            patch = patch_for(node)
            if patch is None:
                return node
            try:
                return read(node_reader, await self._kube.json("patch", NODES, name=name, body=patch))
            except Transient as error:
                if error.code != "Conflict":
                    raise
            node = await self._same(name, uid)
        raise Transient(f"node {name} is changed by others all the time; a later try may fit in", code="Conflict")

    async def _same(self, name: str, uid: str) -> Node:
        node = await self.look(name)
        if node.uid != uid:
            raise Permanent(f"node {name} is another machine by now; leave it", code="NotFound")
        return node


# ---- patches -------------------------------------------------------------------------------------------------


def marking(node: Node, marks: Marks, note: str = NOTE) -> Patch | None:
    """What sets those of the marks that are missing; None if none is."""
    own = noted(node, note)
    own_labels = dict(own.labels)
    held = {(taint.key, taint.effect): taint for taint in node.taints}
    new = Marks(
        cordoned=marks.cordoned and not node.unschedulable,
        taints=tuple(t for t in marks.taints if addable(held.get((t.key, t.effect)), t, own)),
        labels=tuple((key, value) for key, value in marks.labels if _settable(node, key, value, own_labels)),
    )
    if new.empty:
        return None
    patch = patch_of(node, own | new, note)
    if new.cordoned:
        patch["spec"]["unschedulable"] = True
    if new.taints:
        put = {(taint.key, taint.effect) for taint in new.taints}
        staying = [taint for taint in node.taints if (taint.key, taint.effect) not in put]
        patch["spec"]["taints"] = [written(taint) for taint in (*staying, *new.taints)]
    if new.labels:
        patch["metadata"]["labels"] = dict(new.labels)
    return patch


def addable(there: Taint | None, wanted: Taint, own: Marks) -> bool:
    """Is it missing, or there with an older value of ours? A node has one taint of each key and effect."""
    return there is None or (there != wanted and there in own.taints)


def _settable(node: Node, key: str, value: str, own: Mapping[str, str]) -> bool:
    """Is it missing, or there with an older value of ours?"""
    return key not in node.labels or (key in own and node.labels[key] != value)


def unmarking(node: Node, marks: Marks, note: str = NOTE) -> Patch | None:
    """What takes back those of the marks that are there as we set them; None if there is nothing to change."""
    own = noted(node, note)
    going = Marks(
        cordoned=marks.cordoned and node.unschedulable,
        taints=tuple(taint for taint in marks.taints if taint in node.taints),
        labels=tuple((key, value) for key, value in marks.labels if node.labels.get(key) == value),
    )
    if going.empty and note_text(own.without(marks)) == node.annotations.get(note):
        return None
    patch = patch_of(node, own.without(marks), note)
    if going.cordoned:
        patch["spec"]["unschedulable"] = None
    if going.taints:
        patch["spec"]["taints"] = [written(taint) for taint in node.taints if taint not in going.taints]
    if going.labels:
        patch["metadata"]["labels"] = dict.fromkeys(key for key, _ in going.labels)
    return patch


def patch_of(node: Node, own: Marks, note: str = NOTE) -> Patch:
    """A merge patch that holds only for this node as it was seen, and says what of it is ours from then on."""
    return {
        "metadata": {"uid": node.uid, "resourceVersion": node.version, "annotations": {note: note_text(own)}},
        "spec": {},
    }


def written(taint: Taint) -> dict[str, str]:
    """A taint as the API has it."""
    said = {"key": taint.key, "effect": taint.effect}
    if taint.value:
        said["value"] = taint.value
    if taint.added_time is not None:
        said["timeAdded"] = datetime.fromtimestamp(taint.added_time, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return said


# ---- the note ------------------------------------------------------------------------------------------------


def note_text(own: Marks) -> str | None:
    """What of a node is ours, as the annotation holds it; None, which takes it away, if nothing is."""
    if own.empty:
        return None
    said = {
        "cordoned": own.cordoned,
        "labels": dict(own.labels),
        "taints": [written(replace(taint, added_time=None)) for taint in own.taints],
    }
    return json.dumps(said, separators=(",", ":"), sort_keys=True)


def noted(node: Node, note: str = NOTE) -> Marks:
    """What of a node is ours by its note, and still there. A note that cannot be read claims nothing."""
    try:
        said = json.loads(node.annotations.get(note, "{}"))
        own = Marks(
            cordoned=bool(said.get("cordoned")),
            taints=tuple(taint_reader(item) for item in said.get("taints") or ()),
            labels=tuple(sorted((said.get("labels") or {}).items())),
        )
    except (ValueError, AttributeError, TypeError):
        return Marks()
    return Marks(
        cordoned=own.cordoned and node.unschedulable,
        taints=tuple(each for each in own.taints if each in node.taints),
        labels=tuple((key, value) for key, value in own.labels if node.labels.get(key) == value),
    )
