"""Refusals as figures: what each was about, and a word for its reason.

The words of a refusal hold names and numbers; as a label they would have no bound. They stand in the journal. What
counts here is who refused a deed (its guard), or what it is that is left alone, by the form of the subject that we gave
it ourselves.
"""

from spotward.engine.core import Step
from spotward.model.page import Refusal
from spotward.web.tallies.bounded import OTHER

GUARDS = (
    "budget",
    "call",
    "capacity",
    "crowd",
    "dry_run",
    "grace",
    "hook",
    "member",
    "node",
    "note",
    "off",
    "ownership",
    "room",
    "scope",
    "surge",
)
"""The guards, by name: each is a reason for which a deed is not admitted."""

OUTSIDE = "outside"
"""AWS, the cluster or a plugin said no, or did not answer again and again."""

BY_SUBJECT = {
    "drain of ": ("node", "drain_held"),
    "nodes in ": ("group", "nodes_left_alone"),
    "hooks of ": ("group", "held_by_hook"),
    "event ": ("rule", "no_rule"),
    "the cluster ": ("cluster", "silent"),
}
"""How the subject of a verdict begins → what it is about, and why."""

LEFT_ALONE = ("group", "left_alone")
KEPT = ("member", "kept")
PASSED_OVER = ("rule", "passed_over")

REFUSALS = (
    *(("deed", guard) for guard in (*GUARDS, OUTSIDE, OTHER)),
    *BY_SUBJECT.values(),
    LEFT_ALONE,
    KEPT,
    PASSED_OVER,
)
"""Every (about, reason) that there is."""


def reason_of(refusal: Refusal, step: Step) -> tuple[str, str]:
    """(about, reason): one of REFUSALS."""
    if refusal.key in step.refused_by:
        guard = step.refused_by[refusal.key]
        return ("deed", guard if guard in GUARDS else OTHER)
    if refusal.key != refusal.subject:
        return ("deed", OUTSIDE)
    subject = refusal.subject
    prefix = next((prefix for prefix in BY_SUBJECT if subject.startswith(prefix)), None)
    if prefix is not None:
        return BY_SUBJECT[prefix]
    if subject in step.world.groups:
        return LEFT_ALONE
    return KEPT if _is_machine(subject, step) else PASSED_OVER


def _is_machine(subject: str, step: Step) -> bool:
    world = step.world
    return subject.startswith("i-") or subject in world.instances or subject in world.cluster.nodes
