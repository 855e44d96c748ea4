import pytest
from hypothesis import given
from hypothesis import strategies as st

from spotward.sim.list_prices import USD_PER_HOUR, USD_PER_LARGE_HOUR
from spotward.sim.tariff import PRODUCTS, currency, on_demand_usd_per_hour

# AWS's list of 2026-07-20, us-east-1, Linux, USD per hour.
PUBLISHED = {
    ("m5.large", 2): 0.096,
    ("m5.24xlarge", 96): 4.608,
    ("m5.metal", 96): 4.608,
    ("c5.9xlarge", 36): 1.53,
    ("c6i.large", 2): 0.085,
    ("c6g.metal", 64): 2.3066,
    ("r5.4xlarge", 16): 1.008,
    ("t2.nano", 1): 0.0058,
    ("t2.small", 1): 0.023,
    ("t3.micro", 2): 0.0104,
    ("t4g.2xlarge", 8): 0.2688,
    ("m7i-flex.large", 2): 0.09576,
    ("g4dn.xlarge", 4): 0.526,
    ("g5.48xlarge", 192): 16.288,
    ("p5.48xlarge", 192): 55.04,
    ("m7i.metal-24xl", 96): 5.32224,
    ("m7i.metal-48xl", 192): 9.6768,
    ("u-6tb1.112xlarge", 448): 54.6,
}


@pytest.mark.parametrize(("machine", "published"), PUBLISHED.items(), ids=str)
def test_a_price_in_virginia_is_the_published_one(machine: tuple[str, int], published: float) -> None:
    price = on_demand_usd_per_hour(machine[0], machine[1], 0, 0, 0, "us-east-1")
    assert price == pytest.approx(published, rel=0.002)


@pytest.mark.parametrize(
    ("region", "published"),
    [("eu-west-1", 0.107), ("eu-central-1", 0.115), ("ap-south-1", 0.101), ("sa-east-1", 0.153), ("us-west-1", 0.112)],
)
def test_other_regions_are_dearer_as_published_for_m5(region: str, published: float) -> None:
    assert on_demand_usd_per_hour("m5.large", 2, 8192, 0, 0, region) == pytest.approx(published, rel=0.01)


def test_china_is_priced_in_yuan_and_the_licence_by_the_rate_of_exchange() -> None:
    assert currency("cn-north-1") == "CNY"
    assert currency("us-gov-west-1") == "USD"
    linux = on_demand_usd_per_hour("m5.large", 2, 8192, 0, 0, "cn-north-1")
    windows = on_demand_usd_per_hour("m5.large", 2, 8192, 0, 0, "cn-north-1", "Windows")
    assert linux == pytest.approx(1.013, rel=0.06)
    assert windows - linux == pytest.approx(2 * 0.046 * 7.1, rel=0.01)


@pytest.mark.parametrize(
    ("instance_type", "vcpu", "product", "added"),
    [
        ("m5.large", 2, "Windows", 0.092),
        ("t3.medium", 2, "Windows", 0.0184),
        ("c5.xlarge", 4, "Red Hat Enterprise Linux", 0.0576),
        ("c5.4xlarge", 16, "Red Hat Enterprise Linux", 0.1728),
        ("c6a.48xlarge", 192, "Red Hat Enterprise Linux", 1.8432),
        ("m5.large", 2, "SUSE Linux", 0.05625),
        ("m5.large", 2, "Linux/UNIX (Amazon VPC)", 0.0),
        ("m5.large", 2, "Windows (Amazon VPC)", 0.092),
    ],
)
def test_a_licence_costs_what_its_vendor_asks(instance_type: str, vcpu: int, product: str, added: float) -> None:
    linux = on_demand_usd_per_hour(instance_type, vcpu, 0, 0, 0, "us-east-1")
    assert on_demand_usd_per_hour(instance_type, vcpu, 0, 0, 0, "us-east-1", product) - linux == pytest.approx(added)


def test_a_product_that_is_none_is_told_with_those_that_are() -> None:
    with pytest.raises(ValueError, match="`BeOS`; choose one of Linux/UNIX, Red Hat"):
        on_demand_usd_per_hour("m5.large", 2, 8192, 0, 0, "us-east-1", "BeOS")


@given(
    st.sampled_from([*sorted(USD_PER_LARGE_HOUR), "z9x"]),
    st.sampled_from(["nano", "medium", "large", "xlarge", "16xlarge", "metal", "metal-24xl"]),
    st.integers(1, 896),
    st.integers(0, 16),
    st.sampled_from(["us-east-1", "cn-north-1", "eu-west-1", "xx-new-9"]),
    st.sampled_from(PRODUCTS),
)
def test_every_price_is_above_zero(family: str, size: str, vcpu: int, gpus: int, region: str, product: str) -> None:
    assert on_demand_usd_per_hour(f"{family}.{size}", vcpu, vcpu * 1024, gpus, 0, region, product) > 0


def test_a_family_of_tomorrow_is_priced_by_what_it_is_made_of() -> None:
    plain = on_demand_usd_per_hour("m99.large", 2, 8192, 0, 0, "us-east-1")
    assert plain == pytest.approx(0.11, rel=0.2)
    assert on_demand_usd_per_hour("m99.xlarge", 4, 16384, 0, 0, "us-east-1") == pytest.approx(2 * plain, abs=1e-5)
    assert on_demand_usd_per_hour("m99d.large", 2, 8192, 0, 118, "us-east-1") > plain
    assert on_demand_usd_per_hour("g99.large", 2, 8192, 1, 0, "us-east-1") > plain


def test_no_type_is_priced_twice_over() -> None:
    families = {name.partition(".")[0] for name in USD_PER_HOUR}
    assert families <= set(USD_PER_LARGE_HOUR)
