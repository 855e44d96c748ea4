"""Where an SQS queue is: what its URL, its ARN or its name tells."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from urllib.parse import urlsplit

from spotward.model.errors import ConfigError

_ARN = re.compile(r"arn:[\w-]+:sqs:([a-z0-9-]+):(\d+):(.+)")
_REGION = re.compile(r"[a-z]{2,}(-[a-z0-9]+)+-\d+")


@dataclass(frozen=True, kw_only=True, slots=True)
class QueueAddress:
    """A queue by its URL, or by a name to which SQS tells the URL."""

    region: str
    name: str
    url: str | None = None
    owner: str | None = None
    """The account, where an ARN names it."""

    @property
    def words(self) -> str:
        """How an operator would find it."""
        return f"queue {self.name} in {self.region}"


def queue_address(text: str, region: str | None = None) -> QueueAddress:
    """The address that an operator gave. region: for a name, and for a URL that tells none (the embedded cloud's).

    Raises ConfigError when no region is to be had.
    """
    arn = _ARN.fullmatch(text)
    if arn is not None:
        return QueueAddress(region=arn[1], name=arn[3], owner=arn[2])
    is_url = text.startswith(("http://", "https://"))
    place = (_region_of(text) if is_url else None) or region
    if place is None:
        raise ConfigError(f"queue '{text}' does not tell its region; give --region, or the queue's ARN")
    return QueueAddress(region=place, name=text.rstrip("/").rsplit("/", 1)[-1], url=text if is_url else None)


def queue_addresses(text: str, regions: Sequence[str]) -> tuple[QueueAddress, ...]:
    """The queues that an operator means, of whoever looks after these regions: a name stands for one queue in each; a
    URL or an ARN says itself where its queue is, or it is in the only region that there is. Raises ConfigError.
    """
    if ":" not in text:
        return tuple(queue_address(text, region) for region in regions)
    return (queue_address(text, regions[0] if len(regions) == 1 else None),)


def _region_of(url: str) -> str | None:
    """`sqs.REGION.amazonaws.com` (also of China, of a VPC endpoint, with FIPS), or the older `REGION.queue....`."""
    labels = (urlsplit(url).hostname or "").split(".")
    for left, right in pairwise(labels):
        place = right if left in ("sqs", "sqs-fips") else left if right == "queue" else ""
        if _REGION.fullmatch(place):
            return place
    return None
