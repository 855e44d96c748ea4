"""Text that is packed once and sent to many: a gzip file put together from stretches.

A gzip file is a stream of deflate with a checksum behind it. A stretch that ends with a full flush stands on a byte
boundary and refers to nothing before itself (zlib manual, `Z_FULL_FLUSH`), so stretches that were packed at different
times may be put one after the other. The checksum of the whole follows from those of the parts without looking at the
text again, because CRC is linear: appending n bytes multiplies by x^8n, in polynomials over GF(2) modulo that of CRC-32
(zlib's `crc32_combine` does the same). So a page of many megabytes costs a scrape the copying of its packed bytes.
"""

import struct
import zlib
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache, reduce

LEVEL = 6
"""zlib's own default: metrics shrink to a twentieth, and packing is not done per scrape."""

_POLYNOMIAL = 0xEDB88320
"""CRC-32's, with its bits reversed as everywhere below: the highest bit is x^0."""

_ONE = 1 << 31

_GZIP_HEAD = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff"
"""Deflate, no name, no time, no system in particular (RFC 1952)."""


@dataclass(frozen=True, slots=True)
class Stretch:
    """A piece of text, packed."""

    deflated: bytes
    checksum: int
    length: int
    """Of the text, in bytes."""
    shift: int
    """What a checksum is multiplied by when this follows: x^(8 × length)."""

    @property
    def text(self) -> bytes:
        """The text again."""
        return zlib.decompressobj(-zlib.MAX_WBITS).decompress(self.deflated)


def packed(text: bytes) -> Stretch:
    """A stretch of that text."""
    packer = zlib.compressobj(LEVEL, zlib.DEFLATED, -zlib.MAX_WBITS)
    deflated = packer.compress(text) + packer.flush(zlib.Z_FULL_FLUSH)
    return Stretch(deflated, zlib.crc32(text), len(text), _power(8 * len(text)))


def gzip_of(stretches: Iterable[Stretch]) -> bytes:
    """All of them, one after the other, as one gzip file."""
    every = list(stretches)
    end = zlib.compressobj(LEVEL, zlib.DEFLATED, -zlib.MAX_WBITS).flush(zlib.Z_FINISH)
    checksum = reduce(lambda sofar, one: _product(one.shift, sofar) ^ one.checksum, every, 0)
    length = sum(one.length for one in every) & 0xFFFFFFFF
    return b"".join((_GZIP_HEAD, *(one.deflated for one in every), end, struct.pack("<II", checksum, length)))


def _product(a: int, b: int) -> int:
    """Of the two, modulo CRC-32's polynomial."""
    product = 0
    for place in range(31, -1, -1):
        if a >> place & 1:
            product ^= b
        b = b >> 1 ^ _POLYNOMIAL if b & 1 else b >> 1
    return product


@cache
def _squared(times: int) -> int:
    """x^(2^times)."""
    return _product(_squared(times - 1), _squared(times - 1)) if times else _ONE >> 1


def _power(exponent: int) -> int:
    """x^exponent."""
    places = (place for place in range(exponent.bit_length()) if exponent >> place & 1)
    return reduce(_product, (_squared(place) for place in places), _ONE)
