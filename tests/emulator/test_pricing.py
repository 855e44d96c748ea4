"""The Pricing API over HTTP."""

from __future__ import annotations

import json
from typing import Any

import pytest

from spotward.emulator import price_list, world
from spotward.sim.tariff import on_demand_usd_per_hour
from tests.emulator.clients import Clients, refused

LINUX = {"operatingSystem": "Linux", "tenancy": "Shared", "preInstalledSw": "NA", "capacitystatus": "Used"}


@pytest.fixture
def pricing(aws: Clients) -> Any:
    return aws("pricing")


def match(**fields: str) -> list[dict[str, str]]:
    return [{"Type": "TERM_MATCH", "Field": field, "Value": value} for field, value in fields.items()]


def products(pricing: Any, **fields: str) -> list[dict[str, Any]]:
    pages = pricing.get_paginator("get_products").paginate(ServiceCode="AmazonEC2", Filters=match(**fields))
    return [json.loads(text) for page in pages for text in page["PriceList"]]


def price(product: dict[str, Any], money: str = "USD") -> float:
    [offer] = product["terms"]["OnDemand"].values()
    [dimension] = offer["priceDimensions"].values()
    assert dimension["unit"] == "Hrs"
    return float(dimension["pricePerUnit"][money])


def test_the_usual_question_finds_the_one_product_with_its_list_price(pricing: Any) -> None:
    [product] = products(pricing, instanceType="c6i.large", regionCode="us-east-1", **LINUX)
    assert price(product) == 0.085
    described = product["product"]["attributes"]
    assert (described["vcpu"], described["memory"], described["storage"]) == ("2", "4 GiB", "EBS only")
    assert (described["location"], described["usagetype"]) == ("US East (N. Virginia)", "BoxUsage:c6i.large")
    assert described["instanceFamily"] == "Compute optimized"
    assert product["serviceCode"] == "AmazonEC2"


def test_a_region_may_be_named_by_its_location(pricing: Any) -> None:
    [by_code] = products(pricing, instanceType="m5.large", regionCode="eu-central-1", **LINUX)
    [by_name] = products(pricing, instanceType="m5.large", location="EU (Frankfurt)", **LINUX)
    assert by_code == by_name
    assert by_code["product"]["attributes"]["usagetype"] == "EUC1-BoxUsage:m5.large"


def test_every_type_of_a_region_is_found_once_whatever_the_page(pricing: Any) -> None:
    found = [
        product["product"]["attributes"]["instanceType"]
        for product in products(pricing, regionCode="eu-west-1", **LINUX)
    ]
    assert sorted(found) == sorted(world.catalogue("eu-west-1").types)
    small = pricing.get_products(ServiceCode="AmazonEC2", Filters=match(regionCode="eu-west-1", **LINUX), MaxResults=7)
    assert len(small["PriceList"]) == 7
    rest = pricing.get_products(
        ServiceCode="AmazonEC2",
        Filters=match(regionCode="eu-west-1", **LINUX),
        MaxResults=7,
        NextToken=small["NextToken"],
    )
    texts = small["PriceList"] + rest["PriceList"]
    assert [json.loads(text)["product"]["attributes"]["instanceType"] for text in texts] == found[:14]


def test_each_way_of_selling_a_type_is_a_product_of_its_own(pricing: Any) -> None:
    every = products(pricing, instanceType="m5.large", regionCode="us-east-1")
    assert len(every) == len(price_list.cells())
    assert len({product["product"]["sku"] for product in every}) == len(every)
    reserved = [
        one for one in every if one["product"]["attributes"]["capacitystatus"] == "AllocatedCapacityReservation"
    ]
    assert {price(one) for one in reserved} == {0.0}
    [windows] = products(
        pricing, instanceType="m5.large", regionCode="us-east-1", **{**LINUX, "operatingSystem": "Windows"}
    )
    assert price(windows) == pytest.approx(on_demand_usd_per_hour("m5.large", 2, 8192, 0, 0, "us-east-1", "Windows"))


def test_other_kinds_of_filter_work_too(pricing: Any) -> None:
    kinds = [
        {"Type": "ANY_OF", "Field": "instanceType", "Value": "m5.large,c5.large"},
        {"Type": "CONTAINS", "Field": "usagetype", "Value": "BoxUsage"},
        {"Type": "NONE_OF", "Field": "operatingSystem", "Value": "Windows,RHEL,SUSE"},
        {"Type": "EQUALS", "Field": "RegionCode", "Value": "us-east-1"},
        {"Type": "TERM_MATCH", "Field": "productFamily", "Value": "Compute Instance"},
        {"Type": "TERM_MATCH", "Field": "termType", "Value": "OnDemand"},
    ]
    found = pricing.get_products(ServiceCode="AmazonEC2", Filters=kinds)["PriceList"]
    assert {json.loads(text)["product"]["attributes"]["instanceType"] for text in found} == {"m5.large", "c5.large"}
    assert len(found) == 2


def test_a_field_that_no_product_has_matches_none(pricing: Any) -> None:
    assert pricing.get_products(ServiceCode="AmazonEC2", Filters=match(colour="red"))["PriceList"] == []


def test_china_is_priced_in_yuan_and_only_there(aws: Clients, pricing: Any) -> None:
    china = aws("pricing", "cn-northwest-1")
    [product] = products(china, instanceType="m5.large", regionCode="cn-north-1", **LINUX)
    assert price(product, "CNY") == pytest.approx(0.96, rel=0.1)
    assert products(pricing, instanceType="m5.large", regionCode="cn-north-1", **LINUX) == []
    assert products(china, instanceType="m5.large", regionCode="us-east-1", **LINUX) == []
    assert products(pricing, instanceType="m5.large", regionCode="us-gov-west-1", **LINUX)


def test_most_regions_have_no_pricing_api(aws: Clients) -> None:
    for region in ("us-west-2", "eu-west-1", "cn-north-1"):
        with refused("InvalidSignatureException", words="us-east-1"):
            aws("pricing", region).describe_services()
    for region in ("us-east-1", "eu-central-1", "ap-south-1", "cn-northwest-1"):
        assert aws("pricing", region).describe_services()["Services"][0]["ServiceCode"] == "AmazonEC2"


def test_attributes_and_their_values_are_told(pricing: Any) -> None:
    [service] = pricing.describe_services(ServiceCode="AmazonEC2")["Services"]
    assert {"instanceType", "location", "regionCode", "operatingSystem", "gpu"} <= set(service["AttributeNames"])
    pages = pricing.get_paginator("get_attribute_values").paginate(ServiceCode="AmazonEC2", AttributeName="regionCode")
    values = [one["Value"] for page in pages for one in page["AttributeValues"]]
    assert values == [region for region in world.REGIONS if not region.startswith("cn-")]


@pytest.mark.parametrize(
    ("call", "params", "code"),
    [
        ("get_products", {"ServiceCode": "AmazonS3"}, "NotFoundException"),
        ("get_products", {"ServiceCode": "AmazonEC2", "NextToken": "zzz"}, "InvalidNextTokenException"),
        ("get_products", {"ServiceCode": "AmazonEC2", "MaxResults": 101}, "InvalidParameterException"),
        (
            "get_products",
            {"ServiceCode": "AmazonEC2", "Filters": [{"Type": "LIKE", "Field": "a", "Value": "b"}]},
            "InvalidParameterException",
        ),
        ("get_products", {"ServiceCode": "AmazonEC2", "Filters": match(a="b") * 51}, "InvalidParameterException"),
        ("get_attribute_values", {"ServiceCode": "AmazonEC2", "AttributeName": "colour"}, "NotFoundException"),
        (
            "list_price_lists",
            {"ServiceCode": "AmazonEC2", "EffectiveDate": "2026-01-01", "CurrencyCode": "USD"},
            "UnknownOperationException",
        ),
    ],
)
def test_what_cannot_be_answered_is_refused(pricing: Any, call: str, params: dict[str, Any], code: str) -> None:
    with refused(code, status=400):
        getattr(pricing, call)(**params)


def test_every_type_can_be_described() -> None:
    for name in world.INSTANCE_TYPES_BY_NAME:
        described = price_list.attributes(("us-east-1", name), price_list.cells()[0])
        assert all(described.values()), described
