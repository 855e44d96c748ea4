"""What a scrape tells, read by Prometheus' own parsers, and that the reference lists exactly that."""

import math
import re
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.metrics_core import Metric
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parsed_openmetrics
from prometheus_client.parser import text_string_to_metric_families as parsed
from rpds import HashTrieMap

from spotward.model.cloud import Lifecycle
from spotward.model.event import InterruptionNoticed, PoolsRecommended
from spotward.web.metrics import QUESTIONS
from spotward.web.metrics.exporter import rendered
from spotward.web.metrics.question import Kind, Question
from spotward.web.refusals import REFUSALS
from spotward.web.tallies.deeds import DEED_OUTCOMES, Deeds
from spotward.web.view import DEED_KINDS, EVENT_KINDS, Look, Shell
from tests.rules.made import occurrence, rules
from tests.rules.stage import Plugins, Stage, fails
from tests.web.scenes import (
    NOON,
    OPTED_IN,
    REGION,
    full_look,
    group,
    instance,
    look,
    member,
    ranking,
    view,
    world,
)

REFERENCE = Path(__file__).parents[2] / "docs" / "reference" / "metrics.md"
ROW = re.compile(r"^\| `(?P<name>spotward_\w+)` \| (?P<type>\w+) \|(?P<labels>[^|]*)\|", re.MULTILINE)
TAKES_EVERYTHING = """
    rules:
      - name: r
        events: ["*"]
        steps: [{plugin: drain}]
"""

OPENMETRICS = "application/openmetrics-text; version=1.0.0"

Labels = frozenset[tuple[str, str]]


def read_as_openmetrics(text: bytes) -> list[Metric]:
    return list(parsed_openmetrics(text.decode()))  # type: ignore[no-untyped-call]  # its parser has no annotations


def families(told: Look) -> list[Metric]:
    return list(parsed(rendered(told, "")[0].decode()))


def samples(told: Look) -> dict[str, dict[Labels, float]]:
    """Name → labels → value."""
    found: dict[str, dict[Labels, float]] = {}
    for family in families(told):
        for sample in family.samples:
            here = found.setdefault(sample.name, {})
            labels = frozenset(sample.labels.items())
            assert labels not in here, f"{sample.name} is told twice for {sample.labels}"
            here[labels] = sample.value
    return found


def value(told: Look, name: str, **labels: str) -> float | None:
    return samples(told).get(name, {}).get(frozenset(labels.items()))


def of_group(told: Look, name: str, *, of: str = "web", **labels: str) -> float | None:
    return value(told, f"spotward_group_{name}", region=REGION, group=of, **labels)


FULL = full_look()


@pytest.mark.parametrize(
    ("lifecycle", "number"), [("on-demand", 2), ("spot", 1), ("other", 0), ("unknown", 1)], ids=str
)
def test_members_are_told_by_how_they_are_bought_without_those_that_leave(lifecycle: str, number: int) -> None:
    assert of_group(FULL, "members", lifecycle=lifecycle) == number


def test_a_group_tells_what_it_has_what_it_should_have_and_what_waits() -> None:
    assert of_group(FULL, "members_in_service") == 3
    assert of_group(FULL, "desired_capacity") == 4, "one of its five is owed by an open swap"
    assert of_group(FULL, "on_demand_wanted") == 1
    assert of_group(FULL, "members_waiting") == 1
    assert of_group(FULL, "left_alone") == 1
    assert of_group(FULL, "pause_seconds") == 90


def test_the_saving_counts_spot_members_at_the_price_of_the_type_whose_place_they_took() -> None:
    assert of_group(FULL, "saving_estimate_per_hour", currency="USD") == pytest.approx(0.107 - 0.04)
    assert of_group(FULL, "saving_estimate_members") == 1
    assert of_group(FULL, "saving_estimate_age_seconds") == 120


@pytest.mark.parametrize(
    "answer",
    [
        ranking("web", "m5.large", None, {"m5.large": 0.04}),
        ranking("web", "m5.large", 0.107, {"m5.large": None}),
        ranking("web", "m5.large", 0.107, {"c5.large": 0.04}),
        ranking("web", "c5.large", 0.107, {"m5.large": 0.04}),
        ranking("other", "m5.large", 0.107, {"m5.large": 0.04}),
    ],
    ids=["no on-demand price", "no Spot price", "pool not ranked", "another type", "another group"],
)
def test_where_a_price_is_not_known_no_saving_is_told(answer: PoolsRecommended) -> None:
    spot = instance(1, Lifecycle.SPOT)
    known = replace(world(group("web", member(spot)), instances=(spot,)), recommended=HashTrieMap({"a": answer}))
    assert "spotward_group_saving_estimate_per_hour" not in samples(look(known))


def test_of_two_rankings_the_newer_one_tells_the_price() -> None:
    spot = instance(1, Lifecycle.SPOT)
    newer = ranking("web", "m5.large", 0.1, {"m5.large": 0.03})
    older = replace(ranking("web", "m5.large", 0.1, {"m5.large": 0.09}), time=NOON - 9999)
    for answers in ((newer, older), (older, newer)):
        recommended = HashTrieMap({f"{number}": answer for number, answer in enumerate(answers)})
        known = replace(world(group("web", member(spot)), instances=(spot,)), recommended=recommended)
        assert of_group(look(known), "saving_estimate_per_hour", currency="USD") == pytest.approx(0.07)


def test_a_group_that_is_not_opted_in_stands_in_no_sample() -> None:
    text = rendered(FULL, "")[0].decode()
    assert "theirs" not in text
    assert 'group="web"' in text


def test_no_instance_and_no_reason_is_ever_a_label() -> None:
    text = rendered(FULL, "")[0].decode()
    assert not re.search(r"\bi-[0-9a-f]{8}", text)
    assert "AccessDenied" not in text


BOMB = st.text("boxm", min_size=4, max_size=8).map(lambda text: f"boom{text}")


@given(st.lists(st.tuples(BOMB, BOMB, BOMB), min_size=1, max_size=8))
def test_whatever_an_event_brings_along_is_never_a_label(bombs: list[tuple[str, str, str]]) -> None:
    stage = Stage(rules(TAKES_EVERYTHING), Plugins({"drain": fails(9, text="boom")}))
    for number, (kind, subject, label) in enumerate(bombs):
        labels = {"labels": {label: subject, "instance_id": f"i-{label}", "region": label, "plugin": label}}
        stage.hear(occurrence(kind, number=number, subject=subject, data=labels))
        stage.tell(InterruptionNoticed(time=0.0, region=label, instance_id=f"i-{subject}", deadline=NOON))
    seen = view()
    for event, step_ in stage.play().steps:
        seen(event, step_)
    page = rendered(seen.look(), "")[0].decode()
    assert 'spotward_flows_ended_total{outcome="failed",rule="r"}' in page
    assert "boom" not in page


def test_a_tag_that_cannot_be_read_leaves_out_only_what_it_decides() -> None:
    spot = instance(1, Lifecycle.SPOT)
    tags = {**OPTED_IN, "spotward:on-demand-base": "many"}
    told = look(world(group("web", member(spot), tags=tags), instances=(spot,)))
    assert of_group(told, "on_demand_wanted") is None
    assert of_group(told, "members_waiting") is None
    assert of_group(told, "members", lifecycle="spot") == 1


def test_regions_tell_their_age_their_swaps_and_their_resting_pools() -> None:
    assert value(FULL, "spotward_observation_age_seconds", region=REGION) == 30
    assert value(FULL, "spotward_observation_age_seconds", region="us-east-1") == math.inf, "it was never observed"
    assert value(FULL, "spotward_open_swaps", region=REGION, cause="saving") == 1
    assert value(FULL, "spotward_open_swaps", region=REGION, cause="interruption") == 0
    assert value(FULL, "spotward_pools_resting", region=REGION) == 1
    assert value(FULL, "spotward_wishes_waiting", kind="observe-group") == 1


def test_the_node_that_goes_first_tells_how_much_time_is_left() -> None:
    assert value(FULL, "spotward_drain_deadline_seconds") == 45
    assert value(replace(FULL, time=NOON + 60), "spotward_drain_deadline_seconds") == 0
    assert "spotward_drain_deadline_seconds" not in samples(look())


def test_the_types_of_spot_instances_are_told_of_before_any_notice() -> None:
    spot = instance(1, Lifecycle.SPOT)
    told = samples(look(world(group("web", member(spot)), instances=(spot, instance(2, Lifecycle.ON_DEMAND)))))
    of_type = {"region": REGION, "instance_type": "m5.large"}
    assert told["spotward_notices_total"] == {
        frozenset({**of_type, "notice": notice}.items()): 0 for notice in ("interruption", "rebalance")
    }


def test_counters_are_told_from_nought_on_so_that_a_rate_sees_the_first_event() -> None:
    found = samples(look(events={"tick": 2}, deeds=Deeds(answered={("launch-fleet", "nothing"): 4})))
    assert len(found["spotward_events_total"]) == len(EVENT_KINDS)
    assert len(found["spotward_deeds_total"]) == len(DEED_KINDS) * len(DEED_OUTCOMES)
    assert sum(found["spotward_events_total"].values()) == 2
    assert found["spotward_deeds_total"][frozenset({("kind", "launch-fleet"), ("outcome", "nothing")})] == 4


def test_the_shell_tells_how_it_is() -> None:
    shell = Shell(
        inbox_depth=7,
        under_way={"launch-fleet": 2},
        sources_unheard=("queue",),
        store_trouble="x",
        unreadable=3,
        faults=1,
    )
    told = look(shell=shell, pages=5, refusals={("deed", "capacity"): 6})
    assert value(told, "spotward_inbox_depth") == 7
    assert value(told, "spotward_actions_under_way", kind="launch-fleet") == 2
    assert value(told, "spotward_sources_unheard") == 1
    assert value(told, "spotward_journal_writable") == 0
    assert value(told, "spotward_deliveries_unreadable_total") == 3
    assert value(told, "spotward_faults_total") == 1
    assert value(told, "spotward_pages_total") == 5
    assert value(told, "spotward_refusals_total", about="deed", reason="capacity") == 6
    assert value(told, "spotward_aws_calls_total", operation="ec2.DescribeInstances") == 3


def test_a_scraper_that_accepts_openmetrics_gets_the_same_samples() -> None:
    text, content_type = rendered(FULL, OPENMETRICS)
    assert content_type.startswith("application/openmetrics-text; version=1.0.0")
    told = {family.name for family in read_as_openmetrics(text) if family.name.startswith("spotward_")}
    assert told == {question.name.removesuffix("_total") for question in QUESTIONS}


@given(name=st.text(st.characters(exclude_categories=["Cs"]), min_size=1), accept=st.sampled_from(["", OPENMETRICS]))
def test_whatever_a_group_is_called_its_samples_can_be_read_again(name: str, accept: str) -> None:
    told = look(world(group(name)))
    text = rendered(told, accept)[0]
    families = read_as_openmetrics(text) if accept else parsed(text.decode())
    found = [sample for family in families for sample in family.samples]
    assert [s.labels["group"] for s in found if s.name == "spotward_group_desired_capacity"] == [name]


# ---- the reference -------------------------------------------------------------------------------------------


def documented() -> dict[str, tuple[str, tuple[str, ...]]]:
    """Name → type and labels, as the reference lists them."""
    rows = list(ROW.finditer(REFERENCE.read_text()))
    assert len({row["name"] for row in rows}) == len(rows), "the reference lists a metric twice"
    return {row["name"]: (row["type"], tuple(re.findall(r"`(\w+)`", row["labels"]))) for row in rows}


def exported() -> dict[str, tuple[str, tuple[str, ...]]]:
    """The same of a scrape in which every family has a sample."""
    found: dict[str, tuple[str, tuple[str, ...]]] = {}
    for family in families(FULL):
        counter = family.type == "counter"
        name = f"{family.name}_total" if counter else family.name
        for sample in family.samples:
            found[name] = (family.type, tuple(sorted(set(sample.labels) - {"le"})))
    return found


def exported_samples() -> set[tuple[str, ...]]:
    """Names of samples and of families, with the labels that tell samples apart."""
    every = [sample for family in families(FULL) for sample in family.samples]
    return {(sample.name,) for sample in every} | {(question.name,) for question in QUESTIONS}


def test_the_reference_lists_every_metric_with_its_type_and_labels_and_no_other() -> None:
    listed = {name: (kind, tuple(sorted(labels))) for name, (kind, labels) in documented().items()}
    assert listed == {name: told for name, told in exported().items() if not name.startswith("process_")}


def test_every_metric_that_the_reference_speaks_of_exists() -> None:
    named = set(re.findall(r"\bspotward_\w+", REFERENCE.read_text()))
    assert named <= {name for name, *_ in exported_samples()}


def test_the_reference_names_every_word_that_a_label_may_hold() -> None:
    text = REFERENCE.read_text()
    words = {
        *DEED_OUTCOMES,
        *DEED_KINDS,
        *EVENT_KINDS,
        *(word for pair in REFUSALS for word in pair),
        *(dict(labels)["cause"] for labels in samples(FULL)["spotward_open_swaps"]),
        *(dict(labels)["lifecycle"] for labels in samples(FULL)["spotward_group_members"]),
        *(dict(labels)["kind"] for labels in samples(FULL)["spotward_actions_under_way"]),
    }
    assert {word for word in words if f"`{word}`" not in text} == set()


def test_no_two_metrics_are_one_family_to_openmetrics() -> None:
    families = [question.name.removesuffix("_total") for question in QUESTIONS]
    assert sorted(set(families)) == sorted(families)


@pytest.mark.parametrize("question", QUESTIONS, ids=lambda question: question.name)
def test_names_follow_the_customs_of_prometheus(question: Question) -> None:
    assert re.fullmatch(r"spotward_[a-z]+(_[a-z]+)*", question.name)
    assert not question.name.endswith(("_count", "_sum", "_bucket")), "these belong to histograms"
    assert question.kind is not Kind.HISTOGRAM or question.name.endswith("_seconds"), "the unit comes last"
    assert not {"job", "instance", "le", "quantile"} & set(question.labels), "these are Prometheus' own"
    assert question.help.endswith(".")
