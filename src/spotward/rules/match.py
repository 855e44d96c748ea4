"""Which rules take an occurrence; and if none does, why, in words."""

from dataclasses import dataclass
from difflib import get_close_matches

from spotward.model.occurrence import RESOLVED, Occurrence
from spotward.model.units import listed
from spotward.rules.fields import Look
from spotward.rules.patterns import is_like, takes
from spotward.rules.rulebook import Rule, Rules

NEAR = 0.8
"""How alike two types must be for one to be taken for the other, misspelt."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Match:
    """What the rules make of an occurrence."""

    rules: tuple[Rule, ...] = ()
    """Those that take it, in the order of the file."""
    reason: str = ""
    """Why none does; empty if one does. The same for all occurrences that fail alike, whatever their values are."""


def matched(rules: Rules, occurrence: Occurrence) -> Match:
    """What the rules make of an occurrence."""
    look = Look(occurrence)
    taken: list[Rule] = []
    misses: list[str] = []
    for rule in rules.rules:
        if not any(takes(glob, occurrence) for glob in rule.events):
            continue
        miss = _miss(rule, look)
        if miss is not None:
            misses.append(miss)
            continue
        taken.append(rule)
        if rules.first_match:
            break
    return Match(rules=tuple(taken)) if taken else Match(reason=_reason(rules, occurrence, misses))


def _miss(rule: Rule, look: Look) -> str | None:
    """Why a rule that means this type does not take it after all."""
    if not rule.enabled:
        return f"`{rule.name}` is not enabled"
    failing = next((condition for condition in rule.where if not look.holds(condition)), None)
    return f"`{rule.name}` wants that {failing.words}" if failing is not None else None


def _reason(rules: Rules, occurrence: Occurrence, misses: list[str]) -> str:
    if misses:
        return f"no rule takes it: {listed(misses, most=3)}"
    if occurrence.resolved and _means_firing(rules, occurrence):
        return f"no rule takes it: alerts that are over are taken only by rules whose events end in `{RESOLVED}`"
    globs = [glob for rule in rules.rules for glob in rule.events]
    near = get_close_matches(occurrence.type, globs, n=1, cutoff=NEAR)
    hint = f"; a rule names `{near[0]}`, which is nearly the same" if near else ""
    return f"no rule takes events of its type{hint}"


def _means_firing(rules: Rules, occurrence: Occurrence) -> bool:
    firing = occurrence.type.removesuffix(RESOLVED)
    return any(is_like(glob, firing) for rule in rules.rules for glob in rule.events)
