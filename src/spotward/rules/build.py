"""From what a file says to rules, with what no schema can see: names that refer to one another, zones, expressions."""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from spotward.model.hours import UTC, WEEK_DAYS, Hours, Zone
from spotward.model.occurrence import Json, scalar_text
from spotward.model.plan import Backoff, Comparison, Condition, Consequence, Plan, Step, Task, Then
from spotward.rules.cron import Cron, NoCron, cron
from spotward.rules.fields import STEP_FIELDS, STEPS
from spotward.rules.marks import Marks, Path, compact
from spotward.rules.patterns import fault_in
from spotward.rules.rulebook import CALLS_AT_ONCE, FLOWS_OPEN_MAX, Callee, Rule, Rules
from spotward.rules.schedule import Schedule

_PARTS = re.compile(r'"([^"]*)"|([^."]+)')


@dataclass(frozen=True, kw_only=True, slots=True)
class Zones:
    """The time zones that there are. What stands in the machine's files is put in here at the edge."""

    names: tuple[str, ...] = ("UTC",)
    zone: Callable[[str], Zone] = field(default=lambda _: UTC)
    """The zone of one of these names."""


@dataclass(frozen=True, slots=True)
class Builder:
    """Builds rules, and writes down what is wrong."""

    marks: Marks
    zones: Zones
    builtin: frozenset[str]

    def rules(self, file: Mapping[str, Any]) -> Rules:
        """All of it."""
        callees = tuple(self._callee(name, said) for name, said in file.get("plugins", {}).items())
        rules = tuple(self._rule(said, ("rules", at)) for at, said in enumerate(file["rules"]))
        self._check_words()
        self._names_differ((rule.name, ("rules", at, "name")) for at, rule in enumerate(rules))
        return Rules(
            rules=rules,
            first_match=file.get("match", "first") == "first",
            callees=callees,
            flows_open_max=file.get("flows_open_max", FLOWS_OPEN_MAX),
            schedules=tuple(self._schedule(name, said) for name, said in file.get("schedule", {}).items()),
        )

    def check_rest(self) -> None:
        """Where the whole could not be read: look for further mistakes in what could."""
        for path, said in list(self.marks.good.items()):
            match path:
                case ("rules", int()):
                    self._rule(said, path)
                case ("schedule", str() as name):
                    self._schedule(name, said)
                case _:
                    pass
        self._check_words()

    def _check_words(self) -> None:
        """Words that mean something only here, wherever they stand: plugins, time zones, expressions."""
        plugins = {str(path[1]) for path in self.marks.places if len(path) == 2 and path[0] == "plugins"}
        for path, said in self.marks.good.items():
            match path:
                case ("rules", *_, "plugin") if said not in plugins | self.builtin:
                    self.marks.unknown(path, "plugin", said, plugins | self.builtin)
                case ("rules" | "schedule", *_, "zone") if said not in self.zones.names:
                    self.marks.unknown(path, "time zone", said, self.zones.names)
                case ("rules", *_, "matches") if (fault := fault_in(said)) is not None:
                    hint = "the reference tells its syntax"
                    self.marks.wrong(path, f"this is no regular expression: {fault}; {hint}")
                case _:
                    pass

    def _names_differ(self, names: Iterable[tuple[str, Path]]) -> None:
        seen: dict[str, Path] = {}
        for name, path in names:
            if name in seen:
                line, _ = self.marks.line_of(seen[name])
                self.marks.wrong(path, f"`{name}` is the name of the one in line {line}, too; give each its own `name`")
            seen.setdefault(name, path)

    def _callee(self, name: str, said: Mapping[str, Any]) -> Callee:
        kind, address = said.get("kind", "grpc"), said.get("address", "")
        if not address and kind != "builtin":
            self.marks.wrong(("plugins", name), f"the plugin `{name}` lacks `address`; add where it is")
        return Callee(
            name=name,
            kind=kind,
            address=address,
            at_once=said.get("at_once", CALLS_AT_ONCE),
            properties_json=compact(said.get("properties", {})),
        )

    def _schedule(self, name: str, said: Mapping[str, Any]) -> Schedule:
        if ("cron" in said) == ("every" in said):
            self.marks.wrong(("schedule", name), f"the schedule `{name}` needs `cron` or `every`, one of both")
        return Schedule(
            name=name,
            every_seconds=said.get("every", 0.0),
            cron=self._cron(said["cron"], ("schedule", name, "cron")) if "cron" in said else None,
            zone=self._zone(said),
            run_missed=said.get("missed", "skip") == "run",
            data_json=compact(said.get("data", {})),
        )

    def _cron(self, text: str, path: Path) -> Cron | None:
        try:
            return cron(text)
        except NoCron as error:
            self.marks.wrong(path, f"this is no cron expression: {error}")
            return None

    def _zone(self, said: Mapping[str, Any]) -> Zone:
        """UTC for one that there is not, which is told elsewhere."""
        name = said.get("zone", "UTC")
        return UTC if name == "UTC" or name not in self.zones.names else self.zones.zone(name)

    # ---- a rule ----------------------------------------------------------------------------------------------

    def _rule(self, said: Mapping[str, Any], path: Path) -> Rule:
        groups = said.get("group_by", [])
        happens = said.get("happens")
        return Rule(
            name=said["name"],
            description=said.get("description", ""),
            enabled=said.get("enabled", True),
            events=tuple(_several(said["events"])),
            where=_conditions(said.get("where", {})),
            group_by=tuple(path_of(each) for each in _several(groups)),
            cooldown_seconds=said.get("cooldown", 0.0),
            repeat_seconds=said.get("repeat"),
            concurrency=said.get("concurrency"),
            delay_seconds=said.get("delay", 0.0),
            happens=None if happens is None else path_of(happens),
            plan=self._plan(said, path),
        )

    def _plan(self, said: Mapping[str, Any], path: Path) -> Plan:
        hours = said.get("hours")
        plan = Plan(
            steps=tuple(_step(each) for each in said["steps"]),
            hours=None if hours is None else self._hours(hours),
            finish_within_seconds=said.get("finish_within"),
        )
        self._names_differ((task.name, self._name_place(place)) for task, place in _tasks(plan, path))
        self._refers_back(plan, path)
        return plan

    def _name_place(self, place: Path) -> Path:
        named = (*place, "name")
        return named if named in self.marks.places else (*place, "plugin")

    def _refers_back(self, plan: Plan, path: Path) -> None:
        """Conditions look at steps that are over by then."""
        before: list[str] = []
        for task, place in _tasks(plan, path):
            for condition in task.when:
                self._looks_back(condition, before, (*place, "when"))
            before.append(task.name)

    def _looks_back(self, condition: Condition, before: list[str], path: Path) -> None:
        if condition.path[0] != STEPS:
            return
        _, name, what, *_ = condition.path
        here = self._spelled(condition, path)
        if name not in before:
            self.marks.unknown(here, "earlier step", name, before)
        elif what not in STEP_FIELDS:
            self.marks.unknown(here, "field of a step", what, STEP_FIELDS)

    def _spelled(self, condition: Condition, path: Path) -> Path:
        """Where a condition stands, by its field as the file spells it."""
        under = [place for place in self.marks.places if place[:-1] == path and isinstance(place[-1], str)]
        return next((place for place in under if path_of(str(place[-1])) == condition.path), path)

    def _hours(self, said: Mapping[str, Any]) -> Hours:
        days = {day for words in _several(said.get("days", "mon-fri")) for day in _days(words)}
        return Hours(
            days=tuple(sorted(days)),
            from_minute=_minutes(said["from"]),
            to_minute=_minutes(said["to"]),
            zone=self._zone(said),
            wait=said.get("outside", "wait") == "wait",
        )


# ---- steps -----------------------------------------------------------------------------------------------


def _step(said: Mapping[str, Any]) -> Step:
    return Step(
        task=_task(said),
        on_success=_consequence(said.get("on_success"), Then.CONTINUE),
        on_failure=_consequence(said.get("on_failure"), Then.STOP),
    )


def _consequence(said: Any, then: Then) -> Consequence:
    if isinstance(said, str):
        return Consequence(then=Then(said))
    if said is None:
        return Consequence(then=then)
    tasks = tuple(_task(each) for each in said["run"])
    return Consequence(tasks=tasks, then=Then(said.get("then", then)))


def _task(said: Mapping[str, Any]) -> Task:
    backoff = said.get("backoff", {})
    usual = Backoff()
    return Task(
        name=said.get("name", said["plugin"]),
        plugin=said["plugin"],
        properties_json=compact(said.get("properties", {})),
        timeout_seconds=said.get("timeout", 60.0),
        retries=said.get("retries", 0),
        backoff=Backoff(
            first_seconds=backoff.get("first", usual.first_seconds),
            factor=float(backoff.get("factor", usual.factor)),
            max_seconds=backoff.get("max", usual.max_seconds),
        ),
        when=_conditions(said.get("when", {})),
    )


def _tasks(plan: Plan, path: Path) -> list[tuple[Task, Path]]:
    """Every task of a plan, in its order, and where it stands in the file."""
    found: list[tuple[Task, Path]] = []
    for at, step in enumerate(plan.steps):
        here = (*path, "steps", at)
        found.append((step.task, here))
        for word, after in (("on_success", step.on_success), ("on_failure", step.on_failure)):
            found += [(task, (*here, word, "run", number)) for number, task in enumerate(after.tasks)]
    return found


def _conditions(said: Mapping[str, Any]) -> tuple[Condition, ...]:
    return tuple(
        _condition(text, how, operand)
        for text, wanted in said.items()
        for how, operand in (wanted if isinstance(wanted, dict) else {"is": wanted}).items()
    )


def _condition(text: str, how: str, operand: Json) -> Condition:
    operands = tuple(scalar_text(each) for each in _several(operand))
    return Condition(path=path_of(text), how=Comparison(how), operands=operands)


def path_of(text: str) -> tuple[str, ...]:
    """`data."a.b".0` as its parts."""
    return tuple(quoted or bare for quoted, bare in _PARTS.findall(text))


def _several(said: Any) -> list[Any]:
    return said if isinstance(said, list) else [said]


def _days(words: str) -> list[int]:
    """`mon`, or `sat-mon`, as numbers from Monday on."""
    first, _, last = words.partition("-")
    begin, end = WEEK_DAYS.index(first), WEEK_DAYS.index(last or first)
    return [day % 7 for day in range(begin, (end if end >= begin else end + 7) + 1)]


def _minutes(text: str) -> int:
    hours, _, minutes = text.partition(":")
    return int(hours) * 60 + int(minutes)
