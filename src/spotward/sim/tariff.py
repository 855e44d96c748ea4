"""What on-demand capacity costs in the virtual cloud.

A price is the family's line (see `list_prices`) in us-east-1, times how dear the region is, plus the licence of the
product. Families younger than the table are priced by what they are made of. That is exact for Linux in us-east-1,
us-east-2 and us-west-2, and within some per cent elsewhere, where AWS's ratio differs from family to family: enough for
a market to be decided on, not for an invoice.

Sources, read: AWS's Price List of 2026-07-20 (Linux, us-east-1, cn-north-1, GovCloud), public prices of m5 in the
larger regions (2026); Windows 0.046 per vCPU from the EC2 guide's page on CPU options; RHEL from Red Hat's per-vCPU
model in force since 2024-07-01.

From memory, and checked against nothing: SUSE, and Windows on burstable sizes, as the EC2 price page had them in 2024;
the factor of the small regions opened since 2020, some of which simply have their neighbour's, and of any region that
is not in the table; the rate of exchange for licences in China. They are good enough to rank pools by.
"""

from __future__ import annotations

import re

from spotward.sim.list_prices import USD_PER_HOUR, USD_PER_LARGE_HOUR

LINUX = "Linux/UNIX"
PRODUCTS = (LINUX, "Red Hat Enterprise Linux", "SUSE Linux", "Windows")
"""What DescribeSpotPriceHistory calls products; each also exists with " (Amazon VPC)" behind it and means the same."""

_LARGES_BY_SIZE = {"nano": 1 / 16, "micro": 1 / 8, "small": 1 / 4, "medium": 1 / 2, "large": 1.0, "xlarge": 2.0}
_NUMBERED_SIZE = re.compile(r"(\d+)xlarge|metal-(\d+)xl")

_DEARER_THAN_VIRGINIA = {
    "us-east-1": 1.0, "us-east-2": 1.0, "us-west-1": 1.167, "us-west-2": 1.0,
    "ca-central-1": 1.115, "ca-west-1": 1.115, "mx-central-1": 1.05, "sa-east-1": 1.594,
    "eu-central-1": 1.198, "eu-central-2": 1.318, "eu-north-1": 1.063, "eu-south-1": 1.167, "eu-south-2": 1.115,
    "eu-west-1": 1.115, "eu-west-2": 1.156, "eu-west-3": 1.167,
    "ap-east-1": 1.375, "ap-northeast-1": 1.292, "ap-northeast-2": 1.229, "ap-northeast-3": 1.292,
    "ap-south-1": 1.052, "ap-south-2": 1.052,
    "ap-southeast-1": 1.25, "ap-southeast-2": 1.25, "ap-southeast-3": 1.25, "ap-southeast-4": 1.25,
    "ap-southeast-5": 1.125, "ap-southeast-7": 1.125,
    "af-south-1": 1.323, "il-central-1": 1.2, "me-central-1": 1.229, "me-south-1": 1.229,
    "us-gov-east-1": 1.204, "us-gov-west-1": 1.204,
    "cn-north-1": 10.0, "cn-northwest-1": 6.7,  # yuan for a dollar in Virginia
}  # fmt: skip
_DEARER_ELSEWHERE = 1.2
"""A region that is not in the table: the middle of those that are."""

CNY_PER_USD = 7.1
"""For licences only: they cost the same everywhere, so in China their price in yuan follows the rate of exchange."""

_BURSTABLE_FAMILIES = ("t2", "t3", "t3a")
_WINDOWS_BURSTABLE_USD = {
    "nano": 0.0046, "micro": 0.0092, "small": 0.0184, "medium": 0.0184, "large": 0.0276, "xlarge": 0.0736,
    "2xlarge": 0.1472,
}  # fmt: skip


def on_demand_usd_per_hour(
    instance_type: str,
    vcpu: int,
    memory_mib: int,
    gpus: int,
    local_storage_gb: int,
    region: str,
    product: str = LINUX,
) -> float:
    """The list price of one instance, per hour in the region's `currency` (US dollars but in China).

    The hardware is read for metal sizes and for families that the table does not know. Raises ValueError for a product
    that is not sold by the hour.
    """
    virginia = _virginia_usd_per_hour(instance_type, vcpu, memory_mib, gpus, local_storage_gb)
    hardware = virginia * _DEARER_THAN_VIRGINIA.get(region, _DEARER_ELSEWHERE)
    licence = licence_usd_per_hour(instance_type, vcpu, product)
    return round(hardware + licence * (CNY_PER_USD if currency(region) == "CNY" else 1.0), 5)


def currency(region: str) -> str:
    """`CNY` in AWS's two Chinese regions, `USD` everywhere else."""
    return "CNY" if region.startswith("cn-") else "USD"


def plain_product(product: str) -> str:
    """`Windows (Amazon VPC)` and `Windows` are one product; raises ValueError for what is none."""
    plain = product.removesuffix(" (Amazon VPC)")
    if plain not in PRODUCTS:
        raise ValueError(f"unknown product `{product}`; choose one of {', '.join(PRODUCTS)}")
    return plain


def licence_usd_per_hour(instance_type: str, vcpu: int, product: str) -> float:
    """What the operating system adds to the hardware's price; Spot gives no discount on it."""
    match plain_product(product):
        case "Windows":
            return _windows_usd_per_hour(instance_type, vcpu)
        case "Red Hat Enterprise Linux":
            return vcpu * (0.0144 if vcpu <= 8 else 0.0108 if vcpu < 128 else 0.0096)
        case "SUSE Linux":
            return 0.05625 if vcpu <= 2 else 0.1125 if vcpu <= 4 else 0.125
        case _:
            return 0.0


def _windows_usd_per_hour(instance_type: str, vcpu: int) -> float:
    family, _, size = instance_type.partition(".")
    if family in _BURSTABLE_FAMILIES and size in _WINDOWS_BURSTABLE_USD:
        return _WINDOWS_BURSTABLE_USD[size]
    return 0.046 * vcpu


def _virginia_usd_per_hour(instance_type: str, vcpu: int, memory_mib: int, gpus: int, local_storage_gb: int) -> float:
    if (price := USD_PER_HOUR.get(instance_type)) is not None:
        return price
    family, _, size = instance_type.partition(".")
    if (per_large := USD_PER_LARGE_HOUR.get(family)) is not None:
        return per_large * _larges(size, vcpu)
    return _usd_per_hour_of_hardware(vcpu, memory_mib, gpus, local_storage_gb)


def _larges(size: str, vcpu: int) -> float:
    """How many of `large` one instance of this size is."""
    if numbered := _NUMBERED_SIZE.fullmatch(size):
        return 2.0 * int(numbered[1] or numbered[2])
    return _LARGES_BY_SIZE.get(size, vcpu / 2)


def _usd_per_hour_of_hardware(vcpu: int, memory_mib: int, gpus: int, local_storage_gb: int) -> float:
    """Fitted to the 1,200 types of the table that moto also knows: half of those without GPU lie within 16 %.

    A GPU may be a T4 or an H100, so with one the formula says no more than the order of magnitude.
    """
    return 0.036 * vcpu + 0.005 * memory_mib / 1024 + 0.7 * gpus + 0.00007 * local_storage_gb
