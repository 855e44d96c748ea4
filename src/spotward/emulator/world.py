"""What there is in every region: zones, instance types and where they are sold, from the data that moto ships.

moto's data was read from AWS: 1,395 types in the shape of DescribeInstanceTypes, and the offerings of 30 regions. The
other regions (China, GovCloud, the youngest) sell here what at least two thirds of those 30 sell.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from functools import cache
from types import MappingProxyType
from typing import Any

from botocore.loaders import Loader
from moto.ec2.models.availability_zones_and_regions import RegionsAndZonesBackend
from moto.ec2.models.instance_types import INSTANCE_TYPE_OFFERINGS, INSTANCE_TYPES

from spotward.sim.catalogue import Catalogue

COMMON_SHARE = 2 / 3
"""A type sold in at least this share of the regions that moto has lists of is sold where it has none."""

INSTANCE_TYPES_BY_NAME: Mapping[str, Mapping[str, Any]] = MappingProxyType(INSTANCE_TYPES)
"""Type -> its entry of DescribeInstanceTypes."""

REGIONS: tuple[str, ...] = tuple(sorted(region.name for region in RegionsAndZonesBackend.regions))
"""All regions of the partitions aws, aws-us-gov and aws-cn."""

_OFFERINGS_BY_ZONE: Mapping[str, Sequence[Mapping[str, str]]] = INSTANCE_TYPE_OFFERINGS["availability-zone"]


def zone_ids(region: str) -> dict[str, str]:
    """Zone name -> zone id."""
    return {zone.name: zone.zone_id for zone in RegionsAndZonesBackend.zones[region]}


@cache
def offerings(region: str) -> Mapping[str, Sequence[str]]:
    """Zone name -> the types that are sold there."""
    if region not in _OFFERINGS_BY_ZONE:
        return dict.fromkeys(zone_ids(region), _common_types())
    by_zone: dict[str, list[str]] = defaultdict(list)
    for one in _OFFERINGS_BY_ZONE[region]:
        by_zone[one["Location"]].append(one["InstanceType"])
    return {zone: tuple(by_zone[zone]) for zone in zone_ids(region)}


@cache
def _common_types() -> tuple[str, ...]:
    regions = [frozenset(one["InstanceType"] for one in sold) for sold in _OFFERINGS_BY_ZONE.values()]
    counted = Counter(name for sold in regions for name in sold)
    return tuple(sorted(name for name, count in counted.items() if count >= COMMON_SHARE * len(regions)))


@cache
def catalogue(region: str) -> Catalogue:
    """The types of a region with their list prices."""
    return Catalogue(
        region=region,
        instance_types=INSTANCE_TYPES_BY_NAME,
        offerings=offerings(region),
        zone_ids=zone_ids(region),
    )


@cache
def _described_regions() -> Mapping[str, tuple[str, str]]:
    """Region -> its partition and its description in botocore's list of endpoints."""
    partitions = Loader().load_data("endpoints")["partitions"]
    return {
        region: (partition["partition"], described["description"])
        for partition in partitions
        for region, described in partition["regions"].items()
    }


def partition(region: str) -> str:
    """`aws`, `aws-cn` or `aws-us-gov`."""
    return _described_regions().get(region, ("aws", region))[0]


def description(region: str) -> str:
    """`US East (N. Virginia)`."""
    return _described_regions().get(region, ("aws", region))[1]
