"""The work itself: what came in, what was decided and done, what waits, and the journal."""

from collections import Counter
from collections.abc import Mapping

from spotward import __version__
from spotward.web.metrics.question import Answer, Question, Reading, each, each_kind, one
from spotward.web.refusals import REFUSALS
from spotward.web.tallies.deeds import DEED_OUTCOMES
from spotward.web.view import ACTION_KINDS, DEED_KINDS, EVENT_KINDS, Look

NEVER = float("inf")
"""The age of what was never seen: it is above any limit that an alert may have."""


def _observation_age_seconds(reading: Reading) -> Answer:
    for region in reading.regions:
        observed = reading.look.world.observed.get(region)
        yield (region,), NEVER if observed is None else max(0.0, reading.look.time - observed)


def _source_ages(reading: Reading) -> Answer:
    heard = reading.look.shell.source_heard
    return [((source,), max(0.0, reading.look.time - time)) for source, time in sorted(heard.items())]


def _deeds(reading: Reading) -> Answer:
    answered = reading.look.deeds.answered
    return [((kind, outcome), answered.get((kind, outcome), 0)) for kind in DEED_KINDS for outcome in DEED_OUTCOMES]


def _refusals(reading: Reading) -> Answer:
    return [(each, reading.look.refusals.get(each, 0)) for each in REFUSALS]


def _wishes_waiting(look: Look) -> Mapping[str, int]:
    failed = (wish.action for wish in look.world.wishes.values() if wish.state == "failed")
    return Counter(action.kind for action in failed if action is not None)


def _aws_calls(reading: Reading) -> Answer:
    return [((operation,), number) for operation, number in sorted(reading.look.aws_calls.items())]


WORK = (
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
        answer=each_kind(EVENT_KINDS, lambda look: look.events),
    ),
    Question(
        name="spotward_events_heard_total",
        labels=("source", "kind"),
        help="Events that came in from outside, by the source or the door that they came by.",
        answer=each(lambda look: look.shell.heard),
    ),
    Question(
        name="spotward_source_heard_age_seconds",
        labels=("source",),
        help="How long ago a source last said anything, even that there is nothing.",
        answer=_source_ages,
    ),
    Question(
        name="spotward_sources_unheard",
        help="Sources of events that cannot be heard now.",
        answer=one(lambda look: len(look.shell.sources_unheard)),
    ),
    Question(
        name="spotward_deliveries_unreadable_total",
        help="Deliveries that could not be read and were set aside.",
        answer=one(lambda look: look.shell.unreadable),
    ),
    Question(
        name="spotward_faults_total",
        help="Events that were set aside because of a fault in Spotward.",
        answer=one(lambda look: look.shell.faults),
    ),
    Question(
        name="spotward_inbox_depth",
        help="Events that wait to be thought about.",
        answer=one(lambda look: look.shell.inbox_depth),
    ),
    Question(
        name="spotward_pages_total",
        help="Pages written to the journal.",
        answer=one(lambda look: look.pages),
    ),
    Question(
        name="spotward_deeds_total",
        labels=("kind", "outcome"),
        help="Deeds that were answered: done, failed, nothing (an empty fleet), unknown (no answer came).",
        answer=_deeds,
    ),
    Question(
        name="spotward_deed_seconds",
        labels=("kind",),
        help="From asking for a deed to its answer, waiting for room included.",
        answer=each(lambda look: look.deeds.seconds),
        distributed=True,
    ),
    Question(
        name="spotward_refusals_total",
        labels=("about", "reason"),
        help="Refusals whose words were new: of a deed by a guard, or of touching a group, a member or a node.",
        answer=_refusals,
    ),
    Question(
        name="spotward_actions_under_way",
        labels=("kind",),
        help="Deeds and questions that were begun and are not answered.",
        answer=each_kind(ACTION_KINDS, lambda look: look.shell.under_way),
    ),
    Question(
        name="spotward_wishes_waiting",
        labels=("kind",),
        help="Deeds and questions that failed and wait to be asked again.",
        answer=each_kind(ACTION_KINDS, _wishes_waiting),
    ),
    Question(
        name="spotward_aws_calls_total",
        labels=("operation",),
        help="Calls made to AWS.",
        answer=_aws_calls,
    ),
    Question(
        name="spotward_aws_retries_total",
        labels=("operation",),
        help="Calls to AWS that were sent again, because they were throttled or a connection broke.",
        answer=each(lambda look: {(operation,): number for operation, number in look.aws_retries.items()}),
    ),
    Question(
        name="spotward_journal_write_seconds",
        help="How long a commit to the journal took.",
        answer=one(lambda look: look.shell.write_seconds),
        distributed=True,
    ),
    Question(
        name="spotward_journal_writable",
        help="1 while the journal can be written, 0 while not; nothing is done then.",
        answer=one(lambda look: look.shell.store_trouble is None),
    ),
    Question(
        name="spotward_acting",
        help="1 while this process may begin deeds, 0 while it stands by or cannot renew its lease on the journal.",
        answer=one(lambda look: look.shell.acting),
    ),
    Question(
        name="spotward_standby",
        help="1 while this process waits to take over and another acts, else 0.",
        answer=one(lambda look: look.shell.standby is not None),
    ),
    Question(
        name="spotward_build_info",
        labels=("version",),
        help="Always 1; the version is a label.",
        answer=lambda _: [((__version__,), 1)],
    ),
)
