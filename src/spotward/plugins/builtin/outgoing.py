"""HTTP going out of a plugin: one POST or another method, within a time, answered in words that name no secret."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from spotward.plugins.sdk.call import Answer, done, failed, refused

SECONDS_MAX = 10.0
"""How long one request may take."""

ANSWER_BYTES_MAX = 64 * 1024
"""What comes back is read no further."""

COME_AGAIN = frozenset({408, 425, 429, 500, 502, 503, 504})
"""Another attempt may be answered otherwise."""


class Unset(ValueError):  # noqa: N818 - it says how things are, and reads as that
    """A file that the configuration names cannot be read."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Request:
    """What is sent."""

    url: str
    body: bytes
    method: str = "POST"
    headers: Mapping[str, str]
    seconds: float = SECONDS_MAX
    proxy: str | None = None


async def sent(request: Request, whom: str) -> Answer:
    """What came of it. whom: who is called, for the words; the address itself may be a secret and is never told."""
    import httpx  # late: whoever only reads the settings of plugins needs none of it

    try:
        async with (
            httpx.AsyncClient(proxy=request.proxy, timeout=request.seconds, trust_env=False) as client,
            client.stream(request.method, request.url, content=request.body, headers=dict(request.headers)) as answer,
        ):
            said = b""
            async for piece in answer.aiter_bytes():
                said += piece
                if len(said) > ANSWER_BYTES_MAX:
                    break
            return _judged(whom, answer.status_code, said, answer.headers.get("retry-after", ""))
    except httpx.TimeoutException:
        return failed(f"{whom} did not answer within {request.seconds:g} s")
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        return failed(f"{whom} could not be reached ({type(error).__name__})")


def _judged(whom: str, status: int, body: bytes, later: str) -> Answer:
    if 200 <= status < 300:
        return done(f"{whom} answered {status}", status=status, body=body[:2000].decode(errors="replace"))
    words = f"{whom} answered {status}"
    if status in COME_AGAIN:
        return failed(words, retry_after_seconds=float(later) if later.isdigit() else 0.0)
    return refused(words)


def secret(file: Path) -> str:
    """What a file holds, read anew each time. Raises Unset."""
    try:
        return file.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is no text"
        raise Unset(f"{file} cannot be read: {why}") from error
