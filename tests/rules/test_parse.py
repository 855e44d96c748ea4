"""A rules file is read whole, or every mistake in it is told with its place and a hint; an editor is told the same."""

import json
from pathlib import Path
from textwrap import dedent
from typing import Any

import jsonschema  # type: ignore[import-untyped]  # has no types of its own
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from ruamel.yaml import YAML

from spotward.model.errors import ConfigErrors
from spotward.model.plan import Backoff, Comparison, Condition, Then
from spotward.rules.form import schema
from spotward.rules.parse import parse
from tests.rules.made import ZONES, one_rule, rules

CHECKOUT = Path(__file__).parents[2]


def mistakes(text: str) -> list[str]:
    with pytest.raises(ConfigErrors) as raised:
        parse(dedent(text), file="rules.yaml", zones=ZONES, builtin=("drain", "swap"))
    return [str(error) for error in raised.value.errors]


# ---- what is read ------------------------------------------------------------------------------------------------


def test_a_rule_with_everything_is_read() -> None:
    read = rules(
        """
        match: all
        flows_open_max: 500
        plugins:
          mine:
            kind: hollowtrees-v1
            address: 127.0.0.1:8888
            at_once: 4
            properties: {region: eu-west-1}
        rules:
          - name: everything
            description: all there is
            enabled: false
            events: [a.b, "c.*"]
            where:
              labels.severity: critical
              labels.team: {one_of: [infra, 7, true]}
              data.detail."a.b".0: {matches: 'm5\\..*'}
              data.load: {above: 1.5, at_most: 9}
              extensions.x: {exists: false}
            group_by: [labels.cluster, subject]
            cooldown: 5m
            repeat: 1h30m
            concurrency: 3
            delay: 250ms
            happens: data.time
            finish_within: 110
            hours: {days: [fri-sun, tue], from: "22:00", to: "06:30", zone: Europe/Berlin, outside: skip}
            steps:
              - plugin: mine
                properties: {deep: [1, {a: null}]}
                timeout: 1.5h
                retries: 2
                backoff: {first: 1s, factor: 3, max: 1m}
                on_success: stop
                on_failure:
                  run: [{plugin: notify}]
                  then: continue
              - plugin: drain
                when: {steps.mine.output.left: {above: 0}, labels.dry: {exists: false}}
        """
    )
    rule, callee = read.rules[0], read.callees[0]
    assert (read.first_match, read.flows_open_max) == (False, 500)
    assert (callee.kind, callee.address, callee.at_once) == ("hollowtrees-v1", "127.0.0.1:8888", 4)
    assert callee.properties_json == '{"region":"eu-west-1"}'
    assert (rule.enabled, rule.events, rule.group_by) == (False, ("a.b", "c.*"), (("labels", "cluster"), ("subject",)))
    assert rule.where == (
        Condition(path=("labels", "severity"), how=Comparison.IS, operands=("critical",)),
        Condition(path=("labels", "team"), how=Comparison.ONE_OF, operands=("infra", "7", "true")),
        Condition(path=("data", "detail", "a.b", "0"), how=Comparison.MATCHES, operands=("m5\\..*",)),
        Condition(path=("data", "load"), how=Comparison.ABOVE, operands=("1.5",)),
        Condition(path=("data", "load"), how=Comparison.AT_MOST, operands=("9",)),
        Condition(path=("extensions", "x"), how=Comparison.EXISTS, operands=("false",)),
    )
    assert (rule.cooldown_seconds, rule.repeat_seconds, rule.concurrency, rule.delay_seconds) == (300, 5400, 3, 0.25)
    assert (rule.happens, rule.plan.finish_within_seconds) == (("data", "time"), 110)
    hours = rule.plan.hours
    assert hours is not None
    assert (hours.days, hours.from_minute, hours.to_minute, hours.wait) == ((1, 4, 5, 6), 1320, 390, False)
    assert hours.zone.name == "Europe/Berlin"
    first, second = rule.plan.steps
    assert (first.task.name, first.task.timeout_seconds, first.task.retries) == ("mine", 5400, 2)
    assert first.task.backoff == Backoff(first_seconds=1, factor=3, max_seconds=60)
    assert first.task.properties_json == '{"deep":[1,{"a":null}]}'
    assert (first.on_success.then, first.on_failure.then) == (Then.STOP, Then.CONTINUE)
    assert [task.plugin for task in first.on_failure.tasks] == ["notify"]
    assert [condition.path for condition in second.task.when] == [
        ("steps", "mine", "output", "left"),
        ("labels", "dry"),
    ]
    assert (second.on_success.then, second.on_failure.then) == (Then.CONTINUE, Then.STOP)


def test_the_least_that_a_rule_can_say_has_safe_defaults() -> None:
    rule = rules("rules: [{name: r, events: a, steps: [{plugin: drain}]}]").rules[0]
    assert (rule.enabled, rule.cooldown_seconds, rule.repeat_seconds, rule.group_by) == (True, 0.0, None, ())
    assert (rule.plan.steps[0].task.timeout_seconds, rule.plan.steps[0].task.retries) == (60.0, 0)


@pytest.mark.parametrize(
    ("written", "seconds"), [("90s", 90), ("1h30m", 5400), ("1.5h", 5400), ("250ms", 0.25), ("2d", 172_800), ("7", 7)]
)
def test_lengths_of_time_are_read_with_units_and_without(written: str, seconds: float) -> None:
    assert one_rule(cooldown=written).rules[0].cooldown_seconds == seconds


# ---- what is wrong -----------------------------------------------------------------------------------------------


def test_all_mistakes_are_told_at_once_each_with_its_place_and_a_hint() -> None:
    assert mistakes(
        """\
        version: 1
        macth: first
        plugins:
          mine: {adress: "127.0.0.1:8888"}
        rules:
          - name: one
            events: []
            where:
              lables.cluster: {one_of: prod}
              labels.x: {matches: "("}
            steps:
              - plugin: drian
                timeout: 90 parsecs
          - name: two
            events: x
            hours: {from: "09:00", to: "17:00", zone: Europe/Berlim}
            steps:
              - {plugin: drain, when: {steps.swap.status: done}}
              - {plugin: drain, when: {steps.drain.stats: done}}
        """
    ) == [
        "rules.yaml:2:1: unknown key `macth`; did you mean `match`?",
        "rules.yaml:4:10: unknown key `adress`; did you mean `address`?",
        "rules.yaml:7:13: here are 0 types of events; write 1 to 64",
        "rules.yaml:9:7: unknown field `lables`; did you mean `labels`?",
        "rules.yaml:9:32: here must be a list of values, each behind a `-`, not `prod`",
        "rules.yaml:10:27: this is no regular expression: unclosed group; the reference tells its syntax",
        "rules.yaml:12:17: unknown plugin `drian`; did you mean `drain`?",
        "rules.yaml:13:18: here must be a length of time from 0.1 s to 14400 s, such as `90s`, not `90 parsecs`",
        "rules.yaml:16:47: unknown time zone `Europe/Berlim`; did you mean `Europe/Berlin`?",
        "rules.yaml:18:51: unknown earlier step `swap`; there is none",
        "rules.yaml:19:18: `drain` is the name of the one in line 18, too; give each its own `name`",
        "rules.yaml:19:51: unknown field of a step `stats`; did you mean `status`?",
    ]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "rules.yaml:1:1: the file is empty"),
        ("# nothing\n", "rules.yaml:1:1: the file is empty"),
        ("[1, 2", "rules.yaml:1:6: this is not YAML"),
        ("- a\n", "rules.yaml:1:1: the file must be a mapping such as `version: ...`, not a list"),
        ("version: 1\n", "rules.yaml:1:1: the file lacks `rules`; add it"),
        ("version: 2\nrules: []\n", "rules.yaml:1:10: here must be 1, not `2`"),
        ("version: 1\nrules: []\nversion: 1\n", "rules.yaml:3:1: `version` stands here twice"),
        ("version: 1\nrules: {}\n", "rules.yaml:2:8: here must be a list of rules"),
        ("version: 1\nmatch: frist\nrules: []\n", "unknown word `frist`; did you mean `first`?"),
        ("version: 1\nplugins: {p: {}}\nrules: []\n", "the plugin `p` lacks `address`"),
        ("version: 1\n? [a]\n: 1\nrules: []\n", "a key must be a plain word"),
        ("version: 1\nrules: [{name: 1, events: a, steps: [{plugin: drain}]}]\n", "put it in quotes"),
        ("version: 1\nrules: [{name: 'a b', events: a, steps: [{plugin: drain}]}]\n", "is not a name of letters"),
        ("version: 1\nrules: [{name: a, events: a, enabled: perhaps, steps: [{plugin: drain}]}]\n", "true or false"),
        ("version: 1\nrules: [{name: a, events: 'a b ', steps: [{plugin: drain}]}]\n", "must be a type of event"),
        ("version: 1\nrules: [{name: a, events: a, steps: [{plugin: drain, retries: .inf}]}]\n", "a whole number"),
        (
            "version: 1\nrules: [{name: a, events: a, where: {labels.a: {}}, steps: [{plugin: drain}]}]\n",
            "at least 1 of",
        ),
        (
            "version: 1\nrules: [{name: a, events: a, where: {labels.a: null}, steps: [{plugin: drain}]}]\n",
            "to compare",
        ),
        ("version: 1\nrules: [{name: a, events: a, steps: [{plugin: drain, properties: {a: .nan}}]}]\n", "has no end"),
        ("version: 1\nrules: [{name: a, events: a, steps: [{plugin: drain, when: {steps.a: b}}]}]\n", "is not a field"),
        ("version: &a [*a]\nrules: []\n", "rules.yaml:1:"),
    ],
)
def test_a_mistake_is_told_with_its_place(text: str, told: str) -> None:
    assert any(told in mistake for mistake in mistakes(text)), mistakes(text)


def test_two_rules_of_one_name_are_told() -> None:
    rule = "{name: a, events: b, steps: [{plugin: drain}]}"
    assert "`a` is the name of the one in line 3, too" in mistakes(f"version: 1\nrules:\n  - {rule}\n  - {rule}\n")[0]


def test_a_few_lines_that_stand_for_more_than_a_machine_can_hold_are_refused_in_no_time() -> None:
    bomb = "".join(f"  a{n}: &a{n} {{{', '.join(f'k{i}: *a{n - 1}' for i in range(9))}}}\n" for n in range(1, 12))
    text = "version: 1\nrules:\n  - name: a\n    events: a\n    steps:\n    - plugin: drain\n      properties:\n"
    text += "        a0: &a0 {x: 1}\n" + bomb.replace("  a", "        a")
    assert any("too much" in mistake for mistake in mistakes(text))


@given(st.text(max_size=60) | st.text("-[]{}:&*!|>'\"\n ab1,", max_size=60))
@example("a: !!python/object x")
@example("? |\n")
@example("0x: 1e9999999")
@example("a: 0xzz")
@settings(max_examples=300)
def test_no_text_breaks_the_reader(text: str) -> None:
    for whole in (text, f"version: 1\nrules:\n{text}", f"version: 1\nrules: []\nplugins: {text}"):
        try:
            parse(whole, builtin=("drain",))
        except ConfigErrors as errors:
            told = [str(error) for error in errors.errors]
            if not all(told):
                raise AssertionError("a mistake without words") from errors


# ---- the schema --------------------------------------------------------------------------------------------------


EDITOR = jsonschema.Draft202012Validator(schema())


def judged_by_schema(document: Any) -> bool:
    return bool(EDITOR.is_valid(document))


def judged_by_reader(document: Any) -> bool:
    """What only the reader can see (names that refer to one another) is kept right by who asks."""
    try:
        parse(json.dumps(document), builtin=("drain", "swap", "p"), zones=ZONES)
    except ConfigErrors:
        return False
    return True


GOOD: dict[str, Any] = {
    "version": 1,
    "match": "all",
    "plugins": {"p": {"address": "a:1", "at_once": 3, "kind": "http", "properties": {"x": [1]}}},
    "rules": [
        {
            "name": "r",
            "events": ["a.*"],
            "where": {"labels.a": "x", "data.b": {"above": 1, "is_not": 5}, "labels.c": {"one_of": ["a", 1]}},
            "group_by": ["labels.a"],
            "cooldown": "5m",
            "repeat": 60,
            "concurrency": 2,
            "hours": {"days": "mon-fri", "from": "09:00", "to": "17:00", "zone": "Europe/Berlin", "outside": "skip"},
            "steps": [
                {
                    "plugin": "p",
                    "timeout": "90s",
                    "retries": 1,
                    "backoff": {"first": "1s", "factor": 1.5, "max": 60},
                    "on_failure": {"run": [{"plugin": "drain"}], "then": "stop"},
                },
                {"plugin": "swap", "when": {"steps.p.status": "done"}, "on_success": "stop", "properties": {}},
            ],
        }
    ],
}


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Every place of a document."""
    children = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path, *(place for key, child in children for place in places(child, (*path, key)))]


def changed(document: Any, path: tuple[Any, ...], value: Any) -> Any:
    """A copy with another value at a place, or without it."""
    copy = json.loads(json.dumps(document))
    if not path:
        return value
    here = copy
    for key in path[:-1]:
        here = here[key]
    if value is ...:
        del here[path[-1]]
    else:
        here[path[-1]] = value
    return copy


STRANGE = [..., None, True, 0, 1, -1, 2.5, 1e12, "", "p", "x y", "stop", "labels.a", "99s", [], ["a"], {}, {"a": 1}]
"""What may be put in the place of anything."""


@pytest.mark.parametrize("path", places(GOOD), ids=lambda path: ".".join(map(str, path)) or "-")
def test_schema_and_reader_judge_every_change_of_a_file_alike(path: tuple[Any, ...]) -> None:
    assert judged_by_schema(GOOD)
    assert judged_by_reader(GOOD)
    for value in STRANGE if path else STRANGE[1:]:
        document = changed(GOOD, path, value)
        said, read = judged_by_schema(document), judged_by_reader(document)
        if said != read:
            assert said, f"the reader takes {value!r} at {path}, and the schema does not"
            assert beyond_the_schema(path), f"the schema takes {value!r} at {path}, and the reader does not"


def beyond_the_schema(path: tuple[Any, ...]) -> bool:
    words = {"plugin", "plugins", "p", "address", "kind", "zone", "timeout", "cooldown", "first", "max", "when", "name"}
    return bool(words & {str(part) for part in path}) or path in {("rules", 0, "steps"), ("rules", 0, "steps", 0)}


def test_the_published_schema_is_the_one_of_the_reader() -> None:
    published = json.loads((CHECKOUT / "docs" / "reference" / "rules.schema.json").read_text())
    assert published == schema(), "make it anew: python -m tests.rules.write_schema"


@pytest.mark.parametrize("path", sorted((CHECKOUT / "examples" / "rules").glob("*.yaml")), ids=lambda path: path.stem)
def test_the_examples_are_read_and_an_editor_takes_them(path: Path) -> None:
    text = path.read_text()
    builtin = ("kubernetes", "asg-swap", "notify", "http", "exec", "annotate")
    assert parse(text, file=path.name, zones=ZONES, builtin=builtin).rules
    assert judged_by_schema(json.loads(json.dumps(YAML(typ="safe").load(text))))
