"""What a part of the bench comes to: figures, each with the bound that it must keep, and the table of them."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table


class BenchError(Exception):
    """What was to be measured did not happen: no figure of this run means anything."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Measure:
    """One figure."""

    name: str
    figure: float
    unit: str = ""
    at_most: float | None = None
    """The bound; None where the figure is for information only."""
    at_least: float | None = None

    @property
    def ok(self) -> bool:
        """Is each bound kept?"""
        high = self.at_most is not None and self.figure > self.at_most
        low = self.at_least is not None and self.figure < self.at_least
        return not high and not low

    @property
    def bounds(self) -> str:
        """In words; empty where there is none."""
        each = (("≤", self.at_most), ("≥", self.at_least))
        return " ".join(f"{sign} {_number(bound)}" for sign, bound in each if bound is not None)


Part = Callable[[], Iterator[Measure]]
"""Measures, and yields each figure as soon as it is known."""


def show(console: Console, title: str, measures: Sequence[Measure]) -> None:
    """The table of one part."""
    table = Table(title=title, title_justify="left", title_style="bold", box=SIMPLE_HEAD, padding=(0, 1))
    table.add_column("measure", no_wrap=True)
    table.add_column("figure", justify="right", no_wrap=True)
    table.add_column("bound", justify="right", no_wrap=True)
    table.add_column("ok?", no_wrap=True)
    for each in measures:
        verdict = "" if not each.bounds else "[green]yes[/green]" if each.ok else "[red]NO[/red]"
        table.add_row(each.name, f"{_number(each.figure)} {each.unit}".rstrip(), each.bounds, verdict)
    console.print(table)


def _number(figure: float) -> str:
    """Three digits, or all of a whole number: a fourth would be noise."""
    return f"{figure:,.0f}" if figure == int(figure) or abs(figure) >= 100 else f"{figure:.3g}"
