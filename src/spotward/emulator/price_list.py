"""The price list of EC2: what is on sale by the hour, as the documents of AWS's Price List.

A product is a point in a grid: a type in a region (a *row*), and an operating system, tenancy and capacity status (a
*cell*). The grid is never written out, since all of it would be some 800,000 documents: filters on its axes shorten the
axes, a page is a stretch of positions, and only the documents of that stretch are made.
"""

from __future__ import annotations

import itertools
import re
from base64 import b32encode
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from hashlib import blake2b
from typing import Any

from spotward.emulator import world
from spotward.sim.tariff import currency

ON_DEMAND_TERM, HOURLY_RATE = "JRTCKXETXF", "6YS6EN2CT7"
"""AWS's codes of the on-demand term and of its only rate."""

DEDICATED_FACTOR = 1.06
"""What dedicated tenancy costs over shared, about; AWS's own ratio differs from type to type (m5: 1.0625)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class System:
    """An operating system as the price list knows it."""

    name: str
    product: str
    """What DescribeSpotPriceHistory calls it."""
    operation: str


SYSTEMS = (
    System(name="Linux", product="Linux/UNIX", operation="RunInstances"),
    System(name="RHEL", product="Red Hat Enterprise Linux", operation="RunInstances:0010"),
    System(name="SUSE", product="SUSE Linux", operation="RunInstances:000g"),
    System(name="Windows", product="Windows", operation="RunInstances:0002"),
)

USAGES = {
    ("Shared", "Used"): "BoxUsage",
    ("Shared", "UnusedCapacityReservation"): "UnusedBox",
    ("Shared", "AllocatedCapacityReservation"): "Reservation",
    ("Dedicated", "Used"): "DedicatedUsage",
    ("Dedicated", "UnusedCapacityReservation"): "UnusedDed",
    ("Dedicated", "AllocatedCapacityReservation"): "DedicatedRes",
}
"""(tenancy, capacity status) -> what it is called on the bill."""

_REGION_ON_THE_BILL = {
    "us-east-1": "", "us-east-2": "USE2", "us-west-1": "USW1", "us-west-2": "USW2", "ca-central-1": "CAN1",
    "sa-east-1": "SAE1", "eu-west-1": "EU", "eu-west-2": "EUW2", "eu-west-3": "EUW3", "eu-central-1": "EUC1",
    "eu-central-2": "EUC2", "eu-north-1": "EUN1", "eu-south-1": "EUS1", "eu-south-2": "EUS2",
    "ap-northeast-1": "APN1", "ap-northeast-2": "APN2", "ap-northeast-3": "APN3", "ap-southeast-1": "APS1",
    "ap-southeast-2": "APS2", "ap-south-1": "APS3", "ap-southeast-3": "APS4", "ap-south-2": "APS5",
    "ap-southeast-4": "APS6", "ap-east-1": "APE1", "me-south-1": "MES1", "me-central-1": "MEC1", "af-south-1": "AFS1",
    "il-central-1": "ILC1", "cn-north-1": "CNN1", "cn-northwest-1": "CNW1", "us-gov-west-1": "UGW1",
    "us-gov-east-1": "UGE1",
}  # fmt: skip
"""The billing report's word for a region; a region that is not here goes by its own name."""

_OLD_EUROPE = frozenset({"eu-central-1", "eu-west-1", "eu-west-2", "eu-west-3", "eu-north-1", "eu-south-1"})
"""Regions whose location the price list still writes `EU (...)`."""

_FAMILIES = (
    (r"(inf|trn|dl)\d.*", "Machine Learning ASIC Instances"),
    (r"(vt)\d.*", "Media Accelerator Instances"),
    (r"f\d.*", "FPGA Instances"),
    (r"(g|gr|p)\d.*", "GPU instance"),
    (r"(c|cc|hpc)\d.*", "Compute optimized"),
    (r"(r|x|z|u|cr)-?\d.*", "Memory optimized"),
    (r"(i|is|im|d|h|hs)\d.*", "Storage optimized"),
    (r"t1|t2|t3a?|t4g", "General purpose"),
)

Row = tuple[str, str]
"""(region, instance type)"""

Cell = tuple[System, str, str]
"""(operating system, tenancy, capacity status)"""


def location(region: str) -> str:
    """How the price list writes a region: `US East (N. Virginia)`, `EU (Ireland)`."""
    words = world.description(region)
    return words.replace("Europe", "EU") if region in _OLD_EUROPE else words


def rows(regions: Sequence[str]) -> list[Row]:
    """All types sold in those regions."""
    return [(region, name) for region in regions for name in world.catalogue(region).types]


def cells() -> list[Cell]:
    """Every way in which a type is sold."""
    return [(system, tenancy, status) for system, (tenancy, status) in itertools.product(SYSTEMS, USAGES)]


def attributes(row: Row, cell: Cell) -> dict[str, str]:
    """What the price list says about a product."""
    usage = {"usagetype": usage_type(row, cell)}
    return {**hardware(row[1]), **attributes_of_region(row[0]), **attributes_of_cell(cell), **usage}


def usage_type(row: Row, cell: Cell) -> str:
    """What the bill says: `EUC1-BoxUsage:m5.large`."""
    (region, name), (_, tenancy, status) = row, cell
    prefix = _REGION_ON_THE_BILL.get(region, region)
    usage = f"{USAGES[tenancy, status]}:{name}"
    return f"{prefix}-{usage}" if prefix else usage


def attributes_of_region(region: str) -> dict[str, str]:
    """Those that are the same for all products of a region."""
    return {"location": location(region), "locationType": "AWS Region", "regionCode": region}


def attributes_of_cell(cell: Cell) -> dict[str, str]:
    """Those that are the same for all types in all regions."""
    system, tenancy, status = cell
    return {
        "capacitystatus": status,
        "operatingSystem": system.name,
        "operation": system.operation,
        "tenancy": tenancy,
    }


@cache
def hardware(name: str) -> Mapping[str, str]:
    """The attributes that are the same for a type in all regions."""
    entry = world.INSTANCE_TYPES_BY_NAME[name]
    processor, network = entry["ProcessorInfo"], entry["NetworkInfo"]
    gpus = entry.get("GpuInfo", {}).get("Gpus", ())
    known = {
        "clockSpeed": f"{processor['SustainedClockSpeedInGhz']:g} GHz"
        if "SustainedClockSpeedInGhz" in processor
        else "",
        "gpu": str(sum(int(gpu.get("Count", 0)) for gpu in gpus)) if gpus else "",
        "gpuMemory": f"{entry['GpuInfo'].get('TotalGpuMemoryInMiB', 0) / 1024:g} GB" if gpus else "",
    }
    return {
        **{key: value for key, value in known.items() if value},
        "availabilityzone": "NA",
        "currentGeneration": "Yes" if entry.get("CurrentGeneration") else "No",
        "instanceFamily": instance_family(name),
        "instanceType": name,
        "licenseModel": "No License required",
        "marketoption": "OnDemand",
        "memory": f"{entry['MemoryInfo']['SizeInMiB'] / 1024:g} GiB",
        "networkPerformance": str(network.get("NetworkPerformance", "NA")),
        "normalizationSizeFactor": _normalization(name.partition(".")[2]),
        "physicalProcessor": str(processor.get("Manufacturer", "NA")),
        "preInstalledSw": "NA",
        "processorArchitecture": "32-bit or 64-bit" if "i386" in processor["SupportedArchitectures"] else "64-bit",
        "servicecode": "AmazonEC2",
        "servicename": "Amazon Elastic Compute Cloud",
        "storage": _storage(entry.get("InstanceStorageInfo")),
        "vcpu": str(entry["VCpuInfo"]["DefaultVCpus"]),
    }


def instance_family(name: str) -> str:
    """`Compute optimized` for c5.large."""
    family = name.partition(".")[0]
    return next((words for pattern, words in _FAMILIES if re.fullmatch(pattern, family)), "General purpose")


def _normalization(size: str) -> str:
    factors = {"nano": "0.25", "micro": "0.5", "small": "1", "medium": "2", "large": "4", "xlarge": "8"}
    numbered = re.fullmatch(r"(\d+)xlarge|metal-(\d+)xl", size)
    return str(8 * int(numbered[1] or numbered[2])) if numbered else factors.get(size, "NA")


def _storage(info: Mapping[str, Any] | None) -> str:
    if info is None:
        return "EBS only"
    nvme = "NVMe " if info.get("NvmeSupport") in {"required", "supported"} else ""
    disks = [f"{disk['Count']} x {disk['SizeInGB']} {nvme}{disk['Type'].upper()}" for disk in info["Disks"]]
    return ", ".join(disks)


def price(row: Row, cell: Cell) -> float:
    """Per hour, in the region's currency. A reservation that is used is paid as the instance in it."""
    system, tenancy, status = cell
    if status == "AllocatedCapacityReservation":
        return 0.0
    shared = world.catalogue(row[0]).on_demand_usd_per_hour(row[1], system.product)
    return shared * DEDICATED_FACTOR if tenancy == "Dedicated" else shared


def sku(row: Row, cell: Cell) -> str:
    """The product's number: 16 letters and digits, always the same for the same product."""
    name = "/".join((*row, cell[0].name, *cell[1:]))
    return b32encode(blake2b(name.encode(), digest_size=10).digest()).decode()


def document(row: Row, cell: Cell, described: Mapping[str, str], *, published_time: float) -> dict[str, Any]:
    """One entry of a PriceList; `described` are its attributes, without which it was not found."""
    number, published = sku(row, cell), datetime.fromtimestamp(published_time, UTC)
    first = published.replace(day=1, hour=0, minute=0, second=0, microsecond=0).strftime("%Y-%m-%dT%H:%M:%SZ")
    term, money = f"{number}.{ON_DEMAND_TERM}", currency(row[0])
    rate, amount = f"{term}.{HOURLY_RATE}", price(row, cell)
    words = f"{described['tenancy']} {described['operatingSystem']} {row[1]} Instance Hour"
    dimension = {
        "unit": "Hrs",
        "endRange": "Inf",
        "description": f"{'$' if money == 'USD' else money + ' '}{amount:g} per {words}",
        "appliesTo": [],
        "rateCode": rate,
        "beginRange": "0",
        "pricePerUnit": {money: f"{amount:.10f}"},
    }
    offer = {
        "priceDimensions": {rate: dimension},
        "sku": number,
        "effectiveDate": first,
        "offerTermCode": ON_DEMAND_TERM,
        "termAttributes": {},
    }
    return {
        "product": {"productFamily": product_family(row[1]), "attributes": dict(described), "sku": number},
        "serviceCode": "AmazonEC2",
        "terms": {"OnDemand": {term: offer}},
        "version": published.strftime("%Y%m%d%H%M%S"),
        "publicationDate": published.strftime("%Y-%m-%dT%H:%M:%SZ"),
    }


def product_family(name: str) -> str:
    """What kind of product a type is."""
    return "Compute Instance (bare metal)" if ".metal" in name else "Compute Instance"


def walk(rows_: Sequence[Row], cells_: Sequence[Cell], start: int) -> Iterator[tuple[int, Row, Cell]]:
    """The grid from a position on: (position, row, cell)."""
    for position in range(start, len(rows_) * len(cells_)):
        row, cell = divmod(position, len(cells_))
        yield position, rows_[row], cells_[cell]
