"""Reading a file of Spot prices as they really were.

The file is CSV, plain or gzipped, with a first line that names its columns, in any order: `timestamp` (ISO 8601, UTC
unless it says otherwise), `availability_zone` (us-east-1a) or `az_id` (use1-az4), `instance_type`, `usd_per_hour`, and
if wanted `product` (Linux/UNIX when left out). Other columns are passed over. One line is one price change of one pool;
lines may stand in any order.
"""

from __future__ import annotations

import csv
import gzip
import zlib
from array import array
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from difflib import get_close_matches
from functools import lru_cache
from io import BytesIO, StringIO

from spotward.model.errors import ConfigError
from spotward.sim.tariff import LINUX, plain_product

PRICE_FILE_BYTES_MAX = 512 * 1024 * 1024
"""Unpacked. A year of one region's Linux prices is about 60 MB; a gzip file that grows beyond this is a mistake."""

USD_PER_HOUR_MAX = 10_000.0
"""The dearest instance costs 800 an hour; a larger number is in another unit."""

_NEEDED = ("timestamp", "instance_type", "usd_per_hour")
_ZONES = ("availability_zone", "az_id")

PoolKey = tuple[str, str, str]
"""(instance type, zone as the file names it, product)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PriceFile:
    """Each pool's history: its times, ascending and each once, and its prices."""

    first_time: float
    zones_are_ids: bool
    pools: Mapping[PoolKey, tuple[Sequence[float], Sequence[float]]]


@lru_cache(maxsize=1)
def read_price_file(content: bytes, *, file: str) -> PriceFile:
    """Raises ConfigError, with the line where there is one, for anything that is not such a file.

    The last file is remembered, because every region that is served asks for the same one.
    """
    rows = csv.reader(StringIO(_text(content, file)))
    place = _Place(file)
    try:
        columns = _columns(next(rows, []), place)
        pools: dict[PoolKey, list[tuple[float, float]]] = {}
        for row in rows:
            place.line = rows.line_num
            if row:
                key, change = _change(row, columns, place)
                pools.setdefault(key, []).append(change)
    except csv.Error as error:
        place.line = rows.line_num
        raise place.error(f"this is not CSV ({error}); export the prices again") from error
    if not pools:
        raise place.error("there is no price in this file; add lines below the column names")
    return PriceFile(
        first_time=min(time for changes in pools.values() for time, _ in changes),
        zones_are_ids=_ZONES[1] in columns and _ZONES[0] not in columns,
        pools={key: _history(changes) for key, changes in pools.items()},
    )


@dataclass(slots=True)
class _Place:
    """Where in the file we are, for messages."""

    file: str
    line: int = 1

    def error(self, message: str, column: int | None = None) -> ConfigError:
        return ConfigError(message, file=self.file, line=self.line, column=column)


def _text(content: bytes, file: str) -> str:
    try:
        with BytesIO(content) as packed:
            opened = gzip.GzipFile(fileobj=packed) if content[:2] == b"\x1f\x8b" else packed
            plain = opened.read(PRICE_FILE_BYTES_MAX + 1)
    except (OSError, EOFError, zlib.error) as error:
        raise ConfigError(f"the gzip file is damaged ({error}); fetch or pack it again", file=file) from error
    if len(plain) > PRICE_FILE_BYTES_MAX:
        limit = PRICE_FILE_BYTES_MAX // 2**20
        raise ConfigError(f"the price file is larger than {limit} MiB; cut it to fewer days or types", file=file)
    try:
        return plain.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = plain.count(b"\n", 0, error.start) + 1
        raise ConfigError("this is not UTF-8 text; save the file as UTF-8 CSV", file=file, line=line) from error


def _columns(header: list[str], place: _Place) -> dict[str, int]:
    """Column name -> its position."""
    columns = {name.strip(): index for index, name in enumerate(header)}
    missing = [name for name in _NEEDED if name not in columns]
    if not any(zone in columns for zone in _ZONES):
        missing.append(" or ".join(_ZONES))
    if not missing:
        return columns
    near = get_close_matches(missing[0].partition(" ")[0], list(columns), n=1)
    hint = f"; did you mean that by `{near[0]}`?" if near else "; the first line must name the columns"
    raise place.error(f"the column {', '.join(missing)} is missing{hint}")


def _change(row: list[str], columns: Mapping[str, int], place: _Place) -> tuple[PoolKey, tuple[float, float]]:
    if len(row) < len(columns):
        raise place.error(f"{len(row)} values where the first line names {len(columns)}; complete or delete the line")

    def value(name: str) -> str:
        text = row[columns[name]].strip()
        if not text:
            raise place.error(f"`{name}` is empty; fill it in or delete the line", _column(row, columns[name]))
        return text

    zone = value(_ZONES[0] if _ZONES[0] in columns else _ZONES[1])
    time = _time(value("timestamp"), place, _column(row, columns["timestamp"]))
    price = _price(value("usd_per_hour"), place, _column(row, columns["usd_per_hour"]))
    try:
        product = plain_product(value("product")) if "product" in columns else LINUX
    except ValueError as error:
        raise place.error(str(error), _column(row, columns["product"])) from error
    return (value("instance_type"), zone, product), (time, price)


def _column(row: list[str], index: int) -> int:
    """Where the value begins, counted from 1; right as long as nothing before it is quoted."""
    return 1 + sum(len(text) + 1 for text in row[:index])


def _time(text: str, place: _Place, column: int) -> float:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        message = f"`{text}` is not a time; write it like 2021-03-02T01:39:04+00:00"
        raise place.error(message, column) from error
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


def _price(text: str, place: _Place, column: int) -> float:
    try:
        price = float(text)
    except ValueError as error:
        raise place.error(f"`{text}` is not a price; write USD per hour like 0.0416", column) from error
    if not 0 < price <= USD_PER_HOUR_MAX:
        raise place.error(f"{text} cannot be a price in USD per hour; correct or delete the line", column)
    return price


def _history(changes: list[tuple[float, float]]) -> tuple[Sequence[float], Sequence[float]]:
    """In order of time; of two prices for the same moment the later line counts."""
    by_time = dict(changes)
    times = sorted(by_time)
    return array("d", times), array("d", (by_time[time] for time in times))
