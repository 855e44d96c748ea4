"""The names under which AWS sells."""

import pytest

from spotward.market.prices import PRODUCTS, currency_of, on_demand_filters, product_of


@pytest.mark.parametrize(
    ("details", "spot"),
    [
        ("Linux/UNIX", ("Linux/UNIX", "Linux/UNIX (Amazon VPC)")),
        ("Linux/UNIX (Amazon VPC)", ("Linux/UNIX", "Linux/UNIX (Amazon VPC)")),
        ("Windows", ("Windows", "Windows (Amazon VPC)")),
        ("SUSE Linux", ("SUSE Linux", "SUSE Linux (Amazon VPC)")),
        ("Red Hat Enterprise Linux", ("Red Hat Enterprise Linux", "Red Hat Enterprise Linux (Amazon VPC)")),
        ("Windows with SQL Server Web", ()),
    ],
)
def test_a_product_has_two_names_in_the_spot_price_history(details: str, spot: tuple[str, ...]) -> None:
    product = product_of(details)
    assert product is not None
    assert product.spot_descriptions == spot


@pytest.mark.parametrize(
    ("details", "system", "software"),
    [
        ("Linux/UNIX", "Linux", "NA"),
        ("Red Hat BYOL Linux", "Linux", "NA"),
        ("Windows BYOL", "Linux", "NA"),
        ("Red Hat Enterprise Linux", "RHEL", "NA"),
        ("SUSE Linux", "SUSE", "NA"),
        ("Windows", "Windows", "NA"),
        ("SQL Server Standard", "Linux", "SQL Std"),
        ("Windows with SQL Server Enterprise", "Windows", "SQL Ent"),
        ("Red Hat Enterprise Linux with SQL Server Web", "RHEL", "SQL Web"),
        ("Red Hat Enterprise Linux with HA", "Red Hat Enterprise Linux with HA", "NA"),
        (
            "Red Hat Enterprise Linux with SQL Server Standard and HA",
            "Red Hat Enterprise Linux with HA",
            "SQL Std",
        ),
    ],
)
def test_a_product_is_found_in_the_on_demand_price_list(details: str, system: str, software: str) -> None:
    product = product_of(details)
    assert product is not None
    filters = dict(on_demand_filters(product, region="eu-west-1", instance_type="m5.large"))
    assert (filters["operatingSystem"], filters["preInstalledSw"]) == (system, software)
    assert (filters["regionCode"], filters["instanceType"]) == ("eu-west-1", "m5.large")
    assert (filters["tenancy"], filters["capacitystatus"]) == ("Shared", "Used")


def test_every_product_that_spot_sells_is_among_its_four() -> None:
    sold = {product.spot for product in PRODUCTS.values()} - {None}
    assert sold == {"Linux/UNIX", "Red Hat Enterprise Linux", "SUSE Linux", "Windows"}


def test_what_the_table_does_not_know_is_none() -> None:
    assert product_of("BeOS") is None


def test_china_pays_in_yuan() -> None:
    assert [currency_of(r) for r in ("us-east-1", "cn-northwest-1", "us-gov-west-1")] == ["USD", "CNY", "USD"]
    assert currency_of("eusc-de-east-1") == "EUR"
