"""Stretches that were packed one by one are one gzip file for anybody who reads gzip."""

import gzip
import zlib

from hypothesis import given
from hypothesis import strategies as st

from spotward.web.packed import gzip_of, packed

texts = st.lists(st.binary(max_size=300) | st.builds(lambda b, n: b * n, st.binary(max_size=9), st.integers(0, 9_000)))


@given(texts)
def test_what_was_packed_in_stretches_is_unpacked_whole(several: list[bytes]) -> None:
    assert gzip.decompress(gzip_of(map(packed, several))) == b"".join(several)


@given(texts)
def test_it_is_one_member_with_nothing_behind_it(several: list[bytes]) -> None:
    """Some readers of gzip stop after the first member."""
    reader = zlib.decompressobj(16 + zlib.MAX_WBITS)
    assert reader.decompress(gzip_of(map(packed, several))) == b"".join(several)
    assert reader.eof
    assert reader.unused_data == b""


@given(st.binary(max_size=300))
def test_a_stretch_tells_its_text_again(text: bytes) -> None:
    assert packed(text).text == text
