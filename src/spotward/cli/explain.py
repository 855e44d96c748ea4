"""`spotward explain`: the pages of the journal about one thing. It only reads, also while a daemon writes."""

from rich.console import Console

from spotward.cli.paper import show_page
from spotward.engine.ports import Store
from spotward.model.page import Page

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
