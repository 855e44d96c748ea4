"""The Price List Query API: GetProducts, DescribeServices, GetAttributeValues, for EC2 by the hour.

AWS answers it in four regions only; a client that asks elsewhere finds nobody. The one in China knows China's prices,
the others all the rest. List prices do not move with the market, so the answer depends on nothing but the question.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from typing import Any

from spotward.emulator import price_list, world
from spotward.emulator.price_filters import PriceFilters
from spotward.sim.errors import ApiError

SERVED_IN = frozenset({"us-east-1", "eu-central-1", "ap-south-1", "cn-northwest-1"})
"""The regions with an endpoint."""

PAGE = 100
"""Entries of one page, by default and at most. AWS's figure."""

_SERVICE = "AmazonEC2"

_EVERYTHING = (("us-east-1", "g4dn.xlarge"), price_list.cells()[0])
"""A product that has every attribute there is."""


class Pricing:
    """The API as one of its regions answers it."""

    def __init__(self, *, region: str, published_time: float) -> None:
        """`published_time`: the date on the documents."""
        china = region.startswith("cn-")
        self._regions = [name for name in world.REGIONS if name.startswith("cn-") is china]
        self._published_time = published_time

    def call(self, operation: str, params: Mapping[str, Any]) -> dict[str, Any]:
        """One operation, in boto3's shapes. Raises ApiError."""
        deeds = {
            "DescribeServices": self._describe_services,
            "GetAttributeValues": self._attribute_values,
            "GetProducts": self._products,
        }
        if operation not in deeds:
            raise ApiError("UnknownOperationException", f"{operation} is not part of the embedded cloud.")
        return deeds[operation](params)

    def _describe_services(self, params: Mapping[str, Any]) -> dict[str, Any]:
        _check_service(params.get("ServiceCode", _SERVICE))
        _start(params)
        row, cell = _EVERYTHING
        names = sorted({*price_list.attributes(row, cell), "productFamily", "termType"})
        return {"Services": [{"ServiceCode": _SERVICE, "AttributeNames": names}], "FormatVersion": "aws_v1"}

    def _attribute_values(self, params: Mapping[str, Any]) -> dict[str, Any]:
        _check_service(params["ServiceCode"])
        values = _values(params["AttributeName"], tuple(self._regions))
        if not values:
            raise ApiError("NotFoundException", f"The attribute {params['AttributeName'][:100]} was not found.")
        start, most = _start(params), _most(params)
        answer = {"AttributeValues": [{"Value": value} for value in values[start : start + most]]}
        return _with_token(answer, start + most if start + most < len(values) else None)

    def _products(self, params: Mapping[str, Any]) -> dict[str, Any]:
        _check_service(params["ServiceCode"])
        if params.get("FormatVersion", "aws_v1") != "aws_v1":
            raise ApiError("InvalidParameterException", "The format version must be aws_v1.")
        filters = PriceFilters(params.get("Filters") or ())
        if not filters.fields <= _known_fields():
            return {"FormatVersion": "aws_v1", "PriceList": []}
        regions = [region for region in self._regions if filters.admit(price_list.attributes_of_region(region))]
        rows = [row for row in price_list.rows(regions) if filters.admit(price_list.hardware(row[1]))]
        cells = [cell for cell in price_list.cells() if filters.admit(price_list.attributes_of_cell(cell))]
        most = _most(params)
        documents: list[str] = []
        for position, row, cell in price_list.walk(rows, cells, _start(params)):
            # The cheapest look first: a filter by usage type alone passes over all the 800,000 products.
            if not filters.admit({"usagetype": price_list.usage_type(row, cell)}):
                continue
            described = price_list.attributes(row, cell)
            if not filters.admit_all({**described, **_implied(row, cell)}):
                continue
            if len(documents) == most:
                return _with_token({"FormatVersion": "aws_v1", "PriceList": documents}, position)
            one = price_list.document(row, cell, described, published_time=self._published_time)
            documents.append(json.dumps(one, separators=(",", ":")))
        return {"FormatVersion": "aws_v1", "PriceList": documents}


def _implied(row: price_list.Row, cell: price_list.Cell) -> dict[str, str]:
    """Fields to filter by that are not among a product's attributes."""
    return {
        "productFamily": price_list.product_family(row[1]),
        "sku": price_list.sku(row, cell),
        "termType": "OnDemand",
    }


@cache
def _known_fields() -> frozenset[str]:
    """All fields that any product has, in lower case."""
    row, cell = _EVERYTHING
    return frozenset(name.lower() for name in (*price_list.attributes(row, cell), *_implied(row, cell)))


@cache
def _values(attribute: str, regions: tuple[str, ...]) -> list[str]:
    """All values of an attribute, in order."""
    rows = price_list.rows(regions)
    cell = price_list.cells()[0]
    described = [
        *(price_list.attributes_of_region(region) for region in regions),
        *(price_list.attributes_of_cell(one) for one in price_list.cells()),
        *({**price_list.attributes(row, cell), **_implied(row, cell)} for row in rows),
    ]
    return sorted({fields[attribute] for fields in described if attribute in fields})


def _check_service(code: str) -> None:
    if code != _SERVICE:
        raise ApiError("NotFoundException", f"The service {code[:100]} was not found; there is {_SERVICE} here.")


def _most(params: Mapping[str, Any]) -> int:
    most = int(params.get("MaxResults", PAGE))
    if not 1 <= most <= PAGE:
        raise ApiError("InvalidParameterException", f"MaxResults must be from 1 to {PAGE}.")
    return most


def _start(params: Mapping[str, Any]) -> int:
    token = str(params.get("NextToken") or "p0")
    if not (token.startswith("p") and token[1:].isascii() and token[1:].isdecimal() and len(token) < 12):
        raise ApiError("InvalidNextTokenException", "The pagination token is not valid; begin again without it.")
    return int(token[1:])


def _with_token(answer: dict[str, Any], position: int | None) -> dict[str, Any]:
    return answer if position is None else {**answer, "NextToken": f"p{position}"}
