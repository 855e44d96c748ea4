"""The score of an instance's cost: how much of what can be saved is saved."""

from math import inf, nan

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spotward.market.saving import cost_score

prices = st.floats(min_value=0.0001, max_value=1000)


@pytest.mark.parametrize(
    ("price", "cheapest", "on_demand", "score"),
    [
        (0.03, 0.03, 0.10, 1.0),
        (0.02, 0.03, 0.10, 1.0),
        (0.10, 0.03, 0.10, 0.0),
        (0.12, 0.03, 0.10, 0.0),
        (0.065, 0.03, 0.10, 0.5),
        (0.10, 0.10, 0.10, 1.0),
        (0.11, 0.10, 0.10, 0.0),
        (0.09, inf, 0.10, 1.0),
        (0.10, inf, 0.10, 1.0),
        (0.11, inf, 0.10, 0.0),
        (0.09, None, 0.10, None),
        (0.09, 0.03, None, None),
        (nan, 0.03, 0.10, None),
    ],
)
def test_it_is_one_at_the_cheapest_and_nothing_at_the_on_demand_price(
    price: float, cheapest: float | None, on_demand: float | None, score: float | None
) -> None:
    found = cost_score(price, cheapest=cheapest, on_demand=on_demand)
    assert found == (None if score is None else pytest.approx(score))


@given(prices, prices, prices)
def test_it_is_always_between_nothing_and_one(price: float, cheapest: float, on_demand: float) -> None:
    score = cost_score(price, cheapest=cheapest, on_demand=on_demand)
    assert score is not None
    assert 0 <= score <= 1


@given(prices, prices, prices, prices)
def test_who_pays_less_never_has_less(one: float, other: float, cheapest: float, on_demand: float) -> None:
    less, more = (cost_score(p, cheapest=cheapest, on_demand=on_demand) for p in sorted((one, other)))
    assert less is not None
    assert more is not None
    assert less >= more or less == pytest.approx(more)
