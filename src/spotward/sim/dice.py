"""Chance that can be asked in any order.

A generator that is rolled one throw after the other gives another history as soon as somebody asks one question more.
Here a throw has a name instead, and the same name gives the same number for ever: the price of a pool next March can be
asked before today's, and asking for one pool never moves another. The number is a keyed hash of the name.
"""

from __future__ import annotations

from hashlib import blake2b
from statistics import NormalDist

_STANDARD_NORMAL = NormalDist()


class Dice:
    """One seed's throws, within the scope given by `names` (a region and what the dice are for, say)."""

    __slots__ = ("_scope",)

    def __init__(self, seed: int, *names: str) -> None:
        self._scope = blake2b(repr((seed, *names)).encode(), digest_size=8)

    def uniform(self, *name: str | int) -> float:
        """A number in the open interval (0, 1)."""
        throw = self._scope.copy()
        throw.update(repr(name).encode())
        # 53 bits are what a float holds; the half keeps both ends out, so that a logarithm or a quantile is safe.
        return ((int.from_bytes(throw.digest(), "big") >> 11) + 0.5) * 2.0**-53

    def normal(self, *name: str | int) -> float:
        """A number from the standard normal distribution."""
        return _STANDARD_NORMAL.inv_cdf(self.uniform(*name))
