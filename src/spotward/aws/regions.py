"""Which regions are meant: names and globs against what the account has.

AWS is several clouds ("partitions": aws, aws-cn, aws-us-gov, ...) that know nothing of each other; credentials hold for
one of them. Which partition a name belongs to botocore knows; which regions are enabled only EC2 knows, asked in some
region of that partition.
"""

import difflib
from collections.abc import Iterable, Sequence
from fnmatch import fnmatchcase
from typing import Protocol

from spotward.model.errors import ConfigError
from spotward.model.units import listed

NEAR_MATCHES_MAX = 3

NAMES_SHOWN_MAX = 20
"""No message lists more regions than this."""

NO_REGION = "no region is set; give --region us-east-1 (repeatable; globs such as 'eu-*'), or set AWS_REGION"


class Atlas(Protocol):
    """What botocore knows of regions without asking anybody; a boto3 session is one."""

    def get_available_partitions(self) -> list[str]: ...
    def get_available_regions(self, service_name: str, partition_name: str = "aws") -> list[str]: ...
    def get_partition_for_region(self, region_name: str) -> str: ...


def is_glob(pattern: str) -> bool:
    """It stands for names rather than being one."""
    return any(sign in pattern for sign in "*?[")


def by_partition(patterns: Iterable[str], home: str | None, atlas: Atlas) -> dict[str, list[str]]:
    """The patterns by the partition that they speak of.

    A glob that could mean several (`us-*` is also GovCloud's) means the first that is named, or that of the home
    region, whose credentials are at hand, or `aws`.
    """
    patterns = tuple(patterns)
    vague = [pattern for pattern in patterns if is_glob(pattern) and len(_partitions_matching(pattern, atlas)) != 1]
    found: dict[str, list[str]] = {}
    for pattern in patterns:
        if pattern not in vague:
            found.setdefault(_partition_of(pattern, atlas), []).append(pattern)
    near = next(iter(found), partition_of_region(home, atlas))
    for pattern in vague:
        possible = _partitions_matching(pattern, atlas)
        found.setdefault(near if near in possible or not possible else possible[0], []).append(pattern)
    return found


def within(partitions: Sequence[str], patterns: Sequence[str], atlas: Atlas) -> dict[str, list[str]]:
    """The patterns by the partitions that are named, all regions of each where there is no pattern.

    Raises ConfigError for a partition that there is not, and for a pattern that fits none of them.
    """
    there = atlas.get_available_partitions()
    for partition in partitions:
        if partition not in there:
            raise ConfigError(f"unknown partition '{partition}'; there are {listed(there, most=NAMES_SHOWN_MAX)}")
    found: dict[str, list[str]] = {partition: [] for partition in partitions}
    for pattern in patterns:
        fitting = [p for p in partitions if any(fnmatchcase(region, pattern) for region in _known(p, atlas))]
        if not fitting:
            raise ConfigError(f"no region of {listed(list(partitions), most=NAMES_SHOWN_MAX)} is '{pattern}'")
        for partition in fitting:
            found[partition].append(pattern)
    return {p: mine or ["*"] for p, mine in found.items() if mine or not patterns}


def _partition_of(pattern: str, atlas: Atlas) -> str:
    return _partitions_matching(pattern, atlas)[0] if is_glob(pattern) else partition_of_region(pattern, atlas)


def partition_of_region(region: str | None, atlas: Atlas) -> str:
    """Where a region lies; one that nobody knows is looked for in `aws`."""
    from botocore.exceptions import UnknownRegionError

    try:
        return "aws" if region is None else atlas.get_partition_for_region(region)
    except UnknownRegionError:
        return "aws"


def _partitions_matching(pattern: str, atlas: Atlas) -> list[str]:
    return [p for p in atlas.get_available_partitions() if any(fnmatchcase(r, pattern) for r in _known(p, atlas))]


def _known(partition: str, atlas: Atlas) -> list[str]:
    return atlas.get_available_regions("ec2", partition_name=partition)


def where_to_ask(partition: str, patterns: Sequence[str], home: str | None, atlas: Atlas) -> str:
    """The region whose EC2 is asked which regions there are: one that was named, for others may be forbidden."""
    known = _known(partition, atlas)
    named = [pattern for pattern in patterns if pattern in known]
    if named:
        return named[0]
    if home is not None and home in known:
        return home
    return "us-east-1" if "us-east-1" in known else known[0]


def chosen(patterns: Sequence[str], enabled: Sequence[str], known: Sequence[str]) -> list[str]:
    """The enabled regions that the patterns mean, in the order of the patterns.

    known: all regions of the partition, to tell one that is not enabled from one that does not exist.
    Raises ConfigError naming the pattern, what is near it and what to do.
    """
    found: dict[str, None] = {}
    for pattern in patterns:
        matches = sorted(region for region in enabled if fnmatchcase(region, pattern))
        if not matches:
            raise ConfigError(_unknown(pattern, enabled, known))
        found.update(dict.fromkeys(matches))
    return list(found)


def _unknown(pattern: str, enabled: Sequence[str], known: Sequence[str]) -> str:
    if is_glob(pattern):
        return f"no region matches '{pattern}'; the account has {listed(sorted(enabled), most=NAMES_SHOWN_MAX)}"
    if pattern in known:
        return (
            f"region '{pattern}' is not enabled in this account; enable it under Account > AWS Regions, or leave it out"
        )
    near = difflib.get_close_matches(pattern, enabled, n=NEAR_MATCHES_MAX)
    if near:
        return f"unknown region '{pattern}'; did you mean {' or '.join(near)}?"
    return f"unknown region '{pattern}'; the account has {listed(sorted(enabled), most=NAMES_SHOWN_MAX)}"
