import gzip
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spotward.model.errors import ConfigError
from spotward.sim.prices import ReplayedPrices
from tests.sim.market import DAY, LINUX, START, list_price, seeded

BY_ZONE = b"""timestamp,availability_zone,instance_type,usd_per_hour
2021-03-02T00:00:00+00:00,us-east-1a,m5.large,0.0400
2021-03-02T06:00:00+00:00,us-east-1b,m5.large,0.0300
2021-03-02T12:00:00Z,us-east-1a,m5.large,0.0410
2021-03-02T09:00:00,us-east-1a,m5.large,0.0405
"""
BY_ID = b"""az_id,instance_type,usd_per_hour,timestamp
use1-az6,m5.large,0.0420,2022-05-31T18:20:41+00:00
euw3-az2,m5.large,0.0520,2022-05-31T18:20:31+00:00
"""
HOUR = 3600.0


def replayed(content: bytes, start_time: float = START) -> ReplayedPrices:
    return ReplayedPrices(
        content,
        file="prices.csv",
        start_time=start_time,
        fallback=seeded(),
        list_price=list_price,
        az_ids={"us-east-1a": "use1-az6"},
    )


def test_the_files_first_moment_becomes_the_start() -> None:
    book = replayed(BY_ZONE)
    assert list(book.changes("m5.large", "us-east-1a", LINUX, START, START + DAY)) == [
        (START, 0.04),
        (START + 9 * HOUR, 0.0405),
        (START + 12 * HOUR, 0.041),
    ]
    assert book.at("m5.large", "us-east-1a", LINUX, START + 9 * HOUR - 1) == 0.04
    assert book.at("m5.large", "us-east-1a", LINUX, START + 9 * HOUR) == 0.0405


def test_the_last_price_stays_and_the_first_one_held_before() -> None:
    book = replayed(BY_ZONE)
    assert book.at("m5.large", "us-east-1a", LINUX, START + 400 * DAY) == 0.041
    assert list(book.changes("m5.large", "us-east-1a", LINUX, START + 30 * DAY, START + 31 * DAY)) == [
        (START + 12 * HOUR, 0.041)
    ]
    first, *rest = book.changes("m5.large", "us-east-1b", LINUX, START, START + DAY)
    assert first == (START + 6 * HOUR - DAY, 0.03)
    assert rest == [(START + 6 * HOUR, 0.03)]


def test_a_file_may_name_zones_by_id() -> None:
    book = replayed(BY_ID)
    assert book.at("m5.large", "us-east-1a", LINUX, START) == 0.042
    assert book.changes("m5.large", "us-east-1a", LINUX, START + 60, START + 60)[0] == (START + 10, 0.042)


def test_a_pool_that_the_file_does_not_name_is_the_fallbacks() -> None:
    book, fallback = replayed(BY_ZONE), seeded()
    pool = ("c5.large", "us-east-1a", LINUX)
    assert book.at(*pool, START) == fallback.at(*pool, START)
    assert book.changes(*pool, START, START + DAY) == fallback.changes(*pool, START, START + DAY)


def test_a_product_that_the_file_does_not_name_costs_its_licence_more() -> None:
    assert replayed(BY_ZONE).at("m5.large", "us-east-1a", "Windows (Amazon VPC)", START) == pytest.approx(0.04 + 0.092)


def test_a_product_that_the_file_names_costs_what_stands_there() -> None:
    content = b"""timestamp,availability_zone,instance_type,usd_per_hour,product
2021-03-02T00:00:00Z,us-east-1a,m5.large,0.04,Linux/UNIX (Amazon VPC)
2021-03-02T00:00:00Z,us-east-1a,m5.large,0.99,Windows
"""
    book = replayed(content)
    assert book.at("m5.large", "us-east-1a", LINUX, START) == 0.04
    assert book.at("m5.large", "us-east-1a", "Windows", START) == 0.99


def test_gzip_and_a_byte_order_mark_make_no_difference() -> None:
    changes = ("m5.large", "us-east-1a", LINUX, START, START + DAY)
    for content in (gzip.compress(BY_ZONE), b"\xef\xbb\xbf" + BY_ZONE, BY_ZONE.replace(b"\n", b"\r\n")):
        assert replayed(content).changes(*changes) == replayed(BY_ZONE).changes(*changes)


@given(
    st.lists(st.tuples(st.integers(0, 40 * 86_400), st.integers(1, 99_999)), min_size=1, max_size=30),
    st.floats(-5 * DAY, 60 * DAY),
    st.floats(0, 60 * DAY),
)
def test_replay_honours_the_file(rows: list[tuple[int, int]], since: float, seconds: float) -> None:
    lines = ["timestamp,availability_zone,instance_type,usd_per_hour"]
    for second, price in rows:
        day, rest = divmod(second, 86_400)
        moment = f"2021-{3 + day // 31:02}-{1 + day % 31:02}T{rest // 3600:02}:{rest // 60 % 60:02}:{rest % 60:02}Z"
        lines.append(f"{moment},z,t.x,{price / 10_000}")
    book = replayed("\n".join(lines).encode())
    origin = min(second for second, _ in rows)
    truth = {START + second - origin: price / 10_000 for second, price in rows}
    times = sorted(truth)
    changes = book.changes("t.x", "z", LINUX, START + since, START + since + seconds)
    assert changes[0][0] <= START + since
    assert list(changes[1:]) == [(t, truth[t]) for t in times if START + since < t <= START + since + seconds]
    before = [t for t in times if t <= START + since]
    assert changes[0][1] == truth[before[-1] if before else times[0]] == book.at("t.x", "z", LINUX, START + since)


HEAD = "timestamp,availability_zone,instance_type,usd_per_hour\n"
GOOD = "2021-03-02T00:00:00Z,us-east-1a,m5.large,0.04\n"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "prices.csv:1: the column timestamp, instance_type, usd_per_hour, availability_zone or az_id is missing"),
        (b"time,availability_zone,instance_type,usd_per_hour\n", "prices.csv:1: the column timestamp is missing"),
        (b"timestamps,az_id,instance_type,usd_per_hour\n", "did you mean that by `timestamps`?"),
        (HEAD.encode(), "prices.csv:1: there is no price in this file"),
        ((HEAD + GOOD + "2021-03-02T00:00:00Z,us-east-1a\n").encode(), "prices.csv:3: 2 values where the first line"),
        (
            (HEAD + GOOD.replace("0.04", "cheap")).encode(),
            "prices.csv:2:42: `cheap` is not a price; write USD per hour",
        ),
        ((HEAD + GOOD.replace("0.04", "-1")).encode(), "prices.csv:2:42: -1 cannot be a price"),
        ((HEAD + GOOD.replace("0.04", "nan")).encode(), "prices.csv:2:42: nan cannot be a price"),
        ((HEAD + GOOD.replace("2021-03-02", "yester")).encode(), "prices.csv:2:1: `yesterT00:00:00Z` is not a time"),
        ((HEAD + GOOD.replace("m5.large", "")).encode(), "prices.csv:2:33: `instance_type` is empty"),
        (("product," + HEAD + "OS/2," + GOOD).encode(), "prices.csv:2:1: unknown product `OS/2`; choose one of Linux"),
        ((HEAD + GOOD).encode() + b"\xff\xfe", "prices.csv:3: this is not UTF-8 text"),
        (gzip.compress((HEAD + GOOD).encode())[:-9], "prices.csv: the gzip file is damaged"),
        (b"\x1f\x8bnot gzip at all", "prices.csv: the gzip file is damaged"),
        ((HEAD + GOOD + "x" * 200_000).encode(), "prices.csv:3: this is not CSV"),
    ],
)
def test_a_malformed_file_is_told_with_its_place(content: bytes, message: str) -> None:
    with pytest.raises(ConfigError) as told:
        replayed(content)
    assert message in str(told.value)


@given(st.binary(max_size=300) | st.text(max_size=300).map(lambda text: (HEAD + text).encode()))
def test_no_bytes_break_the_reader(content: bytes) -> None:
    with suppress(ConfigError):
        replayed(content)
