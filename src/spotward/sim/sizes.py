"""What an instance type's name says about its size, for questions that need no more than the order of magnitude."""

from __future__ import annotations

import re

_NUMBERED = re.compile(r"(?:metal-)?(\d+)xl(?:arge)?")
_ACCELERATED = re.compile(r"(?:p|g|gr|trn|inf|dl|vt|f)\d")
METAL_VCPUS = 96
"""A metal size that does not tell: most have that many."""


def vcpus(instance_type: str) -> int:
    """About how many vCPUs it has: two up to `large`, four in `xlarge`, four times N in `Nxlarge`."""
    size = instance_type.partition(".")[2]
    if numbered := _NUMBERED.fullmatch(size):
        return 4 * max(int(numbered[1]), 1)
    return {"xlarge": 4, "metal": METAL_VCPUS}.get(size, 2)


def is_accelerated(instance_type: str) -> bool:
    """Does it carry GPUs, inference chips or FPGAs."""
    return _ACCELERATED.match(instance_type) is not None
