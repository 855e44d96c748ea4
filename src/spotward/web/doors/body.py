"""A request's body, as text, within its limit."""

import asyncio

from fastapi import Request
from starlette.requests import ClientDisconnect

from spotward.model.errors import PayloadError

BODY_BYTES_MAX = 4 * 1024 * 1024
"""A longer body is refused with 413. Prometheus's largest batch, 256 alerts, has a tenth of it."""


class TooLong(PayloadError):  # noqa: N818 - it says how things are, and reads as that
    """It is longer than anybody needs."""

    def __init__(self) -> None:
        super().__init__(f"the body is longer than {BODY_BYTES_MAX} bytes; send less at once")


class TooSlow(PayloadError):  # noqa: N818 - as above
    """It did not come in time."""

    def __init__(self, seconds: float) -> None:
        super().__init__(f"the body did not come whole within {seconds:g} s; send it at once")


async def body_of(request: Request, seconds_max: float) -> bytes:
    """The body. Raises TooLong, without having read more than it must, TooSlow, and PayloadError where it broke off."""
    try:
        async with asyncio.timeout(seconds_max):
            return await _read(request)
    except TimeoutError:
        raise TooSlow(seconds_max) from None
    except ClientDisconnect:
        raise PayloadError("the sender went away in the middle of the body; send it again") from None


async def _read(request: Request) -> bytes:
    length = request.headers.get("content-length", "")
    if length.isdigit() and int(length) > BODY_BYTES_MAX:
        raise TooLong
    body = bytearray()
    async for piece in request.stream():
        body += piece
        if len(body) > BODY_BYTES_MAX:
            raise TooLong
    return bytes(body)


def text_of(body: bytes) -> str:
    """Raises PayloadError for what is not UTF-8."""
    try:
        return body.decode()
    except UnicodeDecodeError as error:
        raise PayloadError(f"the body is not UTF-8 at byte {error.start}; send it as such") from None
