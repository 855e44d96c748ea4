"""Client tokens: the same request twice is one deed.

AWS remembers the token with the exact request. A repetition gets the old result, a fleet that found nothing included;
the same token with anything else changed is refused. What failed as a whole is not remembered and may be tried again.
"""

from __future__ import annotations

import json
from collections.abc import Callable

from spotward.sim.answers import Answer, Params
from spotward.sim.errors import ApiError
from spotward.sim.region import Region

TOKEN_KEPT_SECONDS = 86400.0
"""How long a token is remembered. AWS says no figure for fleets; a day is its usual one."""

Show = Callable[[], Answer]
"""Gives the answer, as things stand when it is asked."""


class ClientTokens:
    """The tokens of one region."""

    def __init__(self, region: Region) -> None:
        """Empty at first."""
        self._region = region
        self._known: dict[tuple[str, str], tuple[str, Show]] = {}

    def once(self, operation: str, params: Params, do: Callable[[], Show]) -> Answer:
        """Do it, or show again what the same token did. Raises ApiError when the token came with other parameters."""
        token = params.get("ClientToken")
        if not token:
            return do()()
        request = _canonical(params)
        known = self._known.get((operation, token))
        if known is None:
            known = self._known[operation, token] = (request, do())
            self._region.after(TOKEN_KEPT_SECONDS, lambda: self._forget(operation, token))
        if known[0] != request:
            raise ApiError(
                "IdempotentParameterMismatch",
                "Arguments on this idempotent request are inconsistent with arguments used in previous request(s).",
            )
        return known[1]()

    def _forget(self, operation: str, token: str) -> None:
        self._known.pop((operation, token), None)


def _canonical(params: Params) -> str:
    return json.dumps({key: value for key, value in params.items() if key != "DryRun"}, sort_keys=True, default=str)
