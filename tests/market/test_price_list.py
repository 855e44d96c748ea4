"""The operator's own list of on-demand prices."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spotward.market.price_list import PriceList, read_price_list
from spotward.model.errors import ConfigError


def read(text: str) -> PriceList:
    return read_price_list(text, file="prices.json")


LIST = '{"us-east-1": {"m5.large": 0.096, "c5.large": {"Linux/UNIX": 0.085, "Windows": 0.177}}, "cn-north-1": {}}'


@pytest.mark.parametrize(
    ("region", "instance_type", "product", "price"),
    [
        ("us-east-1", "m5.large", "Linux/UNIX", 0.096),
        ("us-east-1", "m5.large", "Windows", None),
        ("us-east-1", "c5.large", "Windows", 0.177),
        ("us-east-1", "r5.large", "Linux/UNIX", None),
        ("cn-north-1", "m5.large", "Linux/UNIX", None),
        ("eu-west-1", "m5.large", "Linux/UNIX", None),
    ],
)
def test_a_price_is_looked_up_by_region_type_and_product(
    region: str, instance_type: str, product: str, price: float | None
) -> None:
    assert read(LIST).on_demand(region=region, instance_type=instance_type, product=product) == price


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{", "prices.json:1:2: not JSON: Expecting property name"),
        ('{\n"us-east-1": {\n"m5.large": 0.096,,\n}}', "prices.json:3:19: not JSON"),
        ("[]", "prices.json:1:1: a price list must be a JSON object"),
        ('{"us-east-1": 7}', "prices.json:1:2: the entry of us-east-1 must be a JSON object"),
        (
            '{"eu-west-1": {"m5.large": 1},\n"us-east-1": {\n  "m5.large": "0.096"}}',
            'prices.json:3:3: the price of m5.large is "0.096"; give a price per hour such as 0.096',
        ),
        ('{"us-east-1": {\n"m5.large": -1}}', "prices.json:2:1: the price of m5.large is -1"),
        ('{"us-east-1": {\n"m5.large": {\n"Windows": null}}}', "prices.json:3:1: the price of m5.large is null"),
        ('{"us-east-1": {"m5.large": NaN}}', "the price of m5.large is NaN"),
        ('{"us-east-1": {"m5.large": true}}', "the price of m5.large is true"),
        ("[" * 100_000, "prices.json:1: not JSON"),
    ],
)
def test_a_list_that_cannot_be_read_is_told_with_file_and_line(text: str, words: str) -> None:
    with pytest.raises(ConfigError) as told:
        read(text)
    assert str(told.value).startswith(words) or words in str(told.value)
    assert "such as" in str(told.value) or "like" in str(told.value)


@given(
    st.dictionaries(
        st.text(),
        st.dictionaries(st.text(), st.floats(min_value=0.0001, max_value=1000), max_size=4),
        max_size=3,
    )
)
def test_every_price_that_was_written_is_found(prices: dict[str, dict[str, float]]) -> None:
    known = read(json.dumps(prices))
    for region, types in prices.items():
        for instance_type, price in types.items():
            assert known.on_demand(region=region, instance_type=instance_type, product="Linux/UNIX") == price
