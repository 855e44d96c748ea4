"""How long a request may take to come: who sends slowly must not take a place for long."""

from dataclasses import dataclass

from spotward.web.server import REQUEST_SECONDS_MAX


@dataclass(frozen=True, kw_only=True, slots=True)
class Hurry:
    """Each in seconds."""

    request_seconds_max: float = REQUEST_SECONDS_MAX
    """From its first byte to its last; then the connection is closed."""
    body_seconds_max: float = 10.0
    """Of its body; then it is given up with 408."""
