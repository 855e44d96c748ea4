"""Spot prices per pool, as a step function of time."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

ListPrice = Callable[[str, str], float | None]
"""(instance type, product) -> on-demand price per hour; None when the region does not sell the type as Spot."""

Offered = Callable[[str, str], bool]
"""(instance type, availability zone) -> is the type offered there."""


class PriceBook(Protocol):
    def at(self, instance_type: str, az: str, product: str, time: float) -> float | None:
        """USD per hour; None: not sold as Spot there."""

    def changes(
        self, instance_type: str, az: str, product: str, since: float, until: float
    ) -> Sequence[tuple[float, float]]:
        """(time, usd_per_hour); the first is the price in force at `since`, with its own earlier time."""


class SeededPrices:
    def __init__(self, *, seed: int, region: str, list_price: ListPrice, offered: Offered) -> None:
        raise NotImplementedError

    def at(self, instance_type: str, az: str, product: str, time: float) -> float | None:
        raise NotImplementedError

    def changes(
        self, instance_type: str, az: str, product: str, since: float, until: float
    ) -> Sequence[tuple[float, float]]:
        raise NotImplementedError


class ReplayedPrices:
    def __init__(
        self, content: bytes, *, file: str, start_time: float, fallback: PriceBook, az_ids: dict[str, str] | None = None
    ) -> None:
        """`az_ids`: zone name -> zone id of the region (needed when the file has an `az_id` column)."""
        raise NotImplementedError

    def at(self, instance_type: str, az: str, product: str, time: float) -> float | None:
        raise NotImplementedError

    def changes(
        self, instance_type: str, az: str, product: str, since: float, until: float
    ) -> Sequence[tuple[float, float]]:
        raise NotImplementedError
