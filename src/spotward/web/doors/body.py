"""A request's body, as text, within its limit."""

from fastapi import Request

from spotward.model.errors import PayloadError

BODY_BYTES_MAX = 4 * 1024 * 1024
"""A longer body is refused with 413. Prometheus's largest batch, 256 alerts, has a tenth of it."""


class TooLong(PayloadError):  # noqa: N818 - it says how things are, and reads as that
    """It is longer than anybody needs."""

    def __init__(self) -> None:
        super().__init__(f"the body is longer than {BODY_BYTES_MAX} bytes; send less at once")


async def body_of(request: Request) -> bytes:
    """The body. Raises TooLong, without having read more than it must."""
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
