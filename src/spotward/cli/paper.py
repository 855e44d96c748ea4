"""How pages look to a person: one line each while they happen, and whole when somebody asks why."""

from collections.abc import Collection, Iterable, Sequence

from rich.console import Console
from rich.markup import escape

from spotward.engine.words import action_words
from spotward.model.page import Page
from spotward.model.units import clock, moment


def aligned(rows: Sequence[Sequence[str]], *, right: Collection[int] = ()) -> list[str]:
    """A line for each row, its cells below each other and two blanks apart. `right`: columns that are flush right."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  ".join(
            cell.rjust(width) if at in right else cell.ljust(width)
            for at, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]


def page_lines(page: Page) -> Iterable[str]:
    """One short line for each thing that the page says, with its reason: for following along."""
    time = clock(page.time)
    for asked in page.asked:
        if asked.action.mutates:
            yield f"{time}  [green]{escape(action_words(asked.action))}[/green]  [dim]{escape(asked.reason)}[/dim]"
    for refusal in page.refusals:
        yield f"{time}  [yellow]{escape(refusal.subject)}[/yellow]: {escape(refusal.reason)}"
    for note in page.notes:
        yield f"{time}  [cyan]{escape(note.subject)}[/cyan]: {escape(note.text)}"


def show_page(page: Page, console: Console) -> None:
    """The page, whole: what happened, what was done about it, what was not, and why."""
    console.print(f"[bold]{moment(page.time)}[/bold]  page {page.number}: {escape(page.event_text)}", soft_wrap=True)
    for asked in page.asked:
        words = action_words(asked.action) if asked.action.mutates else f"ask: {action_words(asked.action)}"
        again = f" (attempt {asked.attempt})" if asked.attempt > 1 and asked.action.mutates else ""
        console.print(f"  [green]→[/green] {escape(words)}{again}, because {escape(asked.reason)}", soft_wrap=True)
    for refusal in page.refusals:
        about = refusal.key if refusal.key == refusal.subject else f"{refusal.subject} ({refusal.key})"
        console.print(f"  [yellow]✗[/yellow] {escape(about)}: {escape(refusal.reason)}", soft_wrap=True)
    for note in page.notes:
        console.print(f"  [cyan]•[/cyan] {escape(note.subject)}: {escape(note.text)}", soft_wrap=True)
