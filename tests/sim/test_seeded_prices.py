from itertools import pairwise
from math import log
from random import Random
from statistics import median, quantiles

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.sim.market import DAY, LINUX, MANY_TYPES, START, TYPES, ZONES, list_price, seeded

POOLS = st.tuples(st.sampled_from(TYPES), st.sampled_from(ZONES))
PRODUCTS = st.sampled_from([LINUX, "Windows", "SUSE Linux (Amazon VPC)"])
TIMES = st.floats(0, 4e9)
BOOK = seeded()


@given(POOLS, PRODUCTS, TIMES)
def test_a_price_is_above_zero_and_below_on_demand(pool: tuple[str, str], product: str, time: float) -> None:
    price, on_demand = BOOK.at(*pool, product, time), list_price(pool[0], product)
    assert price is not None
    assert on_demand is not None
    assert 0 < price <= on_demand + 0.0001


@given(POOLS, PRODUCTS, TIMES, st.floats(0, 30 * DAY))
def test_the_price_at_a_moment_is_the_last_change_before_it(
    pool: tuple[str, str], product: str, since: float, seconds: float
) -> None:
    changes = BOOK.changes(*pool, product, since, since + seconds)
    times = [time for time, _ in changes]
    assert times[0] <= since
    assert times == sorted(set(times))
    assert all(since < time <= since + seconds for time in times[1:])
    assert changes[0][1] == BOOK.at(*pool, product, since)
    assert changes[-1][1] == BOOK.at(*pool, product, since + seconds)
    assert all(price == BOOK.at(*pool, product, time) for time, price in changes)


@given(POOLS, TIMES, st.floats(0, 5 * DAY), st.floats(0, 5 * DAY))
def test_history_asked_in_two_parts_is_the_history_asked_at_once(
    pool: tuple[str, str], since: float, one: float, two: float
) -> None:
    middle, until = since + one, since + one + two
    parts = [*BOOK.changes(*pool, LINUX, since, middle), *BOOK.changes(*pool, LINUX, middle, until)[1:]]
    assert parts == list(BOOK.changes(*pool, LINUX, since, until))


def test_one_seed_and_region_give_one_history_in_whatever_order_it_is_asked() -> None:
    questions = [(t, z, START + day * DAY) for t in TYPES for z in ZONES for day in (-30, 0, 1, 400)]
    answers = {question: seeded().at(question[0], question[1], LINUX, question[2]) for question in questions}
    shuffled = list(questions)
    Random(3).shuffle(shuffled)
    book = seeded()
    for question in shuffled:
        assert book.at(question[0], question[1], LINUX, question[2]) == answers[question]


def test_another_seed_or_region_gives_another_history() -> None:
    def prices(seed: int, region: str) -> list[float | None]:
        return [seeded(seed, region).at(t, ZONES[0], LINUX, START) for t in TYPES]

    assert prices(1, "us-east-1") != prices(2, "us-east-1")
    assert prices(1, "us-east-1") != prices(1, "eu-west-1")


def test_what_is_not_sold_as_spot_has_no_price() -> None:
    assert BOOK.at("m5.large", "us-east-1f", LINUX, START) is None
    assert BOOK.at("never.heard", ZONES[0], LINUX, START) is None
    assert list(BOOK.changes("never.heard", ZONES[0], LINUX, START, START + DAY)) == []


def test_a_licence_is_added_without_discount() -> None:
    for instance_type in TYPES:
        linux = BOOK.at(instance_type, ZONES[0], LINUX, START)
        windows = BOOK.at(instance_type, ZONES[0], "Windows", START)
        listed = (list_price(instance_type, "Windows") or 0) - (list_price(instance_type, LINUX) or 0)
        assert windows is not None
        assert linux is not None
        assert windows - linux == pytest.approx(listed, abs=0.0001)


def test_prices_move_as_those_of_us_east_1_did_in_spring_2021() -> None:
    """Measured there: median discount 68 % (5 % below 50, 5 % above 77), 2.2 announcements a day in the median pool and
    4 at most, median step 0.2 %, largest 7 %; three pools in ten never move."""
    discounts, steps, rates, flat = [], [], [], 0
    for instance_type in MANY_TYPES[::4]:
        changes = BOOK.changes(instance_type, ZONES[0], LINUX, START, START + 30 * DAY)
        prices = [price for _, price in changes]
        discounts.append(1 - prices[0] / (list_price(instance_type, LINUX) or 1))
        rates.append(len(changes) / 30)
        moves = [abs(log(b / a)) for a, b in pairwise(prices) if a != b]
        steps += moves
        flat += not moves
    assert len(discounts) > 300
    fifth, ninety_fifth = quantiles(discounts, n=20)[0], quantiles(discounts, n=20)[-1]
    assert 0.63 < median(discounts) < 0.72
    assert 0.42 < fifth < 0.55
    assert 0.74 < ninety_fifth < 0.83
    assert 1.5 < sum(rates) / len(rates) < 3.5
    assert max(rates) < 4.3
    assert min(rates) > 0.9
    assert 0.001 < median(steps) < 0.004
    assert max(steps) < 0.10
    assert 0.2 < flat / len(discounts) < 0.45
