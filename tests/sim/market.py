"""A small market to ask: real families, three zones, list prices of us-east-1."""

from functools import cache

from spotward.sim.list_prices import USD_PER_LARGE_HOUR
from spotward.sim.prices import SeededPrices
from spotward.sim.sizes import vcpus
from spotward.sim.tariff import on_demand_usd_per_hour

REGION = "us-east-1"
ZONES = ("us-east-1a", "us-east-1b", "us-east-1c")
LINUX = "Linux/UNIX"
START = 1_770_000_000.0
DAY = 86_400.0
FAMILIES = ("c5", "c6i", "c7g", "m5", "m6i", "m7g", "r5", "r6i", "r7g", "t3", "i3", "g5")
TYPES = tuple(f"{family}.{size}" for family in FAMILIES for size in ("large", "xlarge", "4xlarge", "16xlarge"))
MANY_TYPES = tuple(
    f"{family}.{size}"
    for family in USD_PER_LARGE_HOUR
    for size in ("large", "xlarge", "2xlarge", "4xlarge", "8xlarge", "12xlarge", "16xlarge")
)


@cache
def list_price(instance_type: str, product: str) -> float | None:
    if instance_type == "never.heard":
        return None
    cpus = vcpus(instance_type)
    return on_demand_usd_per_hour(instance_type, cpus, cpus * 4096, 0, 0, REGION, product)


def offered(instance_type: str, az: str) -> bool:
    return (instance_type, az) != ("m5.large", "us-east-1f")


def seeded(seed: int = 1, region: str = REGION) -> SeededPrices:
    return SeededPrices(seed=seed, region=region, list_price=list_price, offered=offered)
