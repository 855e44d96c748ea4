"""Several things said in one request: one that cannot be read does not cost the others."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from spotward.model.errors import PayloadError
from spotward.model.occurrence import Occurrence

SAID_MAX = 10_000
"""Of one request. Prometheus sends at most 256 alerts at once by default."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Heard:
    """What a request said."""

    occurrences: tuple[Occurrence, ...]
    troubles: tuple[PayloadError, ...] = ()
    """What could not be read, each with its place."""


def heard(said: Sequence[object], read: Callable[[object], Occurrence], *, noun: str) -> Heard:
    """All of it. read: one of them; raises PayloadError. Raises PayloadError when it is too much."""
    if len(said) > SAID_MAX:
        raise PayloadError(f"{len(said)} {noun}s in one request; send at most {SAID_MAX}")
    occurrences, troubles = [], []
    for number, each in enumerate(said):
        try:
            occurrences.append(read(each))
        except PayloadError as error:
            troubles.append(PayloadError(f"{noun} {number}: {error}"))
    return Heard(occurrences=tuple(occurrences), troubles=tuple(troubles))
