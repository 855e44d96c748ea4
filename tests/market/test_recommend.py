"""The ranking of pools."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spotward.market.catalogue import misfit
from spotward.market.prices import SpotPrice
from spotward.market.recommend import OFFERS_PER_ZONE_MAX, Market, recommend, within_margin
from spotward.model.cloud import InstanceType, Pool, PoolOffer
from spotward.model.event import PoolsRecommended
from tests.market.shelf import kind, pool, question

TYPES = {
    each.name: each
    for each in (
        kind("m5.large"),
        kind("m5a.large"),
        kind("c5.large", memory_mib=4096),
        kind("r5.large", memory_mib=16384),
        kind("t3.large", burstable=True),
        kind("r5.xlarge", vcpu=4, memory_mib=32768),
    )
}


def market(on_demand: float | None = 0.096, **prices: float) -> Market:
    """`m5_large__a=0.04` prices m5.large in zone a; what has a price is offered there."""
    priced = {pool(name.replace("__", "/").replace("_", ".")): price for name, price in prices.items()}
    return Market(
        types=TYPES,
        offerings=None,
        spot_prices={p: SpotPrice(usd_per_hour=price, time=1.0) for p, price in priced.items()},
        on_demand_usd_per_hour=on_demand,
    )


def pools(answer: PoolsRecommended) -> list[str]:
    return [f"{o.pool.instance_type}/{o.pool.az[-1]}" for o in answer.offers]


def test_pools_that_fit_are_ranked_by_expected_cost() -> None:
    answer = recommend(question(), market(m5_large__a=0.04, r5_large__b=0.03, m5a_large__c=0.035), time=5)
    assert pools(answer) == ["r5.large/b", "m5a.large/c", "m5.large/a"]
    assert answer.reason == ""
    assert answer.time == 5


def test_the_expected_cost_is_the_price_and_a_little_for_interruptions() -> None:
    (offer,) = recommend(question(), market(m5_large__a=0.04), time=5).offers
    assert offer.usd_per_hour == 0.04
    assert offer.expected_usd_per_hour is not None
    assert 0.04 < offer.expected_usd_per_hour < 0.04001
    assert offer.price_time == 1.0


def test_misfits_are_not_offered_however_cheap() -> None:
    answer = recommend(question(), market(m5_large__a=0.04, c5_large__a=0.001, t3_large__a=0.001), time=5)
    assert pools(answer) == ["m5.large/a"]


def test_a_pool_as_dear_as_on_demand_is_no_saving() -> None:
    answer = recommend(question(), market(m5_large__a=0.096), time=5)
    assert answer.offers == ()
    assert answer.compatible == 1
    assert answer.reason == (
        "no pool that fits m5.large costs less than 0.096 USD an hour; the cheapest is m5.large/us-east-1a at 0.096"
    )


def test_the_operator_may_ask_for_more_than_a_small_saving() -> None:
    answer = recommend(question(price_max_of_on_demand=0.5), market(m5_large__a=0.05, r5_large__a=0.04), time=5)
    assert pools(answer) == ["r5.large/a"]


def test_pools_that_rest_are_left_out() -> None:
    answer = recommend(question(exclude=(pool("m5.large/a"),)), market(m5_large__a=0.03, m5_large__b=0.04), time=5)
    assert pools(answer) == ["m5.large/b"]
    assert answer.compatible == 2


def test_when_every_pool_rests_it_says_so() -> None:
    answer = recommend(question(exclude=(pool("m5.large/a"),)), market(m5_large__a=0.03), time=5)
    assert answer.reason == "all 1 pool that fit are resting: they ran dry or were interrupted lately"


def test_without_an_on_demand_price_nothing_is_offered_and_the_next_step_is_told() -> None:
    unpriced = replace(market(None, m5_large__a=0.03), unpriced_because="the Pricing API refused")
    answer = recommend(question(), unpriced, time=5)
    assert answer.offers == ()
    assert answer.reason == (
        "no on-demand price is known for m5.large with Linux/UNIX in us-east-1 (the Pricing API refused), so no saving "
        "can be shown; give --on-demand-prices FILE, or allow replacement without a price"
    )


def test_without_an_on_demand_price_pools_are_offered_where_the_operator_allows_it() -> None:
    answer = recommend(question(allow_unpriced=True), market(None, m5_large__a=0.04, r5_large__a=0.03), time=5)
    assert pools(answer) == ["r5.large/a", "m5.large/a"]


def test_pools_without_a_spot_price_come_last_and_only_where_the_operator_allows_it() -> None:
    known = replace(market(m5a_large__a=0.09), offerings={"us-east-1a": {"m5.large", "m5a.large"}})
    assert pools(recommend(question(), known, time=5)) == ["m5a.large/a"]
    assert pools(recommend(question(allow_unpriced=True), known, time=5)) == ["m5a.large/a", "m5.large/a"]


@pytest.mark.parametrize("price", [0.0, -1.0, float("nan"), float("inf")])
def test_a_price_that_is_none_is_not_believed(price: float) -> None:
    assert recommend(question(), market(m5_large__a=price), time=5).offers == ()


def test_a_type_that_ec2_does_not_have_in_a_zone_is_not_offered_there_although_it_has_a_price() -> None:
    known = replace(market(m5_large__a=0.03, m5_large__b=0.04), offerings={"us-east-1b": {"m5.large"}})
    assert pools(recommend(question(), known, time=5)) == ["m5.large/b"]


def test_a_type_that_is_not_sold_as_spot_is_not_offered() -> None:
    types = {**TYPES, "m5a.large": kind("m5a.large", spot=False)}
    known = replace(market(m5_large__a=0.04, m5a_large__a=0.03), types=types)
    assert pools(recommend(question(), known, time=5)) == ["m5.large/a"]


def test_the_operators_lists_hold() -> None:
    prices = {"m5_large__a": 0.04, "m5a_large__a": 0.03, "r5_large__a": 0.02}
    assert pools(recommend(question(allowed_types=("m5*",)), market(**prices), time=5)) == ["m5a.large/a", "m5.large/a"]
    assert pools(recommend(question(denied_types=("m5*",)), market(**prices), time=5)) == ["r5.large/a"]


def test_zones_that_were_not_asked_for_are_left_out() -> None:
    answer = recommend(question(azs=("us-east-1b",)), market(m5_large__a=0.03, m5_large__b=0.04), time=5)
    assert pools(answer) == ["m5.large/b"]


def test_among_equal_costs_the_smaller_type_comes_first() -> None:
    answer = recommend(question(), market(r5_xlarge__a=0.04, r5_large__a=0.04, m5_large__a=0.04), time=5)
    assert pools(answer) == ["m5.large/a", "r5.large/a", "r5.xlarge/a"]


def test_a_type_that_ec2_does_not_describe_has_no_stand_in() -> None:
    answer = recommend(question("x9.huge"), market(m5_large__a=0.04), time=5)
    assert answer.reason == "EC2 does not describe x9.huge in us-east-1, so nothing can be measured against it"


def test_in_china_prices_are_in_yuan() -> None:
    answer = recommend(question(region="cn-north-1"), market(m5_large__a=0.04), time=5)
    assert answer.currency == "CNY"


def test_only_so_many_pools_of_a_zone_are_named() -> None:
    types = {f"m{n}.large": kind(f"m{n}.large") for n in range(200)} | {"m5.large": kind("m5.large")}
    many = Market(
        types=types,
        offerings=None,
        spot_prices={pool(f"{name}/{az}"): SpotPrice(usd_per_hour=0.05) for name in types for az in "ab"},
        on_demand_usd_per_hour=0.096,
    )
    assert len(recommend(question(), many, time=5).offers) == 2 * OFFERS_PER_ZONE_MAX


def offer(name: str, cost: float | None) -> PoolOffer:
    return PoolOffer(pool=pool(name), usd_per_hour=cost, expected_usd_per_hour=cost)


def test_within_a_margin_are_the_best_and_what_costs_little_more() -> None:
    offers = (offer("a.large/a", 1.0), offer("b.large/a", 1.2), offer("c.large/a", 1.21), offer("d.large/a", None))
    assert within_margin(offers, 20) == offers[:2]
    assert within_margin(offers, 0) == offers[:1]
    assert within_margin((), 20) == ()


def test_without_prices_all_are_equally_good() -> None:
    offers = (offer("a.large/a", None), offer("b.large/a", None))
    assert within_margin(offers, 20) == offers


# ---- properties ------------------------------------------------------------------------------------------------------

sizes = st.sampled_from([1, 2, 4])
a_kind = st.builds(
    kind,
    st.sampled_from([f"{family}.{size}" for family in "abcdef" for size in ("s", "l")]),
    sizes,
    st.sampled_from([4096, 8192, 16384]),
    burstable=st.booleans(),
    bare_metal=st.booleans(),
    local_disks=st.sampled_from([0, 1]),
    spot=st.booleans(),
)
some_types = st.lists(a_kind, min_size=1, max_size=10).map(lambda every: {each.name: each for each in every})
some_prices = st.dictionaries(
    st.builds(
        Pool, instance_type=st.sampled_from([f"{f}.{s}" for f in "abcdef" for s in "sl"]), az=st.just("us-east-1a")
    ),
    st.floats(min_value=0.001, max_value=0.2).map(lambda price: SpotPrice(usd_per_hour=price)),
    max_size=12,
)


def asked(types: dict[str, InstanceType], prices: dict[Pool, SpotPrice]) -> PoolsRecommended:
    original = min(types)
    known = Market(types=types, offerings=None, spot_prices=prices, on_demand_usd_per_hour=0.1)
    return recommend(question(original), known, time=5)


@given(some_types, some_prices)
def test_a_recommended_pool_never_is_a_misfit_and_always_saves(
    types: dict[str, InstanceType], prices: dict[Pool, SpotPrice]
) -> None:
    answer = asked(types, prices)
    for each in answer.offers:
        candidate = types[each.pool.instance_type]
        assert misfit(types[answer.instance_type], candidate, architecture="x86_64", virtualization="hvm") is None
        assert candidate.spot
        assert each.usd_per_hour is not None
        assert each.usd_per_hour < 0.1


@given(some_types, some_prices)
def test_a_cheaper_pool_never_ranks_behind_a_dearer_one_of_equal_risk(
    types: dict[str, InstanceType], prices: dict[Pool, SpotPrice]
) -> None:
    costs = [each.usd_per_hour or 0 for each in asked(types, prices).offers]
    assert costs == sorted(costs)


@given(some_types, some_prices, some_prices)
def test_more_pools_never_make_the_best_worse(
    types: dict[str, InstanceType], prices: dict[Pool, SpotPrice], more: dict[Pool, SpotPrice]
) -> None:
    before, after = asked(types, prices), asked(types, {**more, **prices})
    if before.offers:
        best_before, best_after = before.offers[0].expected_usd_per_hour, after.offers[0].expected_usd_per_hour
        assert best_before is not None
        assert best_after is not None
        assert best_after <= best_before


@given(some_types, some_prices)
def test_there_is_a_reason_exactly_when_there_is_no_offer(
    types: dict[str, InstanceType], prices: dict[Pool, SpotPrice]
) -> None:
    answer = asked(types, prices)
    assert bool(answer.reason) is not bool(answer.offers)
