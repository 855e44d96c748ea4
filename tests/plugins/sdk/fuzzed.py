"""What nobody should send to a gRPC server, made by seeded dice; and HTTP/2 by hand, for what no library would send."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import suppress
from random import Random

import grpc
from grpc import aio

CLEAR = frozenset(
    {
        grpc.StatusCode.OK,
        grpc.StatusCode.INVALID_ARGUMENT,
        grpc.StatusCode.FAILED_PRECONDITION,
        grpc.StatusCode.ABORTED,
        grpc.StatusCode.RESOURCE_EXHAUSTED,
        grpc.StatusCode.UNIMPLEMENTED,
        grpc.StatusCode.DEADLINE_EXCEEDED,
    }
)
"""Answers that tell the caller what is the matter. UNKNOWN and INTERNAL are those of a server that broke."""


def bodies(samples: Sequence[bytes], *, seed: int, number: int) -> Iterator[bytes]:
    """Random bytes; and good messages cut off, repeated, with bits turned over, with wrong lengths inside."""
    dice = Random(seed)
    yield b""
    for _ in range(number):
        body = bytearray(dice.choice(samples))
        match dice.randrange(6):
            case 0:
                body = bytearray(dice.randbytes(dice.randrange(200)))
            case 1:
                del body[dice.randrange(len(body) + 1) :]
            case 2:
                body += body[dice.randrange(len(body)) :]
            case 3:
                for _ in range(dice.randrange(1, 8)):
                    body[dice.randrange(len(body))] ^= 1 << dice.randrange(8)
            case 4:
                body[dice.randrange(len(body))] = 0xFF
            case _:
                at = dice.randrange(len(body))
                body[at:at] = b"\xff\xff\xff\xff\x0f"
        yield bytes(body)


async def answered(
    channel: aio.Channel,
    method: str,
    body: bytes,
    *,
    streams: bool,
    seconds: float = 20.0,
    metadata: tuple[tuple[str, str], ...] = (),
    first_is_enough: bool = False,
) -> grpc.StatusCode:
    """The status of a call. first_is_enough: for a stream that does not end by itself."""
    try:
        if streams:
            many: aio.UnaryStreamMultiCallable[bytes, bytes] = channel.unary_stream(method)
            async for _ in many(body, timeout=seconds, metadata=metadata):
                if first_is_enough:
                    break
        else:
            one: aio.UnaryUnaryMultiCallable[bytes, bytes] = channel.unary_unary(method)
            await one(body, timeout=seconds, metadata=metadata)
    except aio.AioRpcError as error:
        return error.code()
    return grpc.StatusCode.OK


# ---- HTTP/2 by hand --------------------------------------------------------------------------------------------------

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, SETTINGS = 0, 1, 4
END_STREAM, END_HEADERS = 1, 4


def frame(kind: int, flags: int, payload: bytes, *, stream: int = 1, length: int | None = None) -> bytes:
    """One frame; `length`: what it says of itself."""
    size = len(payload) if length is None else length
    return size.to_bytes(3, "big") + bytes([kind, flags]) + stream.to_bytes(4, "big") + payload


def head(method: str, **fields: str) -> bytes:
    """The header block of a call: literals, neither indexed nor compressed."""
    told = {
        ":method": "POST",
        ":scheme": "http",
        ":path": method,
        ":authority": "x",
        "content-type": "application/grpc",
        "te": "trailers",
    }
    told |= {name.replace("_", "-"): value for name, value in fields.items()}
    parts = [(name.encode(), value.encode("latin-1")) for name, value in told.items()]
    return b"".join(b"\0" + bytes([len(n)]) + n + bytes([len(v)]) + v for n, v in parts)


def call(method: str, body: bytes, **fields: str) -> bytes:
    """A whole call: preface, settings, head, body."""
    opened = PREFACE + frame(SETTINGS, 0, b"", stream=0) + frame(HEADERS, END_HEADERS, head(method, **fields))
    return opened + frame(DATA, END_STREAM, body)


def message(body: bytes, *, length: int | None = None, flag: int = 0) -> bytes:
    """A message as gRPC frames it; `length`: what it says of itself."""
    return bytes([flag]) + (len(body) if length is None else length).to_bytes(4, "big") + body


async def said_to(port: int, told: bytes, *, seconds: float = 0.5) -> bytes:
    """What the server says to these bytes within a moment, or until it closes."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    heard = b""
    with suppress(ConnectionError, TimeoutError):
        writer.write(told)
        async with asyncio.timeout(seconds):
            while piece := await reader.read(65_536):
                heard += piece
    writer.close()
    return heard
