"""Deployments: how one stands, and its number of pods, set and put back.

The number is written through the scale subresource alone, so the right to do it is not the right to change what runs.
Who set it last the API server knows: it notes the owner of every field (`metadata.managedFields`), and takes the note
away from us as soon as anybody else sets another number. So an order that is repeated after a crash finds its own work
done, and nothing is put back that is not ours any more, without a mark of ours on the Deployment.
"""

from typing import Any

from spotward.kube.client import FIELD_MANAGER, Kube, refusal, status_of
from spotward.kube.reading import part
from spotward.kube.resources import AUTOSCALERS, DEPLOYMENTS
from spotward.model.errors import Permanent, Transient
from spotward.model.workload import Workload

TRIES_MAX = 5
"""How often a number is set anew because somebody wrote the Deployment meanwhile, as its controller does at times."""

Json = dict[str, Any]


class WorkloadHands:
    """What we may do to Deployments."""

    def __init__(self, kube: Kube) -> None:
        self._kube = kube

    async def look(self, namespace: str, name: str, *, autoscaler: bool = False) -> Workload | None:
        """The Deployment as it is now; None if there is none. Raises OutsideError."""
        said = await self._said(namespace, name)
        if said is None:
            return None
        return workload_of(said, await self._autoscaler(namespace, name) if autoscaler else "")

    async def scale(self, namespace: str, name: str, uid: str, *, before: int, replicas: int) -> None:
        """Set the number from the one that is known to another. Raises OutsideError, Permanent where a number is to be
        raised that is not what it was.

        A number that is there already, by us, is not set again. One that is to be put back and is not ours any more is
        left as it is, and so is a Deployment that is gone.
        """
        for _ in range(TRIES_MAX):
            said = await self._said(namespace, name)
            seen = workload_of(said) if said is not None else None
            if said is None or seen is None or seen.uid != uid:
                if replicas < before:
                    return
                raise Permanent(f"the Deployment {namespace}/{name} is gone, or another by now", code="NotFound")
            if seen.replicas == replicas and (seen.ours or replicas < before):
                return
            if replicas < before and not (seen.ours and seen.replicas == before):
                return
            if seen.replicas != before:
                words = f"the Deployment {namespace}/{name} wants {seen.replicas} pods by now, and not {before}"
                raise Permanent(words, code="Changed")
            if await self._set(namespace, name, replicas, version=said["metadata"]["resourceVersion"]):
                return
        raise Transient(f"the Deployment {namespace}/{name} is changed by others all the time", code="Conflict")

    async def _set(self, namespace: str, name: str, replicas: int, *, version: str) -> bool:
        """False: somebody was quicker."""
        body = {"metadata": {"resourceVersion": version}, "spec": {"replicas": replicas}}
        answer = await self._kube.answer(
            "patch", DEPLOYMENTS, namespace=namespace, name=name, subresource="scale", body=body
        )
        if answer.status == 409:
            return False
        if answer.status >= 300:
            raise refusal(answer, "patch deployments/scale", self._kube.cluster)
        return True

    async def _said(self, namespace: str, name: str) -> Json | None:
        answer = await self._kube.answer("get", DEPLOYMENTS, namespace=namespace, name=name)
        if answer.status == 404:
            return None
        if answer.status >= 300:
            raise refusal(answer, "get deployments", self._kube.cluster)
        return status_of(answer)

    async def _autoscaler(self, namespace: str, name: str) -> str:
        """Words for whoever sets its size by itself; empty if nobody does. Raises OutsideError."""
        listed = await self._kube.json("list", AUTOSCALERS, namespace=namespace)
        for item in listed.get("items") or ():
            target = part(part(item, "spec"), "scaleTargetRef")
            if (target.get("kind"), target.get("name")) == (DEPLOYMENTS.kind, name):
                return f"the HorizontalPodAutoscaler {part(item, 'metadata').get('name', '')}"
        return ""


def workload_of(said: Json, autoscaler: str = "") -> Workload:
    """A Deployment as the API has it. Without a number it wants one pod."""
    with_meta, spec, status = part(said, "metadata"), part(said, "spec"), part(said, "status")
    return Workload(
        namespace=str(with_meta.get("namespace", "")),
        name=str(with_meta.get("name", "")),
        uid=str(with_meta.get("uid", "")),
        replicas=1 if spec.get("replicas") is None else int(spec["replicas"]),
        available=int(status.get("availableReplicas") or 0),
        settled=int(status.get("observedGeneration") or 0) >= int(with_meta.get("generation") or 0),
        ours=any(sets_number(entry) for entry in with_meta.get("managedFields") or ()),
        autoscaler=autoscaler,
    )


def sets_number(entry: Json) -> bool:
    """Is it the note that the number of pods was set by us, by the only way that we take?"""
    ours = entry.get("manager") == FIELD_MANAGER and entry.get("subresource") == "scale"
    return ours and "f:replicas" in part(part(entry, "fieldsV1"), "f:spec")
