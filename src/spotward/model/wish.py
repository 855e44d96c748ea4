"""Where a wish stands, and how long one that failed waits before it is asked again.

The pause is the whole of retry: it doubles with each failure in a row and is remembered over a restart.
"""

from dataclasses import dataclass

from spotward.model.action import Action
from spotward.model.event import Failed
from spotward.model.node_action import NodeAction

RETRY_PAUSE_FIRST_SECONDS = 2.0
"""How long a failed wish waits before it is asked again; doubled at each further failure."""

RETRY_PAUSE_SECONDS_MAX = 600.0
"""A wish that keeps failing is asked again at least this often, so that a mended permission is noticed."""

NODE_RETRY_PAUSE_SECONDS_MAX = 8.0
"""The same for what is asked about a node: of two minutes none may be slept away. An API server that was away for half
a minute is asked again within this."""


@dataclass(frozen=True, kw_only=True, slots=True)
class WishState:
    """Where a wish stands: asked (in flight) or failed (waiting for `retry_time`). A wish done is forgotten."""

    attempt: int
    state: str
    """`asked` or `failed`"""
    time: float
    retry_time: float = 0.0
    failures: int = 0
    """How often it failed in a row; repetitions of one attempt count too."""
    reason: str = ""
    action: Action | None = None
    """The action in full: its effect is folded in when its outcome comes."""
    lost: bool = False
    """An answer to it was lost, so it may have been done although it failed later."""


def retry_pause_seconds(failures: int) -> float:
    """How long the wish waits after failing so often in a row."""
    return float(min(RETRY_PAUSE_FIRST_SECONDS * 2 ** min(failures - 1, 20), RETRY_PAUSE_SECONDS_MAX))


def failed(known: WishState | None, event: Failed) -> WishState:
    """Where a wish stands once it failed (again)."""
    failures = known.failures + 1 if known else 1
    action = known.action if known else None
    longest = NODE_RETRY_PAUSE_SECONDS_MAX if isinstance(action, NodeAction) else RETRY_PAUSE_SECONDS_MAX
    pause = min(max(event.retry_after_seconds, retry_pause_seconds(failures)), longest)
    return WishState(
        attempt=known.attempt if known else event.attempt,
        state="failed",
        time=event.time,
        retry_time=event.time + pause,
        failures=failures,
        reason=event.reason,
        action=action,
        lost=event.outcome_unknown or (known is not None and known.lost),
    )
