"""What the API server may answer when a pod is asked to go.

An eviction is a request, not a deed: most of its answers are neither success nor failure but news about somebody's
budget. Each that asks for another next step is a value of its own; `told` says it in the words of `model.node_event`.

Source: `pkg/registry/core/pod/storage/eviction.go` of Kubernetes 1.36, and answers of a running server.
"""

from dataclasses import dataclass

from spotward.model.node_event import PodAnswer, PodResult


@dataclass(frozen=True, kw_only=True, slots=True)
class Leaving:
    """Accepted: the pod was told to stop, and is gone when its grace is over and its finalizers have let go."""


@dataclass(frozen=True, kw_only=True, slots=True)
class PodGone:
    """There is no such pod any more; a pod of that name, if there is one, is another (its uid differs)."""


@dataclass(frozen=True, kw_only=True, slots=True)
class BlockedByBudget:
    """A budget has nothing left to give. Waking on a change of the budget is better than asking again."""

    budget: str
    """The budget's name; empty if the server did not say."""
    reason: str
    """The server's own sentence: how many healthy pods it needs, and how many there are."""
    retry_after_seconds: float = 0.0
    """Above 0: its controller has not caught up with a change, so the answer may soon be another."""
    never: bool = False
    """Its controller cannot work it out (a pod without a controller, say): only a person can change that."""


@dataclass(frozen=True, kw_only=True, slots=True)
class TooManyBudgets:
    """More than one budget covers the pod: the eviction API never lets it go. Only a person, or a delete, helps."""

    reason: str


@dataclass(frozen=True, kw_only=True, slots=True)
class RateLimited:
    """The server has too much to do. It says nothing about the pod, and everything is to be asked more slowly."""

    retry_after_seconds: float


@dataclass(frozen=True, kw_only=True, slots=True)
class NamespaceTerminating:
    """Its namespace is being deleted, and it with it: there is nothing to do but wait."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Contended:
    """Others changed the pod or its budget at the same moment, again and again. Nothing was done; ask again."""

    reason: str
    retry_after_seconds: float = 0.0


@dataclass(frozen=True, kw_only=True, slots=True)
class BudgetTrouble:
    """A budget's bookkeeping is out of order (a negative allowance; thousands of evictions that its controller has not
    seen). It rights itself when the controller catches up; ask again, and tell a person.
    """

    reason: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Forbidden:
    """Somebody's rule says no: our rights do not reach, or an admission webhook refused. Asking again cannot help."""

    reason: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Unanswered:
    """The server could not be reached, or failed. Whether the pod was told to stop is not known: look, or ask again,
    which is safe, because the pod is named by its uid.
    """

    reason: str
    retry_after_seconds: float = 0.0


EvictionAnswer = (
    Leaving
    | PodGone
    | BlockedByBudget
    | TooManyBudgets
    | RateLimited
    | NamespaceTerminating
    | Contended
    | BudgetTrouble
    | Forbidden
    | Unanswered
)
"""What came of asking. A delete has no budget to ask, so of these it gives Leaving, PodGone, RateLimited, Contended,
Forbidden and Unanswered alone."""


def told(uid: str, answer: EvictionAnswer) -> PodAnswer:
    """The answer about one pod, for whoever decides."""
    match answer:
        case Leaving():
            return PodAnswer(uid=uid, result=PodResult.ACCEPTED)
        case PodGone():
            return PodAnswer(uid=uid, result=PodResult.GONE)
        case BlockedByBudget(retry_after_seconds=0.0):
            return PodAnswer(uid=uid, result=PodResult.BLOCKED, reason=answer.reason)
        case TooManyBudgets():
            return PodAnswer(uid=uid, result=PodResult.TWO_BUDGETS, reason=answer.reason)
        case NamespaceTerminating():
            return PodAnswer(uid=uid, result=PodResult.REFUSED, reason="its namespace is being deleted, and it with it")
        case Forbidden():
            return PodAnswer(uid=uid, result=PodResult.REFUSED, reason=answer.reason)
        case BudgetTrouble():
            return PodAnswer(uid=uid, result=PodResult.BUSY, reason=answer.reason)
        case RateLimited():
            reason = "the API server has too much to do"
            return PodAnswer(
                uid=uid, result=PodResult.BUSY, reason=reason, retry_after_seconds=answer.retry_after_seconds
            )
        case BlockedByBudget() | Contended():
            busy, wait = answer.reason, answer.retry_after_seconds
            return PodAnswer(uid=uid, result=PodResult.BUSY, reason=busy, retry_after_seconds=wait)
        case Unanswered():
            failed, wait = answer.reason, answer.retry_after_seconds
            return PodAnswer(uid=uid, result=PodResult.FAILED, reason=failed, retry_after_seconds=wait)
