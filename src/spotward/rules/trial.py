"""What each rule would make of an occurrence, for somebody who tries rules out. Nothing is begun or remembered."""

from collections.abc import Iterator
from dataclasses import dataclass

from spotward.model.occurrence import Occurrence
from spotward.model.plan import Task
from spotward.rules.fields import Look
from spotward.rules.intake import group_of
from spotward.rules.match import matched
from spotward.rules.rulebook import Rule, Rules


@dataclass(frozen=True, kw_only=True, slots=True)
class Trial:
    """One rule, and one occurrence."""

    rule: Rule
    miss: str = ""
    """Why the rule does not take it; empty if it does."""
    group: str = ""
    """The group that the occurrence is of, where the rule takes it."""
    unmet: dict[str, str]
    """Steps whose conditions, as far as they look at the event, do not hold → the first of these, in words."""

    @property
    def taken(self) -> bool:
        """Does the rule take it?"""
        return not self.miss


def tried(rules: Rules, occurrence: Occurrence) -> Iterator[Trial]:
    """Every rule of every file, in their order."""
    look = Look(occurrence)
    for file in rules.files:
        first: Rule | None = None
        for rule in file.rules:
            if first is not None and file.first_match:
                yield Trial(rule=rule, miss=f"not asked: `{first.name}` takes it first", unmet={})
                continue
            match = matched(Rules(rules=(rule,)), occurrence)
            if not match.rules:
                yield Trial(rule=rule, miss=match.reason.removeprefix("no rule takes it: "), unmet={})
                continue
            first = rule
            yield Trial(rule=rule, group=group_of(rule, look), unmet=_unmet(rule, look))


def _unmet(rule: Rule, look: Look) -> dict[str, str]:
    misses = ((task.name, _miss(task, look)) for task in rule.plan.tasks())
    return {name: miss for name, miss in misses if miss is not None}


def _miss(task: Task, look: Look) -> str | None:
    """What of the event is not as the step wants it. What came of earlier steps cannot be known yet."""
    known = (each for each in task.when if each.path[0] != "steps")
    return next((each.words for each in known if not look.holds(each)), None)
