"""`spotward explain` and `spotward status`: what the journal tells. Both only read, also while a daemon writes."""

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from spotward.cli.paper import show_page
from spotward.engine.ports import Store
from spotward.model.page import Page
from spotward.model.undertaking import CloneState, Swap
from spotward.model.units import counted, listed, moment, span
from spotward.model.world import World

RECENT_PAGES = 2000
"""How many pages are searched for a group that was named without its region."""


async def explain(store: Store, subject: str, console: Console, *, limit: int) -> bool:
    """Print the pages about an instance, a group or a wish, oldest first. False when there are none."""
    pages = await pages_about(store, subject, limit=limit)
    for page in reversed(pages):
        show_page(page, console)
    return bool(pages)


async def pages_about(store: Store, subject: str, *, limit: int) -> tuple[Page, ...]:
    """The newest pages about a subject, newest first; a group may be named without its region."""
    pages = await store.pages(subject=subject, limit=limit)
    if pages or "/" in subject:
        return pages
    recent = await store.pages(limit=RECENT_PAGES)
    names = {name for page in recent for name in page.subjects if name.endswith(f"/{subject}")}
    found = {page.number: page for name in names for page in await store.pages(subject=name, limit=limit)}
    return tuple(found[number] for number in sorted(found, reverse=True)[:limit])


async def status(store: Store, console: Console, *, now: float) -> None:
    """Print what is under way, what waits, and what was done last."""
    remembered = await store.load()
    world = remembered.world
    _show_swaps(list(world.undertakings.values()), console, now)
    _show_waiting(world, console, now)
    ended = await store.undertakings(ended=True, limit=10)
    if ended:
        console.print("[bold]done last[/bold]")
        for each in ended:
            when = moment(each.ended_time or each.born)
            console.print(f"  {when}  {escape(each.subject)}: {escape(each.ended or '')}", soft_wrap=True)


def _show_swaps(swaps: list[Swap], console: Console, now: float) -> None:
    if not swaps:
        console.print("nothing is under way")
        return
    table = Table("swap", "since", "old", "new", "serving", "owed", title="under way", title_justify="left", box=None)
    for swap in swaps:
        serving = sum(clone.state is CloneState.SERVING for clone in swap.clones)
        table.add_row(
            escape(f"{swap.group_id} ({swap.cause})"),
            span(max(0.0, now - swap.born)),
            str(len(swap.olds)),
            str(len(swap.clones)),
            str(serving),
            str(swap.owed),
        )
    console.print(table)


def _show_waiting(world: World, console: Console, now: float) -> None:
    failed = [(key, wish) for key, wish in world.wishes.items() if wish.state == "failed"]
    for key, wish in sorted(failed, key=lambda entry: entry[0]):
        when = moment(wish.retry_time)
        console.print(f"[red]failed[/red] {escape(key)}, again at {when}: {escape(wish.reason)}", soft_wrap=True)
    for subject, text in sorted(world.verdicts.items()):
        console.print(f"[yellow]{escape(subject)}[/yellow]: {escape(text)}", soft_wrap=True)
    resting = [f"{pool} in {region}" for (region, pool), memory in world.pools.items() if memory.until > now]
    if resting:
        console.print(f"{counted(len(resting), 'pool')} at rest: {escape(listed(sorted(resting)))}", soft_wrap=True)
