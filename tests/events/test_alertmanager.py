"""Alerts, in each of the forms in which Prometheus and Alertmanager send them."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spotward.events.alertmanager import read_alerts
from spotward.events.heard import SAID_MAX
from spotward.model.errors import PayloadError
from spotward.model.occurrence import Occurrence

NOW = 1_763_800_000.0  # 2025-11-22T08:26:40Z
LABELS = {"alertname": "SpotTerminationNotice", "instance_id": "i-1", "instance": "n-1:9189"}
URL = "http://prometheus:9090/graph?g0.expr=x"


def alert(**fields: Any) -> dict[str, Any]:
    """As Prometheus 2.42 sends it to `/api/v2/alerts`."""
    return {
        "annotations": {"summary": "it goes"},
        "endsAt": "2025-11-22T08:30:41.000Z",
        "startsAt": "2025-11-22T08:26:01.123Z",
        "generatorURL": URL,
        "labels": LABELS,
    } | fields


def read(*alerts: dict[str, Any]) -> tuple[Occurrence, ...]:
    return read_alerts(json.dumps(alerts), now=NOW).occurrences


def test_an_alert_that_fires_becomes_an_occurrence_of_its_name() -> None:
    (heard,) = read(alert())
    assert heard.type == "prometheus.server.alert.SpotTerminationNotice"
    assert heard.source == URL
    assert heard.subject == "i-1"
    assert heard.time == pytest.approx(1_763_799_961.123)
    assert heard.labels == LABELS
    assert heard.data["annotations"] == {"summary": "it goes"}
    assert heard.data["status"] == "firing"


def test_an_alert_that_is_over_is_of_another_type_and_another_occurrence() -> None:
    (fires,) = read(alert())
    (over,) = read(alert(endsAt="2025-11-22T08:26:39Z"))
    assert over.type == "prometheus.server.alert.SpotTerminationNotice.resolved"
    assert over.resolved
    assert over.time == 1_763_799_999.0
    assert over.identity != fires.identity


def test_an_alert_that_is_sent_again_is_the_same_and_one_that_fires_anew_is_not() -> None:
    (first,), (again,) = read(alert()), read(alert(endsAt="2025-11-22T08:31:41.000Z", annotations={}))
    (anew,) = read(alert(startsAt="2025-11-22T08:26:30Z"))
    (other,) = read(alert(labels=LABELS | {"instance_id": "i-2"}))
    assert first.identity == again.identity
    assert len({first.identity, anew.identity, other.identity}) == 3


def test_the_year_one_is_no_end() -> None:
    (heard,) = read(alert(endsAt="0001-01-01T00:00:00Z"))
    assert not heard.resolved
    (silent,) = read(alert(endsAt=""))
    assert not silent.resolved


def test_a_webhook_of_alertmanager_says_itself_what_is_over() -> None:
    body = {
        "version": "4",
        "groupKey": '{}:{alertname="x"}',
        "receiver": "spotward",
        "status": "firing",
        "externalURL": "http://alertmanager:9093",
        "alerts": [
            alert(status="firing", endsAt="0001-01-01T00:00:00Z", fingerprint="f"),
            alert(status="resolved", endsAt="2025-11-22T08:30:00Z", fingerprint="f"),
        ],
    }
    fires, over = read_alerts(json.dumps(body), now=NOW).occurrences
    assert (fires.resolved, over.resolved) == (False, True)
    assert fires.data["receiver"] == "spotward"
    assert over.time == 1_763_800_200.0, "its end is believed, though our clock is not there yet"


def test_one_that_cannot_be_read_costs_the_others_nothing() -> None:
    heard = read_alerts(json.dumps([alert(), 3, alert(labels={}), alert(labels={"alertname": 5})]), now=NOW)
    assert len(heard.occurrences) == 1
    assert [str(each) for each in heard.troubles] == [
        "alert 1: it is a number; send alerts as Prometheus or Alertmanager does",
        "alert 2: it has no label `alertname`; alerts of Prometheus always have one",
        "alert 3: its labels have 'alertname' as a number; send texts",
    ]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{", "not JSON"),
        ('{"a": 1}', "an object and no list of alerts"),
        ("3", "a number and no list of alerts"),
        ("[" * 100_000, "nested too deeply"),
        (json.dumps([{}] * (SAID_MAX + 1)), "send at most 10000"),
    ],
)
def test_what_is_no_list_of_alerts_is_said(text: str, words: str) -> None:
    with pytest.raises(PayloadError, match=words):
        read_alerts(text, now=NOW)


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=10,
)
FIELDS = st.sampled_from(["labels", "annotations", "startsAt", "endsAt", "generatorURL", "status", "alertname"])


@given(st.lists(st.dictionaries(FIELDS, JSON_VALUES | st.dictionaries(FIELDS, st.text())), max_size=3))
def test_no_alert_whatever_it_holds_breaks_the_reader(alerts: list[dict[str, Any]]) -> None:
    heard = read_alerts(json.dumps(alerts), now=NOW)
    assert len(heard.occurrences) + len(heard.troubles) == len(alerts)


@given(st.text())
def test_no_text_breaks_the_reader(text: str) -> None:
    try:
        read_alerts(text, now=NOW)
    except PayloadError:
        return
