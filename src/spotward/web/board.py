"""A large page of metrics whose parts are written when they change and not when they are read.

A part is what one region has of one metric. It is kept packed, so that a million samples take a few megabytes; whoever
takes no gzip has it unpacked for him. What changes from scrape to scrape (ages, counters) comes last and is small.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from spotward.web.exposition import Family, head, lines, rendered
from spotward.web.packed import Stretch, gzip_of, packed


@dataclass(frozen=True, kw_only=True, slots=True)
class Part:
    """One metric of one region."""

    stretch: Stretch
    samples: int


class Board:
    """All parts. Only gauges stand on it: their headings are the same in both of Prometheus' formats."""

    def __init__(self, families: Sequence[Family]) -> None:
        """families: the metrics, in the order of the page, without samples."""
        self._heads = {family.name: packed(head(family).encode()) for family in families}
        self._parts: dict[str, Mapping[str, Part]] = {}

    def written(self, region: str, families: Iterable[Family]) -> dict[str, Part]:
        """A region's parts; what reads as before is not packed again. Changes nothing: it may run in a thread."""
        before = self._parts.get(region, {})
        return {each.name: _part(each, before.get(each.name)) for each in families if each.samples}

    def hang(self, region: str, parts: Mapping[str, Part]) -> None:
        """From now on this is what the region has."""
        self._parts[region] = parts

    def take_down(self, region: str) -> None:
        """The region has nothing any more."""
        self._parts.pop(region, None)

    def samples(self, region: str) -> int:
        """How many samples of the region stand here."""
        return sum(part.samples for part in self._parts.get(region, {}).values())

    def stretches(self) -> Iterable[Stretch]:
        """All that stands here, metric by metric, as both formats want it."""
        regions = sorted(self._parts)
        for name, heading in self._heads.items():
            parts = [part.stretch for region in regions if (part := self._parts[region].get(name)) is not None]
            if parts:
                yield from (heading, *parts)


def page_of(standing: Iterable[Stretch], last: Iterable[Family], *, openmetrics: bool, gzip: bool) -> bytes:
    """The whole page. last: what stands at its end, written now."""
    stretches = [*standing, packed(rendered(last, openmetrics=openmetrics).encode())]
    return gzip_of(stretches) if gzip else b"".join(one.text for one in stretches)


def _part(family: Family, before: Part | None) -> Part:
    text = lines(family).encode()
    if before is not None and before.stretch.text == text:
        return before
    return Part(stretch=packed(text), samples=len(family.samples))
