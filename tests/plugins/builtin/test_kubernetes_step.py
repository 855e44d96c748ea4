"""What a step may say, what is wrong with it by name, and what a size comes to."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spotward.plugins.builtin.kubernetes_step import is_relative, sized
from spotward.plugins.sdk.plugin import Plugin
from tests.plugins.builtin.paper_cluster import a_plugin

WEB = {"kind": "Deployment", "namespace": "shop", "name": "web"}


@pytest.mark.parametrize(
    "said",
    [
        {},
        {"action": "drain"},
        {"action": "drain", "node": "$labels.node", "machine": "stays"},
        {"action": "cordon", "cluster": "prod"},
        {"action": "taint", "taint": {"key": "example.com/ill"}},
        {"action": "taint", "taint": {"key": "ill", "value": "$labels.severity", "effect": "PreferNoSchedule"}},
        {"action": "label", "labels": {"example.com/state": "ill", "old": None}},
        {"action": "reschedule", "namespace": "shop", "selector": "app=web,tier in (a,b)"},
        {"action": "reschedule", **WEB, "node": "$labels.node"},
        {"action": "reschedule", **WEB, "restart": True},
        {"action": "scale", **WEB, "replicas": 0},
        {"action": "scale", **WEB, "namespace": "$labels.namespace", "replicas": "+50%", "max": 10},
        {"action": "scale", **WEB, "replicas": "-1", "min": 2},
    ],
)
def test_what_a_step_may_say(said: dict[str, Any]) -> None:
    assert a_plugin().problems(said) == ()


@pytest.mark.parametrize(
    ("said", "place", "words"),
    [
        ({"action": "drian"}, "action", "'drain'"),
        ({"node": "$ alone", "action": "cordon"}, "node", "`$$`"),
        ({"action": "cordon", "replicas": 3}, "replicas", "no use for it"),
        ({"replicas": 3}, "replicas", "`action`"),
        ({"action": "cordon", "cluster": "lab"}, "cluster", "there are prod, stage"),
        ({"action": "cordon", "cluster": "../../etc"}, "cluster", "no cluster is called"),
        ({"action": "taint"}, "taint", "say which"),
        ({"action": "taint", "taint": {"key": "no spaces"}}, "taint.key", "example.com/maintenance"),
        ({"action": "taint", "taint": {"key": "a", "value": "x" * 64}}, "taint.value", "63"),
        ({"action": "taint", "taint": {"key": "a", "effect": "NoExecute"}}, "taint.effect", "NoSchedule"),
        ({"action": "label"}, "labels", "say which"),
        ({"action": "label", "labels": {"-a": "b"}}, "labels.-a", "example.com/state"),
        ({"action": "label", "labels": {"a": "b c"}}, "labels.a", "63"),
        ({"action": "reschedule", "namespace": "shop"}, "kind", "missing"),
        ({"action": "reschedule", "selector": "app=web"}, "namespace", "missing"),
        ({"action": "reschedule", **WEB, "selector": "app=web"}, "selector", "either"),
        ({"action": "reschedule", **WEB, "kind": "Pod", "restart": True}, "restart", "as a whole"),
        ({"action": "reschedule", **WEB, "node": "n-1", "restart": True}, "restart", "as a whole"),
        ({"action": "reschedule", **WEB, "kind": "DaemonSet"}, "kind", "restart: true"),
        ({"action": "reschedule", **WEB, "namespace": "kube-system"}, "namespace", "has shop and team-*"),
        ({"action": "scale", **WEB}, "replicas", "+2"),
        ({"action": "scale", **WEB, "replicas": "many"}, "replicas", "+2"),
        ({"action": "scale", **WEB, "replicas": "+1"}, "max", "at most"),
        ({"action": "scale", **WEB, "replicas": "150%"}, "max", "at most"),
        ({"action": "scale", **WEB, "replicas": 3, "max": 5}, "max", "no bounds"),
        ({"action": "scale", **WEB, "replicas": "+1", "min": 5, "max": 4}, "max", "min <= max"),
        ({"action": "scale", **WEB, "replicas": "-1", "min": -1}, "min", "min <= max"),
        ({"action": "scale", **WEB, "kind": "DaemonSet", "replicas": 3}, "kind", "Deployment"),
        ({"action": "drain", "machine": "sleeps"}, "machine", "'goes'"),
    ],
)
def test_a_mistake_is_told_by_its_property_when_rules_are_read(said: dict[str, Any], place: str, words: str) -> None:
    problems = a_plugin().problems(said)
    assert any(p.place == place and words in p.text for p in problems), problems


def test_its_properties_have_a_schema_for_editors() -> None:
    plugin: Plugin = a_plugin()
    schema = plugin.schema()
    assert schema is not None
    assert {"action", "node", "taint", "labels", "replicas"} <= schema["properties"].keys()


@pytest.mark.parametrize(
    ("replicas", "now", "least", "most", "wanted"),
    [
        (3, 9, None, None, 3),
        ("3", 9, None, None, 3),
        ("+2", 3, None, 10, 5),
        ("+2", 9, None, 10, 10),
        ("+1", 12, None, 10, 12),
        ("-1", 3, None, None, 2),
        ("-5", 3, None, None, 1),
        ("-5", 3, 0, None, 0),
        ("-5", 3, 2, None, 2),
        ("-1", 1, 2, None, 1),
        ("+50%", 3, None, 10, 5),
        ("-50%", 3, None, None, 2),
        ("-25%", 5, None, None, 4),
        ("150%", 4, None, 10, 6),
        ("50%", 4, None, 10, 2),
        ("+10%", 10, None, 99, 11),
        ("+1", 0, None, 5, 1),
        ("+50%", 0, None, 5, 0),
        ("-1", 0, None, None, 0),
    ],
)
def test_a_size_is_what_a_person_would_work_out(
    replicas: int | str, now: int, least: int | None, most: int | None, wanted: int
) -> None:
    assert sized(replicas, now, least=least, most=most) == wanted


@given(
    sign=st.sampled_from("+-"),
    number=st.integers(0, 300),
    percent=st.booleans(),
    now=st.integers(0, 200),
    least=st.none() | st.integers(0, 20),
    most=st.integers(20, 100),
)
def test_a_step_up_never_takes_and_a_step_down_never_adds_and_bounds_hold(
    sign: str, number: int, percent: bool, now: int, least: int | None, most: int
) -> None:
    size = f"{sign}{number}{'%' * percent}"
    wanted = sized(size, now, least=least, most=most)
    assert is_relative(size)
    assert wanted >= 0
    if sign == "+":
        assert now <= wanted <= max(now, most)
    else:
        assert min(now, 1 if least is None else least) <= wanted <= now
