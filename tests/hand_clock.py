"""A clock that goes when it is told to."""

from dataclasses import dataclass


@dataclass
class HandClock:
    """`spotward.engine.ports.Clock`, set by hand."""

    time: float
    """Unix seconds."""

    def now(self) -> float:
        return self.time

    async def sleep_until(self, moment: float) -> None:
        self.time = max(self.time, moment)

    def turn(self, seconds: float) -> None:
        """So much later."""
        self.time += seconds
