"""Asking pods to go: eviction, deletion, and what each answer means.

A pod is always named by its uid (`preconditions.uid`), so a pod that was made again under the same name is never hit by
a request that was meant for the one before it, and every request can be sent twice.

Two things that the server's own words do not tell apart are told apart here. A 409 may mean that the uid does not fit
(the pod was made again) or that somebody changed the pod at that moment: one look decides. And 429 may come from a
disruption budget, which is about this pod, or from the server's fairness, which is about us; only the first has a cause
`DisruptionBudget`.
"""

import re
from typing import Any

from spotward.http.values import Answer
from spotward.kube.answers import (
    BlockedByBudget,
    BudgetTrouble,
    Contended,
    EvictionAnswer,
    Forbidden,
    Leaving,
    NamespaceTerminating,
    PodGone,
    RateLimited,
    TooManyBudgets,
    Unanswered,
)
from spotward.kube.client import (
    PAUSE_SECONDS_DEFAULT,
    Kube,
    causes_of,
    message_of,
    refusal,
    retry_after_seconds,
    status_of,
)
from spotward.kube.reading import claim, read
from spotward.kube.resources import CLAIMS, PODS
from spotward.model.cluster import Claim
from spotward.model.errors import OutsideError, Transient
from spotward.model.node_action import PodOrder

EVICT_SECONDS_MAX = 20.0
"""How long one eviction may take: the server itself tries for ten seconds when others change the same budget, and as
long when the uid of a pending or finished pod does not fit."""

_BUDGET_NAME = re.compile(r"disruption budget (\S+)")


class PodHands:
    """What we may do to pods."""

    def __init__(self, kube: Kube) -> None:
        self._kube = kube

    async def evict(self, pod: PodOrder, *, dry_run: bool = False) -> EvictionAnswer:
        """Ask it to go, if the budgets over it allow. The order's grace takes the place of the pod's own, but is never
        below a second: 0 would remove the pod without waiting for its end. A dry run asks the budgets and changes
        nothing.
        """
        body = {
            "apiVersion": "policy/v1",
            "kind": "Eviction",
            "metadata": {"name": pod.name, "namespace": pod.namespace},
            "deleteOptions": delete_options(pod),
        }
        return await self._asked(pod, "create", "eviction", body, dry_run=dry_run)

    async def delete(self, pod: PodOrder) -> EvictionAnswer:
        """Tell it to go, whatever the budgets say. For a pod that is leaving already, a shorter grace cuts short what
        is left of it, and a longer one changes nothing.
        """
        return await self._asked(pod, "delete", None, delete_options(pod))

    async def remove(self, pod: PodOrder) -> EvictionAnswer:
        """Take it off the list at once, without waiting for anybody. Right only for a pod whose machine is known to be
        off for good: anywhere else its processes go on, and a second of its kind may start beside them.
        """
        return await self._asked(pod, "delete", None, {**delete_options(pod), "gracePeriodSeconds": 0})

    async def claim(self, namespace: str, name: str) -> Claim | None:
        """A volume claim; None if it is gone. Raises OutsideError."""
        answer = await self._kube.answer("get", CLAIMS, namespace=namespace, name=name)
        if answer.status == 404:
            return None
        if answer.status >= 300:
            raise refusal(answer, "get persistentvolumeclaims", self._kube.cluster)
        return read(claim, status_of(answer))

    # ---- asking ----------------------------------------------------------------------------------------------

    async def _asked(
        self, pod: PodOrder, verb: str, subresource: str | None, body: dict[str, Any], *, dry_run: bool = False
    ) -> EvictionAnswer:
        try:
            answer = await self._kube.answer(
                verb,
                PODS,
                namespace=pod.namespace,
                name=pod.name,
                subresource=subresource,
                query={"dryRun": "All"} if dry_run else None,
                body=body,
                timeout_seconds=EVICT_SECONDS_MAX,
            )
            return await self._still(pod, answer) if answer.status == 409 else meaning(answer)
        except OutsideError as error:
            return Unanswered(
                reason=str(error),
                retry_after_seconds=error.retry_after_seconds if isinstance(error, Transient) else 0.0,
            )

    async def _still(self, pod: PodOrder, refused: Answer) -> EvictionAnswer:
        """Is it the same pod that others changed meanwhile, or another one by now? Raises OutsideError."""
        seen = await self._kube.answer("get", PODS, namespace=pod.namespace, name=pod.name)
        if seen.status == 404 or (seen.status == 200 and status_of(seen)["metadata"]["uid"] != pod.uid):
            return PodGone()
        return Contended(reason=message_of(refused))


def delete_options(pod: PodOrder) -> dict[str, Any]:
    """Whom we mean, and how long it may take."""
    options: dict[str, Any] = {"apiVersion": "v1", "kind": "DeleteOptions", "preconditions": {"uid": pod.uid}}
    if pod.grace_seconds is not None:
        options["gracePeriodSeconds"] = max(1, pod.grace_seconds)
    return options


# ---- what an answer means ------------------------------------------------------------------------------------


def meaning(answer: Answer) -> EvictionAnswer:
    """The answer to an eviction or a deletion, in our words; all but 409, which takes another look."""
    match answer.status:
        case 200 | 201 | 202:
            return Leaving()
        case 404 | 410:
            return PodGone()
        case 403:
            return forbidden(answer)
        case 429:
            return too_many(answer)
        case 500 if "more than one PodDisruptionBudget" in message_of(answer):
            return TooManyBudgets(reason=message_of(answer))
        case 504 if status_of(answer).get("reason") == "Timeout":
            return Contended(reason=message_of(answer), retry_after_seconds=retry_after_seconds(answer))
        case 500 | 502 | 503 | 504 | 401 | 408:
            return Unanswered(reason=message_of(answer), retry_after_seconds=retry_after_seconds(answer))
        case _:
            return Forbidden(reason=message_of(answer))


def forbidden(answer: Answer) -> EvictionAnswer:
    """Three kinds of no share the status 403; the kind of thing that is forbidden tells which it is."""
    status = status_of(answer)
    if any(cause.get("reason") == "NamespaceTerminating" for cause in causes_of(status)):
        return NamespaceTerminating()
    if (status.get("details") or {}).get("kind") == "poddisruptionbudget":
        return BudgetTrouble(reason=message_of(answer))
    return Forbidden(reason=f"{message_of(answer)}; our rights are those of deploy/clusterrole.yaml")


def too_many(answer: Answer) -> EvictionAnswer:
    """A budget, or the server's fairness."""
    for cause in causes_of(status_of(answer)):
        if cause.get("reason") == "DisruptionBudget":
            said = str(cause.get("message") or message_of(answer))
            named = _BUDGET_NAME.search(said)
            return BlockedByBudget(
                budget=named[1] if named else "",
                reason=said,
                retry_after_seconds=retry_after_seconds(answer),
                never="failed sync" in said,
            )
    return RateLimited(retry_after_seconds=retry_after_seconds(answer) or PAUSE_SECONDS_DEFAULT)
