"""Hollowtrees' `config.yaml` read as rules of ours, of each of its generations, with a note of all that is mended.

    rules         the first months of 2018: every matching rule's plugins, and an error holds nothing up
    action_flows  version 1: the first matching flow, in order, and an error ends it
    flows         version 2: every matching flow, in no order, and an error holds nothing up

What an old configuration asked for is kept; where the old engine did something that nobody asked for (lost events,
acted on alerts that were over, called plugins in any order), ours does not, and a note says so.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from ruamel.yaml.nodes import Node

from spotward.model.occurrence import ALERT_TYPE, scalar_text
from spotward.model.plan import Comparison, Condition, Consequence, Plan, Step, Task, Then
from spotward.model.units import span
from spotward.rules.marks import Marks, compact, composed
from spotward.rules.old_process import process_notes
from spotward.rules.old_yaml import Mend, Section, mend
from spotward.rules.rulebook import Callee, Rule, Rules
from spotward.rules.shapes import finite

CONCURRENCY = 10
"""Version 1's own default for `concurrent_flows`."""

STEP_TIMEOUT_SECONDS = 300.0
"""For each call. The old engine waited for ever; a drain of its own plugin rarely took longer than this."""

RETRIES_MAX = 100

DEMO = "internal-demo"
"""Version 2's own plugin, which wrote the event to the log."""

WAIT_SECONDS_MAX = 30 * 86_400.0
"""Rules of ours wait no longer than a month for anything."""

NAME_CHARACTERS_MAX = 60
"""Of what is called something; a number may come behind it."""

DESCRIPTION_CHARACTERS_MAX = 2_000


@dataclass(frozen=True, kw_only=True, slots=True)
class Translation:
    """An old configuration as rules."""

    generation: str
    """`rules`, `action_flows` or `flows`: the key that tells it."""
    rules: Rules
    mends: tuple[Mend, ...]


def translated(text: str, *, file: str | None = None) -> Translation:
    """The rules that an old configuration comes to. Raises ConfigErrors with everything that cannot be read."""
    reader = _Reader(Marks(file))
    node = composed(text, reader.marks)
    found = reader.file(node) if node is not None else None
    if found is None:
        what = "this is no configuration of Hollowtrees; it has `action_flows`, `flows` or `rules`"
        reader.marks.wrong((), what)
    reader.marks.raise_mistakes()
    assert found is not None, "a mistake was written down"
    return found


# ---- one generation after the other --------------------------------------------------------------------------


@dataclass(slots=True)
class _Reader:
    """Reads one file, and gathers what is mended."""

    marks: Marks
    mends: list[Mend] = field(default_factory=list)
    names: set[str] = field(default_factory=set)
    callees: dict[str, Callee] = field(default_factory=dict)
    """By what the old file calls them."""
    plugin_names: set[str] = field(default_factory=set)

    def file(self, node: Node) -> Translation | None:
        """All of it; None where it is none of the three."""
        top = Section.of(node, self.marks, "the file")
        generation = next((key for key in ("action_flows", "flows", "rules") if key in top.entries), None)
        if generation is None:
            return None
        self.mends.extend(process_notes(top, self.marks))
        rules = self._version_2(top) if generation == "flows" else self._version_1(top, generation)
        self.mends.extend(top.unknown())
        self._general(top.node, generation)
        book = Rules(rules=tuple(rules), first_match=generation == "action_flows", callees=tuple(self.callees.values()))
        mends = sorted(self.mends, key=lambda each: (each.line, each.column))
        return Translation(generation=generation, rules=book, mends=tuple(mends))

    def _general(self, node: Node, generation: str) -> None:
        """What is otherwise for every rule."""
        words = [
            "an alert that is over is an event of its own, and no rule here takes it; it was acted on as if it fired",
            "an event that no rule takes is shown, with the reason; it was written to the log and lost",
            "what was begun is kept over a restart, and goes on at the step that had not answered; it was lost",
            f"a call that does not answer within {STEP_TIMEOUT_SECONDS:g} s has failed; it was waited for without end",
            "plugins are called without TLS, as before; set it for each plugin where it can",
            "an alert that is sent again while it fires is one event; without `group_by` each sending ran its flow",
        ]
        if generation == "flows":
            words.append("plugins are called in the written order; version 2 called them in any order")
            words.append("an alert needs no labels `org_id` and `cluster_id`; without them all of a batch was refused")
        else:
            words.append(
                "a step that failed is tried again by itself; its flow was run when Prometheus sent the alert again"
            )
        self.mends.extend(mend(node, text) for text in words)

    # ---- version 1, and what came before it ------------------------------------------------------------------

    def _version_1(self, top: Section, generation: str) -> list[Rule]:
        settings = Section.of(top.node_of("global"), self.marks, "`global`")
        usual = settings.number("defaultactionflowconcurrency", CONCURRENCY)
        plugins = "action_plugins" if "action_plugins" in top.entries else "plugins"
        for section in top.items(plugins, "a plugin"):
            self._plugin(section, "hollowtrees-v1")
        flows = top.items(generation, "a flow")
        events: dict[str, str] = {}
        rules = []
        for section in flows:
            before = len(self.mends)
            rule = self._flow_1(section, usual, then=Then.STOP if generation == "action_flows" else Then.CONTINUE)
            self._about(rule, before)
            if rule is None:
                continue
            rules.append(rule)
            if (other := events.setdefault(rule.events[0], rule.name)) != rule.name and rule.concurrency is not None:
                text = f"`{rule.name}` and `{other}` have places of their own; they shared those of their event type"
                self.mends.append(mend(section.node, text, rule=rule.name))
        return rules

    def _about(self, rule: Rule | None, before: int) -> None:
        """Notes since then are about this rule."""
        if rule is not None:
            self.mends[before:] = [replace(each, rule=rule.name) for each in self.mends[before:]]

    def _flow_1(self, section: Section, usual: int, *, then: Then) -> Rule | None:
        kind = section.text("event_type")
        if not kind:
            self.marks.wrong(section.node, "the flow lacks `event_type`; add the type of event that it takes")
        names = section.texts("action_plugins") or section.texts("plugins")
        groups, repeat = section.texts("group_by"), section.seconds("repeat_cooldown")
        cooldown = max(section.seconds("flow_cooldown"), 0.0)
        if groups and repeat <= 0:
            text = (
                "without `repeat_cooldown` one success kept the group from ever being handled again; now an alert that"
            )
            self.mends.append(mend(section.node, f"{text} fires anew is handled once `flow_cooldown` is over"))
        if cooldown > 0:
            text = "`flow_cooldown` gives the place free, and only the group waits; the next flow had to wait, too"
            self.mends.append(mend(section.node, text))
        rule = self._rule(
            section,
            kinds=[kind],
            plugins=names,
            where=section.labels("match"),
            groups=groups,
            cooldown=max(cooldown, repeat if groups else 0.0),
            concurrency=max(section.number("concurrent_flows", 0), 0) or usual,
            retries=section.number("retries", 0),
            then=then,
        )
        self.mends.extend(section.unknown())
        return rule

    # ---- version 2 -------------------------------------------------------------------------------------------

    def _version_2(self, top: Section) -> list[Rule]:
        for section in top.items("plugins", "a plugin"):
            self._plugin(section, "hollowtrees-v2")
        flows = Section.of(top.node_of("flows"), self.marks, "`flows`")
        found = []
        for name, _, child in flows.entries.values():
            before = len(self.mends)
            rule = self._flow_2(Section.of(child, self.marks, "a flow"), name)
            self._about(rule, before)
            found.append(rule)
        return [rule for rule in found if rule is not None]

    def _flow_2(self, section: Section, name: str) -> Rule | None:
        rule = self._rule(
            section,
            kinds=section.texts("allowedevents") or [f"{ALERT_TYPE}*"],  # nothing but alerts came in there
            plugins=section.texts("plugins"),
            where=section.labels("filters"),
            groups=section.texts("groupby"),
            cooldown=max(section.seconds("cooldown"), 0.0),
            concurrency=None,
            retries=0,
            then=Then.CONTINUE,
            name=name,
        )
        self.mends.extend(section.unknown())
        return rule

    # ---- both ------------------------------------------------------------------------------------------------

    def _plugin(self, section: Section, kind: str) -> None:
        name, address, how = section.text("name"), section.text("address"), section.text("type") or "grpc"
        properties = section.value("properties", {})
        if not name or not address:
            self.marks.wrong(section.node, "a plugin must have `name` and `address`; add what is missing")
        if how == "fn" and isinstance(properties, dict):
            app, function = (scalar_text(properties.get(key, "")) for key in ("app", "function"))
            kind, address = "fn", f"http://{address}/r/{app}/{function}"
        elif how != "grpc":
            self.marks.wrong(section.node, f"unknown type of plugin `{how:.40}`; it is `grpc` or `fn`")
        told = properties if isinstance(properties, dict) else {}
        if not finite(told):
            self.marks.wrong(section.node, "a number in `properties` has no end; write another")
        known = self.callees.get(name)
        ours = known.name if known is not None else _unlike(_plain_name(name, "plugin"), self.plugin_names)
        if ours != name:
            self.mends.append(mend(section.node, f"the plugin `{name:.60}` is called `{ours}` here"))
        self.callees[name] = Callee(name=ours, kind=kind, address=address, properties_json=compact(told))
        self.mends.extend(section.unknown())

    def _rule(
        self,
        section: Section,
        *,
        kinds: list[str],
        plugins: list[str],
        where: dict[str, str],
        groups: list[str],
        cooldown: float,
        concurrency: int | None,
        retries: int,
        then: Then,
        name: str = "",
    ) -> Rule | None:
        called = section.text("name") or name or "flow"
        steps = tuple(self._steps(section, plugins, min(max(retries, 0), RETRIES_MAX), then))
        if not steps:
            self.mends.append(mend(section.node, f"`{called}` calls no plugin, and is left out"))
            return None
        return Rule(
            name=self._name(called),
            description=section.text("description")[:DESCRIPTION_CHARACTERS_MAX],
            events=tuple(kinds),
            where=tuple(
                Condition(path=("labels", label), how=Comparison.IS, operands=(wanted,))
                for label, wanted in where.items()
            ),
            group_by=tuple(("labels", label) for label in groups),
            cooldown_seconds=self._bounded(section, cooldown),
            concurrency=concurrency,
            plan=Plan(steps=steps),
        )

    def _bounded(self, section: Section, cooldown: float) -> float:
        if cooldown > WAIT_SECONDS_MAX:
            self.mends.append(mend(section.node, f"its cooldown is cut to {span(WAIT_SECONDS_MAX)}, the longest here"))
        return min(round(cooldown, 3), WAIT_SECONDS_MAX)

    def _steps(self, section: Section, plugins: list[str], retries: int, then: Then) -> Iterator[Step]:
        used: set[str] = set()
        for plugin in plugins:
            if plugin == DEMO and DEMO not in self.callees:
                self.mends.append(
                    mend(section.node, f"`{DEMO}` only wrote to the log; the journal tells it, it is left out")
                )
                continue
            if plugin not in self.callees:
                self.marks.unknown(section.node, "plugin", plugin, self.callees)
                continue
            ours = self.callees[plugin].name
            name = _unlike(ours, used)
            task = Task(name=name, plugin=ours, timeout_seconds=STEP_TIMEOUT_SECONDS, retries=retries)
            yield Step(task=task, on_failure=Consequence(then=then))

    def _name(self, called: str) -> str:
        """A name as ours are; two flows of one name had no trouble with it."""
        return _unlike(_plain_name(called, "flow"), self.names)


def _plain_name(text: str, otherwise: str) -> str:
    """As names are here: letters, digits, `-` and `_`."""
    return re.sub(r"[^A-Za-z0-9_-]", "-", text).lstrip("-_")[:NAME_CHARACTERS_MAX] or otherwise


def _unlike(name: str, used: set[str]) -> str:
    """The name, with a number behind it where it is taken; it is taken from here on."""
    number, free = 1, name
    while free in used:
        number += 1
        free = f"{name}-{number}"
    used.add(free)
    return free


def words_of(translation: Translation, file: str) -> list[str]:
    """What is mended, a line for each."""
    return [f"{file}:{each.line}:{each.column}: {each.text}" for each in translation.mends]
