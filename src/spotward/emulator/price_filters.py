"""The filters of GetProducts: what the fields of a product must be."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence

from spotward.sim.errors import ApiError

FILTERS_MAX = 50
"""Filters of one request. AWS's figure."""

Test = Callable[[str], bool]


def _test(kind: str, wanted: str) -> Test:
    match kind:
        case "TERM_MATCH" | "EQUALS":
            return lambda value: value == wanted
        case "CONTAINS":
            return lambda value: wanted in value
        case "ANY_OF":
            return lambda value: value in wanted.split(",")
        case "NONE_OF":
            return lambda value: value not in wanted.split(",")
    raise ApiError("InvalidParameterException", f"The filter type {kind[:100]} is not supported.")


class PriceFilters:
    """All of a request's filters; a product must pass every one. Names of fields are not case-sensitive, as on AWS."""

    def __init__(self, filters: Sequence[Mapping[str, str]]) -> None:
        """`filters`: as in GetProducts. Raises ApiError."""
        if len(filters) > FILTERS_MAX:
            raise ApiError("InvalidParameterException", f"There may be at most {FILTERS_MAX} filters.")
        self._tests: dict[str, list[Test]] = defaultdict(list)
        for one in filters:
            self._tests[one["Field"].lower()].append(_test(one["Type"], one["Value"]))

    @property
    def fields(self) -> frozenset[str]:
        """Which fields are asked about, in lower case."""
        return frozenset(self._tests)

    def admit(self, fields: Mapping[str, str]) -> bool:
        """Whether none of these fields is refused; filters on other fields are not asked."""
        return all(test(value) for field, value in fields.items() for test in self._tests.get(field.lower(), ()))

    def admit_all(self, fields: Mapping[str, str]) -> bool:
        """Whether these fields, which are all that a product has, pass every filter."""
        return self._tests.keys() <= {field.lower() for field in fields} and self.admit(fields)
