"""What an answer to an eviction means: the table, with bodies as API servers write them."""

import asyncio
import json
from typing import Any

import pytest

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
    told,
)
from spotward.kube.pods import PodHands, meaning
from spotward.model.node_action import PodOrder
from spotward.model.node_event import PodResult
from tests.kube.scripted import Visit, always, served, status_body

POD = PodOrder(namespace="shop", name="web-1", uid="u-1")
BUDGET_MESSAGE = "Cannot evict pod as it would violate the pod's disruption budget."


def answer(status: int, body: Any = b"", **headers: str) -> Answer:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    return Answer(status=status, headers={k.replace("_", "-"): v for k, v in headers.items()}, body=content)


def budget_cause(message: str) -> dict[str, str]:
    return {"reason": "DisruptionBudget", "message": message}


@pytest.mark.parametrize(
    ("said", "kind", "result"),
    [
        (answer(201, {"kind": "Status", "status": "Success"}), Leaving, PodResult.ACCEPTED),
        (answer(200, {"kind": "Pod"}), Leaving, PodResult.ACCEPTED),
        (answer(404, status_body("NotFound", 'pods "web-1" not found')), PodGone, PodResult.GONE),
        (
            answer(429, status_body("TooManyRequests", BUDGET_MESSAGE, causes=[budget_cause("needs 2 and has 2")])),
            BlockedByBudget,
            PodResult.BLOCKED,
        ),
        (
            answer(
                429,
                status_body(
                    "TooManyRequests",
                    BUDGET_MESSAGE,
                    causes=[budget_cause("The disruption budget web is still being processed by the server.")],
                    retryAfterSeconds=10,
                ),
            ),
            BlockedByBudget,
            PodResult.BUSY,
        ),
        (answer(429, b"Too many requests, please try again later.", retry_after="1"), RateLimited, PodResult.BUSY),
        (
            answer(500, status_body("", "This pod has more than one PodDisruptionBudget, which the eviction ...")),
            TooManyBudgets,
            PodResult.TWO_BUDGETS,
        ),
        (
            answer(403, status_body("Forbidden", "being terminated", causes=[{"reason": "NamespaceTerminating"}])),
            NamespaceTerminating,
            PodResult.REFUSED,
        ),
        (
            answer(403, status_body("Forbidden", "pdb disruptions allowed is negative", kind="poddisruptionbudget")),
            BudgetTrouble,
            PodResult.BUSY,
        ),
        (answer(403, status_body("Forbidden", "cannot create", kind="pods")), Forbidden, PodResult.REFUSED),
        (answer(422, status_body("Invalid", "admission policy says no")), Forbidden, PodResult.REFUSED),
        (
            answer(504, status_body("Timeout", "couldn't update PodDisruptionBudget", retryAfterSeconds=10)),
            Contended,
            PodResult.BUSY,
        ),
        (answer(504, b"<html>gateway</html>"), Unanswered, PodResult.FAILED),
        (answer(503, status_body("ServiceUnavailable", "starting")), Unanswered, PodResult.FAILED),
        (answer(500, status_body("InternalError", "failed calling webhook")), Unanswered, PodResult.FAILED),
    ],
)
def test_each_answer_has_its_meaning(said: Answer, kind: type[EvictionAnswer], result: PodResult) -> None:
    meant = meaning(said)
    assert isinstance(meant, kind)
    assert told("u-1", meant).result is result
    assert told("u-1", meant).uid == "u-1"


def test_when_to_ask_again_is_told_from_the_body_and_from_the_header() -> None:
    contended = meaning(answer(504, status_body("Timeout", "conflicts", retryAfterSeconds=10)))
    assert told("u", contended).retry_after_seconds == 10.0
    assert meaning(answer(429, b"slow down", retry_after="7")) == RateLimited(retry_after_seconds=7.0)
    assert meaning(answer(429, b"slow down", retry_after="Wed, 21 Oct 2026 07:28:00 GMT")) == RateLimited(
        retry_after_seconds=1.0
    )


def test_the_budget_is_named() -> None:
    cause = budget_cause("The disruption budget web-budget needs 2 healthy pods and has 2 currently")
    meant = meaning(answer(429, status_body("TooManyRequests", BUDGET_MESSAGE, causes=[cause])))
    assert isinstance(meant, BlockedByBudget)
    assert meant.budget == "web-budget"


@pytest.mark.parametrize(
    ("seen", "meant"),
    [
        ((200, {"metadata": {"uid": "u-1"}}), Contended),
        ((200, {"metadata": {"uid": "u-2"}}), PodGone),
        ((404, status_body("NotFound", "gone")), PodGone),
    ],
)
def test_a_conflict_is_settled_by_one_look(seen: tuple[int, Any], meant: type[EvictionAnswer]) -> None:
    async def script(visit: Visit) -> None:
        while True:
            method, *_ = await visit.request()
            if method == "POST":
                await visit.say(409, status_body("Conflict", "the object has been modified"))
            else:
                await visit.say(*seen)

    async def play() -> EvictionAnswer:
        async with served(script) as server:
            return await PodHands(server.kube()).evict(POD)

    assert isinstance(asyncio.run(play()), meant)


def test_an_eviction_names_the_uid_the_grace_and_who_asks() -> None:
    asked: list[tuple[str, str, dict[str, Any]]] = []

    async def script(visit: Visit) -> None:
        while True:
            method, target, _, body = await visit.request()
            asked.append((method, target, json.loads(body)))
            await visit.say(201, {"kind": "Status"})

    async def play() -> None:
        async with served(script) as server:
            hands = PodHands(server.kube())
            await hands.evict(PodOrder(namespace="shop", name="web-1", uid="u-1", grace_seconds=5))
            await hands.delete(PodOrder(namespace="shop", name="web-1", uid="u-1"))

    asyncio.run(play())
    (evict_method, evict_target, eviction), (delete_method, delete_target, deletion) = asked
    assert (evict_method, evict_target) == ("POST", "/api/v1/namespaces/shop/pods/web-1/eviction?fieldManager=spotward")
    assert eviction["apiVersion"] == "policy/v1"
    assert eviction["deleteOptions"]["preconditions"] == {"uid": "u-1"}
    assert eviction["deleteOptions"]["gracePeriodSeconds"] == 5
    assert (delete_method, delete_target) == ("DELETE", "/api/v1/namespaces/shop/pods/web-1")
    assert deletion["preconditions"] == {"uid": "u-1"}
    assert "gracePeriodSeconds" not in deletion


def test_a_server_that_fails_leaves_the_question_open() -> None:
    async def play() -> EvictionAnswer:
        async with served(always(503, b"no")) as server:
            return await PodHands(server.kube()).evict(POD)

    assert isinstance(asyncio.run(play()), Unanswered)
