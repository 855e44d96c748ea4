"""Answers every question from one look, for Prometheus."""

import math
from collections.abc import Iterable

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.exposition import choose_encoder
from prometheus_client.metrics_core import Metric
from prometheus_client.process_collector import ProcessCollector
from prometheus_client.registry import Collector

from spotward.model.histogram import Distribution
from spotward.web.figures import figures
from spotward.web.metrics import QUESTIONS
from spotward.web.metrics.question import Kind, Question, Reading
from spotward.web.view import Look


class Exporter(Collector):
    """The page of one look."""

    def __init__(self, look: Look) -> None:
        self._look = look

    def collect(self) -> Iterable[Metric]:
        """The families, in the order of the questions, and what the process itself weighs."""
        reading = Reading(look=self._look, groups=figures(self._look.world, self._look.policy, time=self._look.time))
        for question in QUESTIONS:
            yield _family(question, reading)
        yield from ProcessCollector(registry=None).collect()


def _family(question: Question, reading: Reading) -> Metric:
    if question.kind is Kind.HISTOGRAM:
        return _histogram(question, reading)
    make = CounterMetricFamily if question.kind is Kind.COUNTER else GaugeMetricFamily
    family = make(question.name, question.help, labels=question.labels)
    for labels, value in question.answer(reading):
        assert not isinstance(value, Distribution), question.name
        family.add_metric(labels, float(value))
    return family


def _histogram(question: Question, reading: Reading) -> Metric:
    family = HistogramMetricFamily(question.name, question.help, labels=question.labels)
    for labels, value in question.answer(reading):
        assert isinstance(value, Distribution), question.name
        buckets = [(_bound(bound), number) for bound, number in value.buckets]
        family.add_metric(labels, buckets, sum_value=value.total)
    return family


def _bound(bound: float) -> str:
    return "+Inf" if math.isinf(bound) else str(bound)


def rendered(look: Look, accept: str) -> tuple[bytes, str]:
    """The metrics as text, and its content type: OpenMetrics for a scraper that accepts it, else Prometheus' own."""
    encode, content_type = choose_encoder(accept)
    return encode(Exporter(look)), content_type
