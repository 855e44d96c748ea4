"""Which rules take an occurrence; and if none does, why, in words."""

from dataclasses import dataclass
from difflib import get_close_matches
from functools import lru_cache

from spotward.model.occurrence import RESOLVED, Occurrence
from spotward.model.units import listed
from spotward.rules.fields import Look
from spotward.rules.patterns import is_like, takes
from spotward.rules.rulebook import Rule, Rules

NEAR = 0.8
"""How alike two types must be for one to be taken for the other, misspelt."""

MISSPELT_CHARACTERS_MAX = 128
"""No longer type is compared: what it takes grows with its square, and the sender chooses it."""

MISSPELT_GLOBS_MAX = 200
"""A type is compared with no more than these."""

NEAREST_KEPT = 1_024
"""Of so many types it is known which glob is nearest: what no rule takes may come five hundred times a second."""


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
    misses: list[str] = []
    taken = [rule for file in rules.files for rule in _taken(file, look, misses)]
    return Match(rules=tuple(taken)) if taken else Match(reason=_reason(rules, occurrence, misses))


def means(rules: Rules, occurrence: Occurrence) -> bool:
    """Does any rule mean events of this type, whatever else it wants of them?"""
    return any(takes(glob, occurrence) for rule in rules.every_rule if rule.enabled for glob in rule.events)


def _taken(file: Rules, look: Look, misses: list[str]) -> list[Rule]:
    """Those of one file that take it. misses: is told why others, which mean its type, do not."""
    taken: list[Rule] = []
    for rule in file.rules:
        if not any(takes(glob, look.occurrence) for glob in rule.events):
            continue
        miss = _miss(rule, look)
        if miss is not None:
            misses.append(miss)
            continue
        taken.append(rule)
        if file.first_match:
            break
    return taken


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
    near = _nearest(tuple(glob for rule in rules.every_rule for glob in rule.events), occurrence.type)
    hint = f"; a rule names `{near}`, which is nearly the same" if near else ""
    return f"no rule takes events of its type{hint}"


@lru_cache(maxsize=NEAREST_KEPT)
def _nearest(globs: tuple[str, ...], kind: str) -> str:
    """The glob that a type was perhaps meant for; empty where none is near. Looking takes long, so it is kept."""
    if len(kind) > MISSPELT_CHARACTERS_MAX:
        return ""
    near = get_close_matches(kind, list(dict.fromkeys(globs))[:MISSPELT_GLOBS_MAX], n=1, cutoff=NEAR)
    return near[0] if near else ""


def _means_firing(rules: Rules, occurrence: Occurrence) -> bool:
    firing = occurrence.type.removesuffix(RESOLVED)
    return any(is_like(glob, firing) for rule in rules.every_rule for glob in rule.events)
