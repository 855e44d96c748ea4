"""The live market, against plain moto and against prepared answers."""

import asyncio
import json
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spotward.aws.on_demand import load_price_list, pricing_region
from spotward.aws.price_filter import patterns_below
from spotward.aws.prices import LiveMarket
from spotward.aws.session import Aws
from spotward.market.price_list import PriceList, read_price_list
from spotward.model.action import RecommendPools
from spotward.model.errors import ConfigError, Permanent
from spotward.model.event import PoolsRecommended
from tests.aws.conftest import Moto
from tests.aws.oracle import Oracle, error
from tests.aws.stage import NOW
from tests.hand_clock import HandClock

ZONES = ("us-east-1a", "us-east-1b", "us-east-1c")
QUESTION = RecommendPools(
    region="us-east-1",
    group="web",
    instance_type="m5.large",
    product="Linux/UNIX",
    architecture="x86_64",
    virtualization="hvm",
    azs=ZONES,
)
LISTED = read_price_list('{"us-east-1": {"m5.large": 0.096}}', file="prices.json")


def asked(market: LiveMarket, *questions: RecommendPools) -> list[PoolsRecommended]:
    async def ask() -> list[PoolsRecommended]:
        return list(await asyncio.gather(*(market.recommend(question) for question in questions)))

    return asyncio.run(ask())


# ---- plain moto: one constant Spot price of 2006, no Pricing API -----------------------------------------------------


def test_motos_price_of_2006_is_believed_and_the_smallest_types_that_fit_come_first(moto: Moto, aws: Aws) -> None:
    some = replace(QUESTION, allowed_types=("m5*", "r5.*", "c5.*", "t3.*", "m6g.*", "m4.*"))
    (answer,) = asked(LiveMarket(aws, HandClock(NOW), price_list=LISTED), some)
    assert answer.on_demand_usd_per_hour == 0.096
    assert answer.offers[0].usd_per_hour == 0.00001
    assert answer.offers[0].price_time == datetime(2006, 1, 2, 15, 4, 5, tzinfo=UTC).timestamp()
    assert {offer.pool.az for offer in answer.offers} == set(ZONES)
    names = {offer.pool.instance_type for offer in answer.offers}
    assert {"m5.large", "m5a.large", "r5.large"} <= names
    assert not names & {"c5.large", "t3.large", "m6g.large", "m4.medium", "m5.metal"}
    assert answer.time == NOW


def test_without_a_pricing_api_and_without_a_list_nothing_is_offered_and_two_calls_are_not_made_for_it(
    moto: Moto, aws: Aws
) -> None:
    market = LiveMarket(aws, HandClock(NOW))
    first, second = asked(market, QUESTION, QUESTION)
    assert first.offers == ()
    assert "no on-demand price is known for m5.large with Linux/UNIX in us-east-1 (pricing.GetProducts" in first.reason
    assert "--on-demand-prices FILE" in first.reason
    assert second.reason == first.reason
    assert dict(aws.counter.counts) == {"pricing.GetProducts": 1}


def test_without_any_price_of_its_own_the_operator_may_allow_it(moto: Moto, aws: Aws) -> None:
    question = replace(QUESTION, allow_unpriced=True, allowed_types=("m5.*", "r5.*"))
    (answer,) = asked(LiveMarket(aws, HandClock(NOW)), question)
    assert {offer.pool.instance_type for offer in answer.offers} >= {"m5.large", "r5.large"}
    assert answer.on_demand_usd_per_hour is None


def test_a_product_that_spot_does_not_sell_leaves_the_type_itself_where_the_operator_allows_it(
    moto: Moto, aws: Aws
) -> None:
    question = replace(QUESTION, product="Windows with SQL Server Web", allow_unpriced=True)
    (answer,) = asked(LiveMarket(aws, HandClock(NOW)), question)
    assert {offer.pool.instance_type for offer in answer.offers} == {"m5.large"}
    assert {offer.usd_per_hour for offer in answer.offers} == {None}


# ---- prepared answers ------------------------------------------------------------------------------------------------

PRICES = {
    "m5.large": 0.04,
    "m5a.large": 0.03,
    "c5.large": 0.02,
    "r5.large": 0.05,
    "m5.4xlarge": 0.5,
    "retired.large": 0.01,
}
MEMORY_MIB = {"c5.large": 4096, "r5.large": 16384, "m5.4xlarge": 65536}


def history(prices: dict[str, float], *, zones: tuple[str, ...] = ZONES, at: str = "2026-11-22T00:00:00.000Z") -> str:
    return "".join(
        f"<item><instanceType>{name}</instanceType><productDescription>Linux/UNIX</productDescription>"
        f"<spotPrice>{price}</spotPrice><timestamp>{at}</timestamp><availabilityZone>{zone}</availabilityZone></item>"
        for zone in zones
        for name, price in prices.items()
    )


def history_answer(items: str, token: str = "") -> bytes:
    inner = f"<spotPriceHistorySet>{items}</spotPriceHistorySet><nextToken>{token}</nextToken>"
    return f"<DescribeSpotPriceHistoryResponse>{inner}</DescribeSpotPriceHistoryResponse>".encode()


def described(names: list[str]) -> bytes:
    items = "".join(
        f"<item><instanceType>{name}</instanceType><vCpuInfo><defaultVCpus>2</defaultVCpus></vCpuInfo>"
        f"<memoryInfo><sizeInMiB>{MEMORY_MIB.get(name, 8192)}</sizeInMiB></memoryInfo><processorInfo>"
        "<supportedArchitectures><item>x86_64</item></supportedArchitectures></processorInfo>"
        "<supportedVirtualizationTypes><item>hvm</item></supportedVirtualizationTypes>"
        "<supportedUsageClasses><item>spot</item></supportedUsageClasses></item>"
        for name in names
    )
    return f"<R><instanceTypeSet>{items}</instanceTypeSet></R>".encode()


def values(parameters: dict[str, Any], prefix: str) -> list[str]:
    return [value for name, value in parameters.items() if name.startswith(prefix)]


def types_reply(parameters: dict[str, Any]) -> bytes | tuple[int, bytes]:
    """EC2 refuses a list with a name that it does not know; a filter finds what it knows."""
    names = values(parameters, "InstanceType.")
    if "retired.large" in names:
        return 400, error("InvalidInstanceType", "The following supplied instance types do not exist: [retired.large]")
    return described([name for name in names or values(parameters, "Filter.1.Value.") if name != "retired.large"])


def offerings_reply(parameters: dict[str, Any]) -> bytes:
    zones, names = values(parameters, "Filter.1.Value."), values(parameters, "Filter.2.Value.")
    items = "".join(
        f"<item><instanceType>{name}</instanceType><location>{zone}</location></item>"
        for zone in zones
        for name in names
        if (name, zone) != ("m5a.large", "us-east-1b")
    )
    return f"<R><instanceTypeOfferingSet>{items}</instanceTypeOfferingSet></R>".encode()


def product(price: str, *, unit: str = "Hrs", currency: str = "USD") -> str:
    dimension = {"unit": unit, "pricePerUnit": {currency: price}}
    return json.dumps({"product": {}, "terms": {"OnDemand": {"a.b": {"priceDimensions": {"a.b.c": dimension}}}}})


def products(*entries: str) -> bytes:
    return json.dumps({"FormatVersion": "aws_v1", "PriceList": list(entries)}).encode()


@pytest.fixture
def prepared(oracle: Oracle) -> Oracle:
    oracle.replies.update(
        DescribeSpotPriceHistory=history_answer(history(PRICES)),
        DescribeInstanceTypes=types_reply,
        DescribeInstanceTypeOfferings=offerings_reply,
        GetProducts=products(product("0.0960000000")),
    )
    return oracle


def names(answer: PoolsRecommended) -> list[str]:
    return [str(offer.pool) for offer in answer.offers]


def test_what_fits_and_is_cheaper_and_is_offered_is_ranked_by_price(prepared: Oracle, oracle_aws: Aws) -> None:
    (answer,) = asked(LiveMarket(oracle_aws, HandClock(NOW)), QUESTION)
    assert names(answer) == [
        "m5a.large/us-east-1a",
        "m5a.large/us-east-1c",
        *(f"m5.large/{zone}" for zone in ZONES),
        *(f"r5.large/{zone}" for zone in ZONES),
    ]
    assert answer.on_demand_usd_per_hour == 0.096
    assert answer.compatible == 8


def test_dearer_types_are_not_even_described(prepared: Oracle, oracle_aws: Aws) -> None:
    asked(LiveMarket(oracle_aws, HandClock(NOW)), QUESTION)
    described_names = {
        name for op, sent in prepared.heard if op == "DescribeInstanceTypes" for name in values(sent, "InstanceType.")
    }
    assert described_names == set(PRICES) - {"m5.4xlarge"}


def test_a_type_that_has_a_price_and_is_no_more_does_not_hide_the_others(prepared: Oracle, oracle_aws: Aws) -> None:
    (answer,) = asked(LiveMarket(oracle_aws, HandClock(NOW)), QUESTION)
    assert answer.offers
    assert prepared.times("DescribeInstanceTypes") == 2


def test_the_price_that_stands_now_is_asked_for_under_both_names_of_the_product(
    prepared: Oracle, oracle_aws: Aws
) -> None:
    asked(LiveMarket(oracle_aws, HandClock(NOW)), QUESTION)
    sent = next(parameters for operation, parameters in prepared.heard if operation == "DescribeSpotPriceHistory")
    assert values(sent, "ProductDescription.") == ["Linux/UNIX", "Linux/UNIX (Amazon VPC)"]
    assert values(sent, "Filter.1.Value.") == list(ZONES)
    assert datetime.fromisoformat(sent["StartTime"]).timestamp() == NOW


def test_prices_that_would_save_nothing_are_not_asked_for(prepared: Oracle, oracle_aws: Aws) -> None:
    asked(LiveMarket(oracle_aws, HandClock(NOW)), QUESTION)
    (sent,) = [parameters for operation, parameters in prepared.heard if operation == "DescribeSpotPriceHistory"]
    assert sent["Filter.2.Name"] == "spot-price"
    assert values(sent, "Filter.2.Value.") == patterns_below(0.096)


def test_where_the_operator_takes_pools_without_a_price_every_price_is_asked_for(
    prepared: Oracle, oracle_aws: Aws
) -> None:
    asked(LiveMarket(oracle_aws, HandClock(NOW)), replace(QUESTION, allow_unpriced=True))
    (sent,) = [parameters for operation, parameters in prepared.heard if operation == "DescribeSpotPriceHistory"]
    assert "Filter.2.Name" not in sent


def test_when_nothing_saves_the_dearer_prices_are_asked_for_so_that_the_cheapest_can_be_named(
    prepared: Oracle, oracle_aws: Aws
) -> None:
    prepared.replies["DescribeSpotPriceHistory"] = lambda sent: history_answer(
        "" if "Filter.2.Name" in sent else history({"m5.large": 0.099})
    )
    (answer,) = asked(LiveMarket(oracle_aws, HandClock(NOW)), QUESTION)
    assert answer.offers == ()
    assert answer.reason.endswith("costs less than 0.096 USD an hour; the cheapest is m5.large/us-east-1a at 0.099")
    assert prepared.times("DescribeSpotPriceHistory") == 2


def test_a_dearer_type_asks_for_more_prices_and_from_then_on_both_are_asked_for_at_once(
    prepared: Oracle, oracle_aws: Aws
) -> None:
    prepared.replies["GetProducts"] = lambda sent: products(
        product("0.96" if any(each["Value"] == "m5.4xlarge" for each in sent["Filters"]) else "0.096")
    )
    clock, dearer = HandClock(NOW), replace(QUESTION, instance_type="m5.4xlarge")
    market = LiveMarket(oracle_aws, clock)
    for _ in range(2):
        for question in (QUESTION, dearer):
            asked(market, question)
        clock.time += 300
    sent = [parameters for operation, parameters in prepared.heard if operation == "DescribeSpotPriceHistory"]
    assert [values(each, "Filter.2.Value.") for each in sent] == [
        patterns_below(0.096),
        patterns_below(0.96),
        patterns_below(0.96),
    ]


@given(st.decimals(min_value="0.000002", max_value=900, places=6), st.decimals(0, 900, places=6))
def test_the_patterns_of_a_price_match_all_that_is_below_it_and_little_that_is_not(
    limit: Decimal, price: Decimal
) -> None:
    text = f"{price:.6f}"
    matched = any(fnmatchcase(text, pattern) for pattern in patterns_below(float(limit)))
    assert matched or price >= limit
    assert not matched or price < limit * Decimal("1.1")


def test_of_several_prices_of_a_pool_the_newest_counts(prepared: Oracle, oracle_aws: Aws) -> None:
    old, new = (
        history({"m5.large": price}, at=at)
        for price, at in ((0.09, "2026-11-01T00:00:00Z"), (0.07, "2026-11-21T00:00:00Z"))
    )
    prepared.replies["DescribeSpotPriceHistory"] = history_answer(new + old)
    (answer,) = asked(LiveMarket(oracle_aws, HandClock(NOW)), QUESTION)
    assert {offer.usd_per_hour for offer in answer.offers} == {0.07}


def test_all_pages_of_prices_are_read(prepared: Oracle, oracle_aws: Aws) -> None:
    prepared.replies["DescribeSpotPriceHistory"] = lambda sent: (
        history_answer(history({"r5.large": 0.05}))
        if "NextToken" in sent
        else history_answer(history({"m5.large": 0.04}), token="more")
    )
    (answer,) = asked(LiveMarket(oracle_aws, HandClock(NOW)), QUESTION)
    assert {offer.pool.instance_type for offer in answer.offers} == {"m5.large", "r5.large"}


def test_asking_again_at_once_makes_no_call_and_after_five_minutes_asks_for_spot_prices_alone(
    prepared: Oracle, oracle_aws: Aws
) -> None:
    clock = HandClock(NOW)
    market = LiveMarket(oracle_aws, clock)
    first, second = asked(market, QUESTION, replace(QUESTION, group="api"))
    assert names(first) == names(second)
    calls = len(prepared.heard)
    asked(market, QUESTION)
    assert len(prepared.heard) == calls
    clock.time += 300
    asked(market, QUESTION)
    assert [operation for operation, _ in prepared.heard[calls:]] == ["DescribeSpotPriceHistory"]


def test_whoever_wants_prices_of_now_gets_none_that_are_older_than_he_says(prepared: Oracle, oracle_aws: Aws) -> None:
    clock = HandClock(NOW)
    market, of_now = LiveMarket(oracle_aws, clock), replace(QUESTION, prices_age_seconds_max=60.0)
    asked(market, QUESTION)
    calls = len(prepared.heard)
    clock.time += 59
    asked(market, of_now)
    assert len(prepared.heard) == calls
    clock.time += 1
    asked(market, of_now)
    assert [operation for operation, _ in prepared.heard[calls:]] == ["DescribeSpotPriceHistory"]
    asked(market, QUESTION)
    assert len(prepared.heard) == calls + 1, "what one has learned serves the other"


def test_a_zone_that_is_new_is_asked_for_alone(prepared: Oracle, oracle_aws: Aws) -> None:
    market = LiveMarket(oracle_aws, HandClock(NOW))
    asked(market, replace(QUESTION, azs=ZONES[:2]))
    asked(market, QUESTION)
    sent = [parameters for operation, parameters in prepared.heard if operation == "DescribeSpotPriceHistory"]
    assert [values(each, "Filter.1.Value.") for each in sent] == [list(ZONES[:2]), [ZONES[2]]]


def test_an_answer_about_prices_of_another_shape_is_an_error(prepared: Oracle, oracle_aws: Aws) -> None:
    prepared.replies["DescribeSpotPriceHistory"] = history_answer(history({"m5.large": 0.04}).replace("0.04", "cheap"))
    with pytest.raises(Exception, match=r"ec2\.DescribeSpotPriceHistory in us-east-1: the answer cannot be read"):
        asked(LiveMarket(oracle_aws, HandClock(NOW)), QUESTION)


def test_a_missing_permission_to_see_spot_prices_is_an_error_that_names_it(prepared: Oracle, oracle_aws: Aws) -> None:
    prepared.replies["DescribeSpotPriceHistory"] = (403, error("UnauthorizedOperation", "You are not authorized"))
    with pytest.raises(Permanent, match="ec2:DescribeSpotPriceHistory"):
        asked(LiveMarket(oracle_aws, HandClock(NOW)), QUESTION)


# ---- on-demand -------------------------------------------------------------------------------------------------------


def on_demand(aws: Aws, question: RecommendPools = QUESTION, listed: PriceList | None = None) -> float | None:
    (answer,) = asked(LiveMarket(aws, HandClock(NOW), price_list=listed), question)
    return answer.on_demand_usd_per_hour


def test_one_product_of_the_price_list_is_asked_for(prepared: Oracle, oracle_aws: Aws) -> None:
    assert on_demand(oracle_aws) == 0.096
    (sent,) = [parameters for operation, parameters in prepared.heard if operation == "GetProducts"]
    assert sent["ServiceCode"] == "AmazonEC2"
    assert {each["Field"]: each["Value"] for each in sent["Filters"]} == {
        "regionCode": "us-east-1",
        "instanceType": "m5.large",
        "operatingSystem": "Linux",
        "preInstalledSw": "NA",
        "licenseModel": "No License required",
        "tenancy": "Shared",
        "capacitystatus": "Used",
    }


def test_the_operators_own_list_wins_and_the_pricing_api_is_not_asked(prepared: Oracle, oracle_aws: Aws) -> None:
    listed = read_price_list('{"us-east-1": {"m5.large": 0.07}}', file="prices.json")
    assert on_demand(oracle_aws, listed=listed) == 0.07
    assert prepared.times("GetProducts") == 0


def test_where_the_operators_list_is_silent_the_pricing_api_is_asked(prepared: Oracle, oracle_aws: Aws) -> None:
    listed = read_price_list('{"us-east-1": {"c5.large": 0.07}}', file="prices.json")
    assert on_demand(oracle_aws, listed=listed) == 0.096


def test_a_price_of_linux_is_no_price_of_windows(prepared: Oracle, oracle_aws: Aws) -> None:
    prepared.replies["GetProducts"] = products(product("0.188"))
    assert on_demand(oracle_aws, replace(QUESTION, product="Windows"), LISTED) == 0.188


def test_a_support_subscription_brought_along_is_priced_as_linux(prepared: Oracle, oracle_aws: Aws) -> None:
    assert on_demand(oracle_aws, replace(QUESTION, product="Red Hat BYOL Linux"), LISTED) == 0.096


def test_in_china_the_price_is_in_yuan(prepared: Oracle, oracle_aws: Aws) -> None:
    prepared.replies["GetProducts"] = products(product("0.5", currency="USD"), product("1.03", currency="CNY"))
    assert on_demand(oracle_aws, replace(QUESTION, region="cn-north-1")) == 1.03


@pytest.mark.parametrize(
    "reply",
    [
        products(),
        products(product("0.0000000000")),
        products(product("9", unit="Quantity")),
        products("not json"),
        products("{}"),
        b"[]",
        (400, json.dumps({"__type": "AccessDeniedException", "Message": "no"}).encode()),
        (500, b"<html>"),
    ],
)
def test_a_pricing_api_that_cannot_answer_is_a_reason_and_no_error(
    prepared: Oracle, oracle_aws: Aws, reply: bytes | tuple[int, bytes]
) -> None:
    prepared.replies["GetProducts"] = reply
    (answer,) = asked(LiveMarket(oracle_aws, HandClock(NOW)), QUESTION)
    assert answer.on_demand_usd_per_hour is None
    assert answer.reason.startswith("no on-demand price is known for m5.large with Linux/UNIX in us-east-1 (")


def test_a_price_that_could_not_be_had_is_asked_for_again_after_ten_minutes(prepared: Oracle, oracle_aws: Aws) -> None:
    prepared.replies["GetProducts"] = products()
    clock = HandClock(NOW)
    market = LiveMarket(oracle_aws, clock)
    asked(market, QUESTION)
    prepared.replies["GetProducts"] = products(product("0.096"))
    (still,) = asked(market, QUESTION)
    assert still.on_demand_usd_per_hour is None
    clock.time += 600
    (now,) = asked(market, QUESTION)
    assert now.on_demand_usd_per_hour == 0.096


@pytest.mark.parametrize(
    ("region", "place"),
    [
        ("us-west-2", "us-east-1"),
        ("eu-north-1", "eu-central-1"),
        ("ap-northeast-1", "ap-south-1"),
        ("cn-north-1", "cn-northwest-1"),
        ("us-gov-west-1", None),
        ("us-iso-east-1", None),
        ("eu-isoe-west-1", None),
        ("eusc-de-east-1", "eusc-de-east-1"),
    ],
)
def test_the_nearest_pricing_api_of_the_partition_is_asked(region: str, place: str | None) -> None:
    assert pricing_region(region) == place


def test_a_price_list_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"nope\.json: cannot be read: .*give a JSON file of on-demand prices"):
        load_price_list(tmp_path / "nope.json")


def test_a_price_list_is_read_from_its_file(tmp_path: Path) -> None:
    file = tmp_path / "prices.json"
    file.write_text('{"us-east-1": {"m5.large": 0.096}}')
    price = load_price_list(file).on_demand(region="us-east-1", instance_type="m5.large", product="Linux/UNIX")
    assert price == 0.096


# ---- calls -----------------------------------------------------------------------------------------------------------


def test_from_nothing_an_m5_large_in_three_zones_takes_at_most_ten_calls(prepared: Oracle, oracle_aws: Aws) -> None:
    """As large as us-east-1: 900 types a zone, of which some 230 cost less than an m5.large on demand."""
    many = {f"m{n}.large": 0.09 if n < 230 else 0.5 for n in range(900)}
    rows = [history({name: price}, zones=(zone,)) for zone in ZONES for name, price in many.items()]
    pages = [rows[start : start + 1000] for start in range(0, len(rows), 1000)]

    def page(sent: dict[str, Any]) -> bytes:
        number = int(sent.get("NextToken", 0))
        return history_answer("".join(pages[number]), token=str(number + 1) if number + 1 < len(pages) else "")

    prepared.replies["DescribeSpotPriceHistory"] = page
    (answer,) = asked(LiveMarket(oracle_aws, HandClock(NOW)), QUESTION)
    assert len(answer.offers) == 180
    assert len(prepared.heard) <= 10
    assert dict(oracle_aws.counter.counts) == {
        "pricing.GetProducts": 1,
        "ec2.DescribeSpotPriceHistory": 3,
        "ec2.DescribeInstanceTypes": 3,
        "ec2.DescribeInstanceTypeOfferings": 2,
    }
