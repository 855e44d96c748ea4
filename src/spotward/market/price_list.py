"""The operator's own list of on-demand prices: JSON, region → type → price per hour.

    {"us-east-1": {"m5.large": 0.096, "c5.large": {"Linux/UNIX": 0.085, "Windows": 0.177}}}

A bare number is the price of Linux, for a list of Linux prices is what people have; other products are named as EC2's
platform details name them. Prices are in the currency of the region's own list (CNY in China). It stands in where the
Pricing API cannot be asked, and wins where both know a price: a discount that was agreed on is written here.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from math import isfinite

from spotward.market.prices import LINUX
from spotward.model.errors import ConfigError

PRICE_MAX = 100_000.0
"""The dearest type costs about 800 USD an hour; a larger number is in another unit."""

EXAMPLE = '{"us-east-1": {"m5.large": 0.096}}'


@dataclass(frozen=True, slots=True)
class PriceList:
    """On-demand prices that the operator gave."""

    prices: Mapping[str, Mapping[str, Mapping[str, float]]]
    """Region → type → product → price per hour."""

    def on_demand(self, *, region: str, instance_type: str, product: str) -> float | None:
        """What an hour costs, in the region's currency; None where the list does not say."""
        return self.prices.get(region, {}).get(instance_type, {}).get(product)


def read_price_list(text: str, *, file: str) -> PriceList:
    """Raises ConfigError with file and line for anything that is not such a list."""
    try:
        regions = json.loads(text)
    except json.JSONDecodeError as error:
        words = f"not JSON: {error.msg}; a price list looks like {EXAMPLE}"
        raise ConfigError(words, file=file, line=error.lineno, column=error.colno) from None
    except (ValueError, RecursionError) as error:
        raise ConfigError(f"not JSON: {error}; a price list looks like {EXAMPLE}", file=file, line=1) from None
    place = _Place(text, file)
    return PriceList(
        {
            region: {
                instance_type: _products(price, place.at(region, instance_type), instance_type)
                for instance_type, price in _object(types, place.at(region), f"the entry of {region}").items()
            }
            for region, types in _object(regions, place, "a price list").items()
        }
    )


@dataclass(frozen=True, slots=True)
class _Place:
    """Where in the text something stands."""

    text: str
    file: str
    position: int = 0

    def at(self, *keys: str) -> "_Place":
        """Further on: behind each of the keys in turn."""
        position = self.position
        for key in keys:
            found = re.compile(rf"{re.escape(json.dumps(key))}\s*:").search(self.text, position)
            position = found.start() if found else position
        return _Place(self.text, self.file, position)

    def error(self, message: str) -> ConfigError:
        line = self.text.count("\n", 0, self.position) + 1
        column = self.position - self.text.rfind("\n", 0, self.position)
        return ConfigError(message, file=self.file, line=line, column=column)


def _object(value: object, place: _Place, what: str) -> Mapping[str, object]:
    if not isinstance(value, dict):
        raise place.error(f"{what} must be a JSON object, like {EXAMPLE}")
    return value


def _products(value: object, place: _Place, instance_type: str) -> Mapping[str, float]:
    if isinstance(value, dict):
        return {product: _price(price, place.at(product), instance_type) for product, price in value.items()}
    return {LINUX: _price(value, place, instance_type)}


def _price(value: object, place: _Place, instance_type: str) -> float:
    if (
        isinstance(value, bool)
        or not isinstance(value, int | float)
        or not isfinite(value)
        or not 0 < value < PRICE_MAX
    ):
        raise place.error(f"the price of {instance_type} is {json.dumps(value)}; give a price per hour such as 0.096")
    return float(value)
