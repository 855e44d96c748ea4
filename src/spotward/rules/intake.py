"""What an occurrence begins: for each rule that takes it a flow, unless its group has one, had one lately, or may not.

Nothing that occurs is lost without a word: what no rule takes, and what a rule passes over, is said, once for all that
is alike.
"""

import hashlib
from dataclasses import dataclass, field

from spotward.model.altered import altered
from spotward.model.decision import Verdict
from spotward.model.flow import Flow, Turn, facts_of, turn_key
from spotward.model.flow_event import Occurred
from spotward.model.occurrence import Occurrence
from spotward.model.page import Note
from spotward.model.plan import Plan
from spotward.model.units import clock, counted
from spotward.model.world import World
from spotward.rules.fields import Look
from spotward.rules.match import matched
from spotward.rules.rulebook import Rule, Rules

REMEMBER_SECONDS = 6 * 3600.0
"""So long after it was last heard, an occurrence is known to have been heard. Alertmanager repeats every four hours."""

REFRESH_SECONDS = 600.0
"""That it is still heard is noted no more often than this."""

SEEN_MAX = 64
"""How many occurrences of one group are known by their marks."""

GROUP_CHARACTERS_MAX = 200
"""Of a group's name; a longer one is cut, and told from others by its digest."""

MARK_CHARACTERS = 12
"""Of a digest: 48 bits tell a million flows of one rule apart."""


@dataclass(slots=True)
class Intake:
    """What comes of an occurrence."""

    flows: list[Flow] = field(default_factory=list)
    """Begun, or joined."""
    turns: list[tuple[str, Turn]] = field(default_factory=list)
    verdicts: list[Verdict] = field(default_factory=list)
    notes: list[Note] = field(default_factory=list)


def taken_in(world: World, event: Occurred, rules: Rules) -> Intake:
    """What comes of an occurrence."""
    taken = Intake()
    match = matched(rules, event.occurrence)
    if not match.rules:
        _untaken(taken, world, event.occurrence, match.reason)
    look = Look(event.occurrence)
    for rule in match.rules:
        _taken_by(taken, rule, look, world, rules)
    return taken


def _untaken(taken: Intake, world: World, occurrence: Occurrence, reason: str) -> None:
    subject = f"event {short(occurrence.type)}"
    taken.verdicts.append(Verdict(subject=subject, text=reason))
    _heard(taken, world, subject, world.turns.get(subject))


def _taken_by(taken: Intake, rule: Rule, look: Look, world: World, rules: Rules) -> None:
    group = group_of(rule, look)
    line = turn_key(rule.name, group)
    known, turn = world.flows.of_group(line), world.turns.get(line)
    if known is not None:
        joined = known.joined_by(look.occurrence.identity)
        if joined is not known:
            taken.flows.append(joined)
        return
    why = _passed_over(rule, look, turn, world)
    if why is None and (number := len(world.flows) + len(taken.flows)) >= rules.flows_open_max:
        why = f"{counted(number, 'flow')} are open; the limit is {rules.flows_open_max}"
        taken.verdicts.append(Verdict(subject=rule.name, text=why))
        return
    if why is not None:
        if why:
            taken.verdicts.append(Verdict(subject=line, text=why))
        _heard(taken, world, line, turn)
        return
    _begun(taken, rule, group, look, turn, world)


def _passed_over(rule: Rule, look: Look, turn: Turn | None, world: World) -> str | None:
    """Why nothing is begun, in words; None to begin. Empty where the same is merely heard again."""
    now = world.time
    if turn is not None and turn.begun_time is not None:
        if mark_of(look.occurrence.identity) in turn.seen and not _repeats(rule, turn, now):
            return ""
        until = (turn.ended_time or turn.begun_time) + rule.cooldown_seconds
        if now < until:
            return f"passed over: its last flow has ended, and its cooldown lasts until {clock(until)}"
    hours = rule.plan.hours
    if hours is not None and not hours.wait and not hours.open_at(now + rule.delay_seconds):
        return f"passed over: it came outside of the hours of `{rule.name}`"
    return None


def _repeats(rule: Rule, turn: Turn, now: float) -> bool:
    return rule.repeat_seconds is not None and now >= (turn.begun_time or 0.0) + rule.repeat_seconds


def _heard(taken: Intake, world: World, key: str, turn: Turn | None) -> None:
    """Remember that it was heard, so that what was said of it is forgotten some time."""
    now = world.time
    if turn is None:
        taken.turns.append((key, Turn(heard_time=now, keep_until=now + REMEMBER_SECONDS)))
    elif now - turn.heard_time >= REFRESH_SECONDS:
        until = max(turn.keep_until, now + REMEMBER_SECONDS)
        taken.turns.append((key, altered(turn, heard_time=now, keep_until=until)))


# ---- a flow is begun -------------------------------------------------------------------------------------------------


def _begun(taken: Intake, rule: Rule, group: str, look: Look, turn: Turn | None, world: World) -> None:
    now, mark = world.time, mark_of(look.occurrence.identity)
    before = turn or Turn(heard_time=now, keep_until=now)
    number = before.number + 1
    flow = Flow(
        key=f"{rule.name}.{mark_of(f'{group} {look.occurrence.identity} {number}')}",
        rule=rule.name,
        group=group,
        occurrence=look.occurrence,
        plan=_frozen(rule, now),
        concurrency=rule.concurrency,
        born=now,
        start_time=now + rule.delay_seconds,
        happens_time=None if rule.happens is None else look.time_at(rule.happens),
        facts=facts_of(task.name for task in rule.plan.tasks()),
    )
    kept = now + REMEMBER_SECONDS
    seen = (*(each for each in before.seen if each != mark), mark)[-SEEN_MAX:]
    remembered = Turn(heard_time=now, begun_time=now, number=number, seen=seen, keep_until=kept)
    taken.flows.append(flow)
    taken.turns.append((flow.line, remembered))
    taken.verdicts.append(Verdict(subject=flow.line, text=None))
    taken.notes.append(Note(subject=flow.key, text=f"begun by {look.occurrence.type}, for {group}"))


HOURS_AHEAD_SECONDS = 400 * 86_400.0
"""A flow takes so much of its time zone's offsets with it."""


def _frozen(rule: Rule, now: float) -> Plan:
    hours = rule.plan.hours
    if hours is None:
        return rule.plan
    return altered(rule.plan, hours=altered(hours, zone=hours.zone.between(now - 86_400.0, now + HOURS_AHEAD_SECONDS)))


def group_of(rule: Rule, look: Look) -> str:
    """The name of the group that an occurrence is of: the values of the fields, apart by `/`; or itself alone."""
    values = [look.text_at(path).replace("%", "%25").replace("/", "%2F") for path in rule.group_by]
    return short("/".join(values)) if any(values) else mark_of(look.occurrence.identity)


def short(text: str) -> str:
    """No longer than a name should be; what is cut differs by its digest."""
    return text if len(text) <= GROUP_CHARACTERS_MAX else f"{text[: GROUP_CHARACTERS_MAX - 20]}...{mark_of(text)}"


def mark_of(text: str) -> str:
    """A short digest."""
    return hashlib.sha256(text.encode("utf-8", "backslashreplace")).hexdigest()[:MARK_CHARACTERS]
