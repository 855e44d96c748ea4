"""Which instance types there are, where they are sold, and what they cost by the list.

The types come as DescribeInstanceTypes gives them and are served as they came. A filter's name is a path through such
an entry in AWS's spelling (`processor-info.supported-architecture` for `ProcessorInfo.SupportedArchitectures`), so one
walker understands all of them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from spotward.sim.answers import Answer, Operation, Params, Values, page, paged, sieve
from spotward.sim.errors import ApiError
from spotward.sim.prices import ListPrice
from spotward.sim.tariff import on_demand_usd_per_hour

TYPES_PAGE = 100
"""Types on one page of DescribeInstanceTypes, as on AWS."""

OFFERINGS_PAGE = 1000
"""Offerings on one page of DescribeInstanceTypeOfferings, as on AWS."""


class Catalogue:
    """The types of one region."""

    def __init__(
        self,
        *,
        region: str,
        instance_types: Mapping[str, Mapping[str, Any]],
        offerings: Mapping[str, Sequence[str]],
        list_price: ListPrice | None = None,
        zone_ids: Mapping[str, str] | None = None,
    ) -> None:
        """`offerings`: zone name -> types sold there; types that no zone sells are not of this region.

        `zone_ids`: zone name -> zone id (`use1-az1`), where they are known.
        """
        self.region = region
        self.zone_ids = {zone: (zone_ids or {}).get(zone, zone) for zone in offerings}
        self.zones = tuple(sorted(offerings))
        self._offered = {zone: frozenset(offerings[zone]) & instance_types.keys() for zone in self.zones}
        sold = frozenset[str]().union(*self._offered.values())
        self.types = {name: instance_types[name] for name in sorted(sold)}
        self._list_price = list_price
        self._priced: dict[tuple[str, str], float] = {}

    def operations(self) -> dict[str, Operation]:
        """What this part answers."""
        return {
            "ec2.DescribeInstanceTypes": self.describe_types,
            "ec2.DescribeInstanceTypeOfferings": self.describe_offerings,
        }

    def offered(self, instance_type: str, zone: str) -> bool:
        """Is the type sold in the zone?"""
        return instance_type in self._offered.get(zone, ())

    def zones_of(self, instance_type: str) -> list[str]:
        """Every zone that sells the type."""
        return [zone for zone in self.zones if instance_type in self._offered[zone]]

    def vcpus(self, instance_type: str) -> int:
        """How many virtual CPUs one instance counts against a quota."""
        return int(self.types[instance_type]["VCpuInfo"]["DefaultVCpus"])

    def architectures(self, instance_type: str) -> Sequence[str]:
        """The architectures whose images the type can boot."""
        found: Sequence[str] = self.types[instance_type]["ProcessorInfo"]["SupportedArchitectures"]
        return found

    def on_demand_usd_per_hour(self, instance_type: str, product: str) -> float:
        """The list price, in the region's currency per hour."""
        asked = (instance_type, product)
        if asked not in self._priced:
            listed = self._list_price(instance_type, product) if self._list_price else None
            self._priced[asked] = self._tariff(instance_type, product) if listed is None else listed
        return self._priced[asked]

    def _tariff(self, instance_type: str, product: str) -> float:
        entry = self.types[instance_type]
        gpus = entry.get("GpuInfo", {}).get("Gpus", ())
        return on_demand_usd_per_hour(
            instance_type,
            self.vcpus(instance_type),
            int(entry["MemoryInfo"]["SizeInMiB"]),
            sum(int(gpu.get("Count", 0)) for gpu in gpus),
            int(entry.get("InstanceStorageInfo", {}).get("TotalSizeInGB", 0)),
            self.region,
            product,
        )

    # -- calls -------------------------------------------------------------------------------------------------------

    def describe_types(self, params: Params) -> Answer:
        """DescribeInstanceTypes."""
        names = params.get("InstanceTypes") or ()
        missing = sorted(set(names) - self.types.keys())
        if missing:
            raise ApiError(
                "InvalidInstanceType", f"The following supplied instance types do not exist: [{', '.join(missing)}]"
            )
        wanted = sieve(params.get("Filters"), self._path)
        chosen = (self.types[name] for name in (sorted(set(names)) or self.types))
        shown, token = page(
            (entry for entry in chosen if wanted(entry)),
            params,
            key=lambda entry: entry["InstanceType"],
            size=TYPES_PAGE,
        )
        return paged("InstanceTypes", shown, token)

    def _path(self, name: str) -> Values[Mapping[str, Any]] | None:
        """What a filter's name leads to; None when it leads nowhere in any entry."""
        steps = [step.replace("-", "") for step in name.split(".")]
        if not any(_walk(entry, steps) for entry in self.types.values()):
            return None
        return lambda entry: _walk(entry, steps)

    def describe_offerings(self, params: Params) -> Answer:
        """DescribeInstanceTypeOfferings, by region, zone name or zone id."""
        kind = params.get("LocationType", "region")
        wanted = sieve(params.get("Filters"), _OFFERING_FILTERS.get)
        shown, token = page(
            (one for one in self._offerings(kind) if wanted(one)),
            params,
            key=lambda one: (one["InstanceType"], one["Location"]),
            size=OFFERINGS_PAGE,
        )
        return paged("InstanceTypeOfferings", shown, token)

    def _offerings(self, kind: str) -> Iterable[dict[str, str]]:
        if kind not in ("region", "availability-zone", "availability-zone-id"):
            raise ApiError("InvalidParameterValue", f"Invalid value '{kind}' for LocationType.")
        for name in self.types:
            for place in sorted(self._places(name, kind)):
                yield {"InstanceType": name, "LocationType": kind, "Location": place}

    def _places(self, name: str, kind: str) -> list[str]:
        if kind == "region":
            return [self.region]
        zones = self.zones_of(name)
        return zones if kind == "availability-zone" else [self.zone_ids[zone] for zone in zones]


_OFFERING_FILTERS: Mapping[str, Values[dict[str, str]]] = {
    "instance-type": lambda one: one["InstanceType"],
    "location": lambda one: one["Location"],
}


def _walk(node: Any, steps: Sequence[str]) -> list[str]:
    """The values at the end of a path, as filters write them; lists are entered, singular stands for plural."""
    if isinstance(node, list):
        return [value for child in node for value in _walk(child, steps)]
    if not steps:
        return [str(node).lower() if isinstance(node, bool) else f"{node:g}" if isinstance(node, float) else str(node)]
    if not isinstance(node, Mapping):
        return []
    names = {steps[0], f"{steps[0]}s", f"{steps[0]}es"}
    return [value for key, child in node.items() if key.lower() in names for value in _walk(child, steps[1:])]
