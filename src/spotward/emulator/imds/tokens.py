"""Session tokens (IMDSv2) that nobody has to remember: each carries its end, and a seal that only we can make.

So there is no table of them that could grow, and forgetting all of them is a new key.
"""

from __future__ import annotations

import base64
import binascii
import hmac
import secrets

TTL_SECONDS_MAX = 21_600

_ENDS, _SALT, _SEAL = 8, 8, 24
"""Bytes of the parts of a token."""


class Tokens:
    """Makes and checks the tokens of one service."""

    def __init__(self) -> None:
        """With a key that nobody else knows."""
        self._key = secrets.token_bytes(32)

    def make(self, subject: str, ttl_seconds: int, *, time: float) -> str:
        """A token for one machine's metadata, until `ttl_seconds` from `time` on."""
        body = int(time + ttl_seconds).to_bytes(_ENDS, "big") + secrets.token_bytes(_SALT)
        return base64.urlsafe_b64encode(body + self._seal(subject, body)).decode()

    def seconds_left(self, subject: str, token: str, *, time: float) -> int | None:
        """For how long a token is still good; None when it is not, or never was."""
        try:
            whole = base64.b64decode(token.encode("ascii", "replace"), altchars=b"-_", validate=True)
        except (binascii.Error, ValueError):
            return None
        body, seal = whole[: _ENDS + _SALT], whole[_ENDS + _SALT :]
        if not hmac.compare_digest(seal, self._seal(subject, body)):
            return None
        left = int.from_bytes(body[:_ENDS], "big") - int(time)
        return left if left > 0 else None

    def forget(self) -> None:
        """No token that was made so far is good any more."""
        self._key = secrets.token_bytes(32)

    def _seal(self, subject: str, body: bytes) -> bytes:
        return hmac.digest(self._key, subject.encode() + body, "sha256")[:_SEAL]
