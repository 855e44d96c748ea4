"""The plan for people: what becomes of each member, under the reason that it shares with others.

A line holds one member and fits 80 columns as long as its names are short; a longer one is not folded, so that `grep`
and `awk` find a member on one line.
"""

from collections.abc import Iterable, Iterator, Sequence

from rich.console import Console
from rich.markup import escape

from spotward.cli.paper import aligned
from spotward.cli.plan import GroupPlan, MemberPlan, PlanDocument
from spotward.model.units import HOURS_PER_MONTH, counted, listed

NO_PRICE = "–"

COLOURS = {"keep": "dim", "replace by Spot": "green", "replace by on-demand": "yellow"}
"""How a fate is shown where there are colours."""


def show(document: PlanDocument, console: Console) -> None:
    """The plan, and one line of sum."""
    for line in plan_lines(document):
        console.print(line, soft_wrap=True, highlight=False)


def plan_lines(document: PlanDocument) -> Iterator[str]:
    """With rich's markup."""
    for group in document.groups:
        if group.in_scope:
            yield from _group_lines(group)
            yield ""
    outside = [group for group in document.groups if not group.in_scope]
    if outside:
        yield "[bold]not in scope[/bold]"
        rows = [(f"{group.region}/{group.name}", group.left_alone or "") for group in outside]
        yield from (f"  {escape(line)}" for line in aligned(rows))
        yield ""
    yield escape(_sum(document))


def _group_lines(group: GroupPlan) -> Iterator[str]:
    sizes = f"desired {group.desired_capacity} (min {group.min_size}, max {group.max_size})"
    kept = "" if group.on_demand_wanted is None else f", {group.on_demand_wanted} to stay on demand"
    yield f"[bold]{escape(f'{group.region}/{group.name}')}[/bold]: {sizes}{kept}"
    if group.left_alone is not None:
        yield f"  [yellow]left alone:[/yellow] {escape(group.left_alone)}"
    if not group.members:
        return
    heading = ("member", "type", "zone", f"{group.currency}/h", "then", "pool (+ others)")
    head, *lines = aligned([heading, *map(_row, group.members)], right={3, 4})
    yield f"[dim]    {head}[/dim]"
    shown = dict(zip(group.members, lines, strict=True))
    for (fate, reason), members in _by_reason(group.members):
        yield f"  [{COLOURS[fate]}]{fate}[/{COLOURS[fate]}] ({escape(reason)})"
        yield from (f"    {escape(shown[member])}" for member in members)


def _row(member: MemberPlan) -> Sequence[str]:
    then = "" if member.fate == "keep" else _price(member.price_per_hour_then)
    others = f" (+{len(member.pools) - 1})" if len(member.pools) > 1 else ""
    pool = f"{member.pools[0].instance_type}{others}" if member.pools else ""
    now = _price(member.price_per_hour_now)
    return (member.instance_id, member.instance_type, member.availability_zone, now, then, pool)


def _by_reason(members: Iterable[MemberPlan]) -> list[tuple[tuple[str, str], list[MemberPlan]]]:
    """Members that share a fate and its reason; what is replaced comes first."""
    shared: dict[tuple[str, str], list[MemberPlan]] = {}
    for member in members:
        shared.setdefault((member.fate, member.reason), []).append(member)
    return sorted(shared.items(), key=lambda entry: entry[0][0] == "keep")


def _price(price: float | None) -> str:
    return NO_PRICE if price is None else f"{price:.4f}"


def _sum(document: PlanDocument) -> str:
    moving = [(g, m) for g in document.groups if g.left_alone is None for m in g.members if m.fate != "keep"]
    if not moving:
        return _nothing(document)
    words = f"{counted(len(moving), 'member')} to replace"
    known = [
        (m.price_per_hour_now, m.price_per_hour_then)
        for _, m in moving
        if m.price_per_hour_now is not None and m.price_per_hour_then is not None
    ]
    now, then = sum(now for now, _ in known), sum(then for _, then in known)
    if now <= 0:
        return words
    currency = moving[0][0].currency
    change, month = abs(1 - then / now), f"{abs(now - then) * HOURS_PER_MONTH:,.0f} {currency} a month"
    some = "" if len(known) == len(moving) else f" for the {len(known)} with known prices"
    gain = "a saving of" if then <= now else "more by"
    return f"{words}: {now:.4f} → {then:.4f} {currency}/h{some}, {gain} {change:.0%} or {month}"


def _nothing(document: PlanDocument) -> str:
    """Why there is nothing to do, where that may be a surprise."""
    where = listed(document.regions)
    if not document.groups:
        return f"nothing to do: there is no Auto Scaling group in {where}"
    if not any(group.in_scope for group in document.groups):
        return f"nothing to do: no group in {where} has opted in"
    return "nothing to do"
