"""The metrics: each is a question put to the World, and is answered when Prometheus asks.

So there is no gauge that somebody forgot to set back. What the World cannot know, because it is not about the cloud
(events, pages, deeds), is counted by the `View` from the start of the process on.

Labels have bounds: groups in scope, regions that are looked after, and kinds that the code itself names. No instance,
no price list, no error text ever becomes a label. `docs/reference/metrics.md` lists every question below, and a test
holds the two together.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.exposition import choose_encoder
from prometheus_client.metrics_core import Metric
from prometheus_client.process_collector import ProcessCollector
from prometheus_client.registry import Collector

from spotward import __version__
from spotward.model.undertaking import SwapCause
from spotward.web.figures import Figures, figures
from spotward.web.node_questions import (
    nodes,
    nodes_drained,
    open_incidents,
    pods_gone,
    pods_held,
    tagged_instances,
    tagged_nodes,
)
from spotward.web.view import ACTION_KINDS, DEED_KINDS, DEED_OUTCOMES, EVENT_KINDS, REFUSALS_ABOUT, Look

NEVER = float("inf")
"""The age of what was never seen: it is above any limit that an alert may have."""

Labels = tuple[str, ...]
Answer = Iterable[tuple[Labels, float]]


@dataclass(frozen=True, kw_only=True, slots=True)
class Reading:
    """One look, and the figures of its groups, worked out once for all questions."""

    look: Look
    groups: list[Figures]

    @property
    def regions(self) -> tuple[str, ...]:
        """The regions that are looked after."""
        return self.look.regions


@dataclass(frozen=True, kw_only=True, slots=True)
class Question:
    """One family of metrics."""

    name: str
    """As it stands in the samples: a counter's ends in `_total`."""
    help: str
    answer: Callable[[Reading], Answer]
    labels: Labels = ()

    @property
    def is_counter(self) -> bool:
        """Does it only ever rise, from the start of the process on?"""
        return self.name.endswith("_total")


# ---- ways to answer ------------------------------------------------------------------------------------------


def _each_group(figure: Callable[[Figures], float | None]) -> Callable[[Reading], Answer]:
    """One sample for each group of which it is known."""

    def answer(reading: Reading) -> Answer:
        for group in reading.groups:
            value = figure(group)
            if value is not None:
                yield (group.region, group.group), value

    return answer


def _one(value: Callable[[Look], float]) -> Callable[[Reading], Answer]:
    """A single sample."""
    return lambda reading: [((), value(reading.look))]


def _each_kind(kinds: Iterable[str], counts: Callable[[Look], Mapping[str, int]]) -> Callable[[Reading], Answer]:
    """One sample for each kind, 0 included, so that a rate is right from the first event on."""

    def answer(reading: Reading) -> Answer:
        counted = counts(reading.look)
        return [((kind,), counted.get(kind, 0)) for kind in kinds]

    return answer


def _members(reading: Reading) -> Answer:
    for group in reading.groups:
        for lifecycle, number in group.members.items():
            yield (group.region, group.group, lifecycle), number


def _saving_per_hour(reading: Reading) -> Answer:
    for group in reading.groups:
        if group.saving is not None:
            yield (group.region, group.group, group.saving.currency), group.saving.per_hour


def _saving_age_seconds(reading: Reading) -> Answer:
    for group in reading.groups:
        if group.saving is not None:
            yield (group.region, group.group), max(0.0, reading.look.time - group.saving.price_time)


def _open_swaps(reading: Reading) -> Answer:
    swaps = Counter((swap.region, swap.cause) for swap in reading.look.world.swaps.by_key.values())
    for region in reading.regions:
        for cause in SwapCause:
            yield (region, cause.value), swaps[region, cause]


def _pools_resting(reading: Reading) -> Answer:
    resting = Counter(
        region for (region, _), memory in reading.look.world.pools.items() if memory.until > reading.look.time
    )
    return [((region,), resting[region]) for region in reading.regions]


def _observation_age_seconds(reading: Reading) -> Answer:
    for region in reading.regions:
        observed = reading.look.world.observed.get(region)
        yield (region,), NEVER if observed is None else max(0.0, reading.look.time - observed)


def _deeds(reading: Reading) -> Answer:
    for kind in DEED_KINDS:
        for outcome in DEED_OUTCOMES:
            yield (kind, outcome), reading.look.deeds.get((kind, outcome), 0)


def _wishes_waiting(look: Look) -> Mapping[str, int]:
    failed = (wish.action for wish in look.world.wishes.values() if wish.state == "failed")
    return Counter(action.kind for action in failed if action is not None)


def _aws_calls(reading: Reading) -> Answer:
    return [((operation,), number) for operation, number in sorted(reading.look.aws_calls.items())]


# ---- the questions -------------------------------------------------------------------------------------------

GROUP = ("region", "group")

QUESTIONS = (
    Question(
        name="spotward_group_members",
        labels=(*GROUP, "lifecycle"),
        help="Members of a group by how they are bought, without those that are leaving.",
        answer=_members,
    ),
    Question(
        name="spotward_group_members_in_service",
        labels=GROUP,
        help="Members that are in service and healthy.",
        answer=_each_group(lambda group: group.in_service),
    ),
    Question(
        name="spotward_group_members_waiting",
        labels=GROUP,
        help="Members that are to be replaced and that no swap has taken up yet.",
        answer=_each_group(lambda group: group.waiting),
    ),
    Question(
        name="spotward_group_desired_capacity",
        labels=GROUP,
        help="Desired capacity as its owner has it, without what open swaps have added for the time being.",
        answer=_each_group(lambda group: group.desired),
    ),
    Question(
        name="spotward_group_on_demand_wanted",
        labels=GROUP,
        help="Members that are to stay on demand, by the group's base and percentage.",
        answer=_each_group(lambda group: group.on_demand_wanted),
    ),
    Question(
        name="spotward_group_left_alone",
        labels=GROUP,
        help="1 while something keeps members that could be replaced as they are, else 0.",
        answer=_each_group(lambda group: group.left_alone),
    ),
    Question(
        name="spotward_group_pause_seconds",
        labels=GROUP,
        help="For how long a group is still left alone after a swap of it failed; 0 when it is not.",
        answer=_each_group(lambda group: group.pause_seconds),
    ),
    Question(
        name="spotward_group_saving_estimate_per_hour",
        labels=(*GROUP, "currency"),
        help="Estimate: what Spot members with known prices cost less per hour than on-demand, at the last ranking.",
        answer=_saving_per_hour,
    ),
    Question(
        name="spotward_group_saving_estimate_members",
        labels=GROUP,
        help="Spot members that the estimate of the saving counts.",
        answer=_each_group(lambda group: group.saving.members if group.saving else None),
    ),
    Question(
        name="spotward_group_saving_estimate_age_seconds",
        labels=GROUP,
        help="Age of the oldest prices behind the estimate of the saving.",
        answer=_saving_age_seconds,
    ),
    Question(
        name="spotward_open_swaps",
        labels=("region", "cause"),
        help="Swaps that were begun and are not finished.",
        answer=_open_swaps,
    ),
    Question(
        name="spotward_pools_resting",
        labels=("region",),
        help="Pools that are left alone because they ran dry or were interrupted lately.",
        answer=_pools_resting,
    ),
    Question(
        name="spotward_observation_age_seconds",
        labels=("region",),
        help="How long ago a region was last seen whole; +Inf when it never was.",
        answer=_observation_age_seconds,
    ),
    Question(
        name="spotward_events_total",
        labels=("kind",),
        help="Events that were thought about and stored.",
        answer=_each_kind(EVENT_KINDS, lambda look: look.events),
    ),
    Question(
        name="spotward_pages_total",
        help="Pages written to the journal.",
        answer=_one(lambda look: look.pages),
    ),
    Question(
        name="spotward_deeds_total",
        labels=("kind", "outcome"),
        help="Deeds that were answered: done, failed, nothing (an empty fleet), unknown (no answer came).",
        answer=_deeds,
    ),
    Question(
        name="spotward_refusals_total",
        labels=("about",),
        help="Refusals whose words were new: of a deed by a guard, or of replacing a group's members or one member.",
        answer=_each_kind(REFUSALS_ABOUT, lambda look: look.refusals),
    ),
    Question(
        name="spotward_nodes",
        labels=("state",),
        help="Nodes of the cluster: ready, not-ready, or cordoned by whomever.",
        answer=lambda reading: nodes(reading.look.world),
    ),
    Question(
        name="spotward_tagged_instances",
        help="Running instances that are known and carry the cluster's tag (any cluster's where it has no name).",
        answer=_one(lambda look: tagged_instances(look.world, look.cluster)),
    ),
    Question(
        name="spotward_tagged_nodes",
        help="Those of them that are nodes of the cluster.",
        answer=_one(lambda look: tagged_nodes(look.world, look.cluster)),
    ),
    Question(
        name="spotward_incidents",
        labels=("cause",),
        help="Open incidents of nodes, by what was heard; one may count under several causes.",
        answer=lambda reading: open_incidents(reading.look.world),
    ),
    Question(
        name="spotward_pods_held",
        help="Pods that a disruption budget or the like keeps on a node that is being emptied.",
        answer=_one(lambda look: pods_held(look.world)),
    ),
    Question(
        name="spotward_nodes_drained_total",
        labels=("cause",),
        help="Nodes that were emptied.",
        answer=lambda reading: nodes_drained(reading.look.drains),
    ),
    Question(
        name="spotward_drain_seconds_total",
        help="How long emptying them took, all together.",
        answer=_one(lambda look: look.drains.seconds),
    ),
    Question(
        name="spotward_drain_spare_seconds_total",
        help="How much time was left before their deadlines, all together.",
        answer=_one(lambda look: look.drains.spare_seconds),
    ),
    Question(
        name="spotward_pods_gone_total",
        labels=("how",),
        help="Pods of such nodes: graceful, shortened, past-budget, killed.",
        answer=lambda reading: pods_gone(reading.look.drains),
    ),
    Question(
        name="spotward_aws_calls_total",
        labels=("operation",),
        help="Calls made to AWS.",
        answer=_aws_calls,
    ),
    Question(
        name="spotward_deliveries_unreadable_total",
        help="Deliveries that could not be read and were set aside.",
        answer=_one(lambda look: look.shell.unreadable),
    ),
    Question(
        name="spotward_faults_total",
        help="Events that were set aside because of a fault in Spotward.",
        answer=_one(lambda look: look.shell.faults),
    ),
    Question(
        name="spotward_inbox_depth",
        help="Events that wait to be thought about.",
        answer=_one(lambda look: look.shell.inbox_depth),
    ),
    Question(
        name="spotward_actions_under_way",
        labels=("kind",),
        help="Deeds and questions that were begun and are not answered.",
        answer=_each_kind(ACTION_KINDS, lambda look: look.shell.under_way),
    ),
    Question(
        name="spotward_wishes_waiting",
        labels=("kind",),
        help="Deeds and questions that failed and wait to be asked again.",
        answer=_each_kind(ACTION_KINDS, _wishes_waiting),
    ),
    Question(
        name="spotward_sources_unheard",
        help="Sources of events that cannot be heard now.",
        answer=_one(lambda look: len(look.shell.sources_unheard)),
    ),
    Question(
        name="spotward_journal_writable",
        help="1 while the journal can be written, 0 while not; nothing is done then.",
        answer=_one(lambda look: look.shell.store_trouble is None),
    ),
    Question(
        name="spotward_acting",
        help="1 while this process may begin deeds, 0 while it stands by or cannot renew its lease on the journal.",
        answer=_one(lambda look: look.shell.acting),
    ),
    Question(
        name="spotward_build_info",
        labels=("version",),
        help="Always 1; the version is a label.",
        answer=lambda _: [((__version__,), 1)],
    ),
)


# ---- the exporter --------------------------------------------------------------------------------------------


class Exporter(Collector):
    """Answers every question from one look."""

    def __init__(self, look: Look) -> None:
        self._look = look

    def collect(self) -> Iterable[Metric]:
        """The families, in the order of the questions, and what the process itself weighs."""
        reading = Reading(look=self._look, groups=figures(self._look.world, self._look.policy, time=self._look.time))
        for question in QUESTIONS:
            yield _family(question, reading)
        yield from ProcessCollector(registry=None).collect()


def _family(question: Question, reading: Reading) -> Metric:
    make = CounterMetricFamily if question.is_counter else GaugeMetricFamily
    family = make(question.name, question.help, labels=question.labels)
    for labels, value in question.answer(reading):
        family.add_metric(labels, float(value))
    return family


def rendered(look: Look, accept: str) -> tuple[bytes, str]:
    """The metrics as text, and its content type: OpenMetrics for a scraper that accepts it, else Prometheus' own."""
    encode, content_type = choose_encoder(accept)
    return encode(Exporter(look)), content_type
