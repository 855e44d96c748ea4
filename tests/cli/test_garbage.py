"""The daemon's Python looks for garbage seldom, and still finds it."""

import gc
import weakref
from collections.abc import Iterator

import pytest

from spotward.cli.garbage import NEW_OBJECTS, seldom_collected


@pytest.fixture
def python_as_it_was() -> Iterator[None]:
    before = gc.get_threshold()
    yield
    gc.unfreeze()
    gc.set_threshold(*before)


class Circle:
    """Names itself, so that only a look for garbage frees it."""

    def __init__(self) -> None:
        self.me = self


@pytest.mark.usefixtures("python_as_it_was")
def test_what_names_itself_in_a_circle_is_found_after_a_while() -> None:
    seldom_collected()
    gone = weakref.ref(Circle())
    kept: list[list[int]] = []
    while gone() is not None and len(kept) < 4 * NEW_OBJECTS:
        kept.append([len(kept)])
    assert gone() is None
    assert len(kept) > NEW_OBJECTS // 2
