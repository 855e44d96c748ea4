"""Several files of rules: each judges for itself, and no name stands for two things."""

import pytest

from spotward.model.errors import ConfigErrors
from spotward.rules.hollowtrees import translated
from spotward.rules.joined import joined
from spotward.rules.match import matched, means
from spotward.rules.rulebook import Rules
from tests.rules.made import alert, occurrence, rules
from tests.rules.stage import Stage

OURS = """
match: first
rules:
  - {name: ours, events: "*", where: {labels.team: web}, steps: [{plugin: notify}]}
  - {name: rest, events: "*", steps: [{plugin: notify}]}
"""

OLD = """
action_plugins: [{name: drainer, address: "localhost:8888"}, {name: tell, address: "localhost:8889"}]
action_flows:
  - {name: old, event_type: prometheus.server.alert.Hot, action_plugins: [drainer]}
  - {name: old-too, event_type: prometheus.server.alert.Hot, action_plugins: [drainer]}
"""

OLDEST = """
plugins: [{name: drainer, address: "localhost:8888", type: grpc}]
rules:
  - {name: a, event_type: prometheus.server.alert.Hot, action_plugins: [drainer]}
  - {name: b, event_type: prometheus.server.alert.Hot, action_plugins: [drainer]}
"""


def both(*more: tuple[str, Rules]) -> Rules:
    return joined([("rules.yaml", rules(OURS)), ("config.yaml", translated(OLD).rules), *more])


def test_each_file_takes_what_occurs_by_its_own_way_of_matching() -> None:
    book = both(("oldest.yaml", translated(OLDEST).rules))
    assert [rule.name for rule in matched(book, alert("Hot", team="web")).rules] == ["ours", "old", "a", "b"]
    assert [rule.name for rule in matched(book, alert("Cold")).rules] == ["rest"]


def test_a_rule_of_any_file_is_carried_out() -> None:
    assert sorted(Stage(both()).hear(alert("Hot")).play().called) == ["drainer", "notify"]


def test_a_plugin_that_two_files_name_alike_is_one_plugin() -> None:
    book = both(("oldest.yaml", translated(OLDEST).rules))
    assert sorted(callee.name for callee in book.every_callee) == ["drainer", "tell"]
    assert book.callee("drainer").kind == "hollowtrees-v1"
    assert book.callee("notify").kind == "builtin"


@pytest.mark.parametrize(
    ("old", "mistake"),
    [
        (
            OLD.replace("name: old,", "name: rest,"),
            "config.yaml: the rule `rest` stands in rules.yaml, too; rename one of them",
        ),
        (OLD.replace("tell", "notify"), "config.yaml: the plugin `notify` is the built-in one in rules.yaml; rename"),
    ],
)
def test_a_name_that_stands_for_two_things_is_told_with_both_files(old: str, mistake: str) -> None:
    with pytest.raises(ConfigErrors) as raised:
        joined([("rules.yaml", rules(OURS)), ("config.yaml", translated(old).rules)])
    assert mistake in str(raised.value)


def test_no_file_is_a_book_without_rules() -> None:
    assert joined([]) == Rules()


def test_a_type_is_meant_by_any_rule_of_any_file_that_is_enabled() -> None:
    off = rules("rules: [{name: off, enabled: false, events: com.example.off, steps: [{plugin: notify}]}]")
    book = joined([("off.yaml", off), ("config.yaml", translated(OLD).rules)])
    assert means(book, alert("Hot"))
    assert not means(book, alert("Hot", resolved=True))
    assert not means(book, occurrence("com.example.off"))
