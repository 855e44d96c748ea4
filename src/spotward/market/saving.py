"""How much of what Spot can save an instance has got."""

from math import isfinite


def cost_score(price: float, *, cheapest: float | None, on_demand: float | None) -> float | None:
    """1: nothing that can do its work costs less in its zone; 0: it costs what on-demand does, or more.

    Linear between: 1 - (price - cheapest) / (on_demand - cheapest). None where one of the three is not known. Where
    nothing is cheaper than on-demand, there is nothing to save, and whoever pays no more than that has it all.

    price, cheapest, on_demand: per hour, in one currency; cheapest is that of the pools that can stand in for it,
    infinite where none costs less than on-demand.
    """
    if on_demand is None or cheapest is None or not (isfinite(price) and isfinite(on_demand)):
        return None
    least = min(price, cheapest)
    if on_demand <= least:
        return 1.0 if price <= on_demand else 0.0
    return min(1.0, max(0.0, 1 - (price - least) / (on_demand - least)))
