"""Swaps: those under way, and what came of those that have ended."""

from collections import Counter

from spotward.model.undertaking import SwapCause
from spotward.web.metrics.question import Answer, Question, Reading, each, each_kind, one
from spotward.web.tallies.swaps import SWAP_OUTCOMES

CAUSES = tuple(cause.value for cause in SwapCause)


def _open(reading: Reading) -> Answer:
    swaps = Counter((swap.region, swap.cause) for swap in reading.look.world.swaps.by_key.values())
    for region in reading.regions:
        for cause in SwapCause:
            yield (region, cause.value), swaps[region, cause]


def _ended(reading: Reading) -> Answer:
    ended = reading.look.swaps.ended
    return [((cause, outcome), ended.get((cause, outcome), 0)) for cause in CAUSES for outcome in SWAP_OUTCOMES]


SWAPS = (
    Question(
        name="spotward_open_swaps",
        labels=("region", "cause"),
        help="Swaps that were begun and are not finished.",
        answer=_open,
    ),
    Question(
        name="spotward_swaps_total",
        labels=("cause", "outcome"),
        help="Swaps that have ended: whole, part, none (nobody was replaced), abandoned.",
        answer=_ended,
    ),
    Question(
        name="spotward_members_replaced_total",
        labels=("cause",),
        help="Members in whose place a new one serves, counted at the end of each swap.",
        answer=each_kind(CAUSES, lambda look: look.swaps.members),
    ),
    Question(
        name="spotward_swap_seconds",
        labels=("cause",),
        help="From the beginning of a swap to its end, of those that replaced somebody.",
        answer=each(lambda look: look.swaps.seconds),
        distributed=True,
    ),
    Question(
        name="spotward_swap_left_seconds",
        help="What was left of EC2's notice when all that it was about was replaced.",
        answer=one(lambda look: look.swaps.left_seconds),
        distributed=True,
    ),
)
