"""Leaving a plugin alone that cannot be reached, so that steps hear it at once instead of after their whole time.

Only what says nothing of the step counts: no connection, no answer in time, a server that is shutting down. An answer,
even one of failure, shows that the plugin is there.
"""

from dataclasses import dataclass, field

FAILURES_MAX = 5
"""After so many failures to reach a plugin in a row it is left alone, unless the operator says otherwise."""

REST_SECONDS = 30.0
"""For so long, at first."""

REST_SECONDS_MAX = 600.0


@dataclass(kw_only=True, slots=True)
class Breaker:
    """Counts failures in a row, and says when to try again. Times are those of one clock, in seconds."""

    failures_max: int = FAILURES_MAX
    rest_seconds: float = REST_SECONDS
    failures: int = 0
    rests: int = 0
    """How often in a row it was left alone."""
    until: float = 0.0
    """Left alone until then."""
    trying: bool = field(default=False)
    """One call is finding out whether it is back."""

    @property
    def open(self) -> bool:
        """Did it miss too often in a row, and has not answered since?"""
        return self.failures >= self.failures_max

    def seconds_left(self, now: float) -> float | None:
        """How long it is still left alone; None when a call may go. After the rest one call alone may, as a trial."""
        if not self.open:
            return None
        if now < self.until:
            return self.until - now
        if self.trying:
            return self.rest_seconds
        self.trying = True
        return None

    def reached(self) -> None:
        """It answered."""
        self.failures, self.rests, self.trying = 0, 0, False

    def missed(self, now: float) -> None:
        """It could not be reached."""
        self.failures, self.trying = self.failures + 1, False
        if self.open:
            self.until = now + min(self.rest_seconds * 2**self.rests, REST_SECONDS_MAX)
            self.rests = min(self.rests + 1, 10)

    def undecided(self) -> None:
        """The call was given up by whoever wanted it: nothing is known."""
        self.trying = False
