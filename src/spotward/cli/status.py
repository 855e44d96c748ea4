"""`spotward status`: what is under way, what waits and why, and what was done last.

It reads the journal alone, also while a daemon writes it, and asks nobody else: so it answers at once, and knows of a
group only what was remembered.
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence

from rich.console import Console
from rich.markup import escape

from spotward.cli.paper import aligned
from spotward.engine.ports import Store
from spotward.engine.words import action_words
from spotward.model.incident import Cause, Incident
from spotward.model.undertaking import CloneState, Swap, Undertaking
from spotward.model.units import counted, listed, moment, span
from spotward.model.world import World

DONE_LAST = 10
"""So many undertakings that have ended are told."""

ENDED_LOOKED_AT = 100
"""Among so many of the youngest, for the store knows them by their birth."""

VERDICTS_TOLD_MAX = 30
"""More reasons than that are no help to a person; `spotward explain` tells each about its own subject."""


async def status(store: Store, console: Console, *, now: float) -> None:
    """Print it. now: Unix seconds."""
    world = (await store.load()).world
    ended = await store.undertakings(ended=True, limit=ENDED_LOOKED_AT)
    for line in (*under_way(world, now), *waiting(world, now), *done_last(ended)):
        console.print(line, soft_wrap=True, highlight=False)


def under_way(world: World, now: float) -> Iterator[str]:
    """Each swap, each incident and each order that was begun and is not finished."""
    if not world.open_undertakings:
        yield "nothing is under way"
        return
    yield "[bold]under way[/bold]"
    yield from _swaps(world, now)
    yield from _incidents(world, now)
    yield from _orders(world, now)


def _swaps(world: World, now: float) -> Iterator[str]:
    if not world.swaps:
        return
    heading = ("group", "why", "for", "to replace", "launched", "serving")
    head, *lines = aligned([heading, *(_row(swap, now) for swap in world.swaps.by_key.values())], right={2, 3, 4, 5})
    yield f"  [dim]{head}[/dim]"
    yield from (f"  {escape(line)}" for line in lines)


def _incidents(world: World, now: float) -> Iterator[str]:
    """The nodes that are being emptied, or are about to be, the soonest deadline first."""
    if not world.incidents:
        return
    heading = ("node", "why", "for", "time left", "pods left", "state")
    rows = [_incident_row(incident, now) for incident in world.incidents.all()]
    head, *lines = aligned([heading, *rows], right={2, 3, 4})
    yield f"  [dim]{head}[/dim]"
    yield from (f"  {escape(line)}" for line in lines)


def _orders(world: World, now: float) -> Iterator[str]:
    """What plugins ordered and wait for, the oldest first."""
    if not world.orders:
        return
    heading = ("what is ordered", "by", "for", "state")
    rows = [(o.wanted.words, o.by, span(max(0.0, now - o.born)), o.progress or "noted") for o in world.orders.all()]
    head, *lines = aligned([heading, *rows], right={2})
    yield f"  [dim]{head}[/dim]"
    yield from (f"  {escape(line)}" for line in lines)


def _incident_row(incident: Incident, now: float) -> Sequence[str]:
    causes = listed([cause.value for cause in Cause if cause in incident.causes])
    left = "" if incident.deadline is None else span(max(0.0, incident.deadline - now))
    pods = str(sum(record.open for record in incident.pods)) if incident.begun_time is not None else ""
    return (
        incident.node or incident.instance_id,
        causes,
        span(max(0.0, now - incident.born)),
        left,
        pods,
        _state(incident),
    )


def _state(incident: Incident) -> str:
    if incident.off_time is not None:
        return f"its machine is {incident.off_state}"
    if incident.drained:
        return "empty"
    if incident.draining:
        return "being emptied"
    return "marked" if incident.marked else "noted"


def _row(swap: Swap, now: float) -> Sequence[str]:
    serving = sum(clone.state is CloneState.SERVING for clone in swap.clones)
    since = span(max(0.0, now - swap.born))
    return (swap.group_id, swap.cause, since, str(len(swap.olds)), str(len(swap.clones)), str(serving))


def waiting(world: World, now: float) -> Iterator[str]:
    """What failed and is asked again, what is left alone and why, and the pools that nothing is launched from."""
    failed = sorted((key, wish) for key, wish in world.wishes.items() if wish.state == "failed")
    for key, wish in failed:
        what = action_words(wish.action) if wish.action is not None else key
        again = moment(wish.retry_time)
        yield f"[red]failed:[/red] {escape(what)}: {escape(wish.reason)}; asked again at {again}"
    yield from _verdicts(world, told={key for key, _ in failed})
    resting = sorted(f"{pool} in {region}" for (region, pool), memory in world.pools.items() if memory.until > now)
    if resting:
        yield f"{counted(len(resting), 'pool')} at rest: {escape(listed(resting))}"


def _verdicts(world: World, *, told: set[str]) -> Iterator[str]:
    """One line for each reason, with all that it is about."""
    about: dict[str, list[str]] = defaultdict(list)
    for subject, text in sorted(world.verdicts.items()):
        if subject not in told:
            about[text].append(subject)
    reasons = list(about.items())
    for text, subjects in reasons[:VERDICTS_TOLD_MAX]:
        yield f"[yellow]{escape(listed(subjects))}:[/yellow] {escape(text)}"
    if len(reasons) > VERDICTS_TOLD_MAX:
        yield f"and {counted(len(reasons) - VERDICTS_TOLD_MAX, 'more reason')}; `spotward explain ID` tells each"


def done_last(ended: Sequence[Undertaking]) -> Iterator[str]:
    """What came of the last undertakings, the newest first."""
    if not ended:
        return
    yield "[bold]done last[/bold]"
    for each in sorted(ended, key=lambda one: one.ended_time or one.born, reverse=True)[:DONE_LAST]:
        yield f"  {moment(each.ended_time or each.born)}  {escape(each.subject)}: {escape(each.ended or '')}"
