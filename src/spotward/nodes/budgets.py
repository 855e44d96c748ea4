"""Disruption budgets that will never let a pod go, however long it waits, and why, in words.

A budget says how many of its pods may be missing. Some can never open while the node is there: those that allow none to
be missing, those that need as many as there are (one replica with `minAvailable: 1`), and two over one pod, where the
API server refuses every eviction. When all replicas stand on nodes that go, a budget does open, but only as fast as
replicas come up elsewhere. Knowing that saves asking in vain, and tells the owner what to change.
"""

from collections.abc import Sequence

from spotward.model.cluster import Budget, Pod
from spotward.model.units import listed
from spotward.nodes.scene import Scene

NONE_MISSING = frozenset({"0", "0%"})
ALL = "100%"


def why_never(pod: Pod, budgets: Sequence[Budget]) -> str | None:
    """Why no eviction of the pod will be accepted as things are; None if one may be."""
    if pod.passes_budgets:
        return None
    if len(budgets) > 1:
        return (
            f"{len(budgets)} budgets cover it ({listed(b.id for b in budgets)}): the API server refuses every eviction"
        )
    for budget in budgets:
        if budget.lets_go(pod):
            return None
        if budget.max_unavailable in NONE_MISSING:
            return f"its budget {budget.id} allows none to be missing (maxUnavailable {budget.max_unavailable})"
        if _needs_all(budget):
            count = "its only replica" if budget.expected_pods == 1 else f"all {budget.expected_pods} replicas"
            return f"its budget {budget.id} needs {count}"
    return None


def needs_all(budgets: Sequence[Budget]) -> bool:
    """Does the one budget need as many pods as there are, so that one more would open it?"""
    one = budgets[0] if len(budgets) == 1 else None
    return one is not None and _needs_all(one) and one.max_unavailable is None and one.min_available != ALL


def _needs_all(budget: Budget) -> bool:
    return budget.observed and 0 < budget.expected_pods <= budget.desired_healthy


def why_held(pod: Pod, budgets: Sequence[Budget], scene: Scene) -> str:
    """Why it is held back now, in words."""
    return "; ".join(_held_by(budget, scene) for budget in budgets) or f"{pod.id} may not go now"


def _held_by(budget: Budget, scene: Scene) -> str:
    if not budget.observed:
        return f"its budget {budget.id} is not worked out yet"
    words = f"its budget {budget.id} needs {budget.desired_healthy} healthy and has {budget.current_healthy}"
    if 0 < budget.expected_pods <= scene.world.incidents.held.get(budget.id, 0):
        return f"{words}; all {budget.expected_pods} of its pods are on nodes that go"
    return words
