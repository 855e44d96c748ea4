"""A value that differs in a few fields is what `dataclasses.replace` makes of it."""

from dataclasses import dataclass, field, replace

import pytest

from spotward.model.altered import altered
from spotward.model.world import World


@dataclass(frozen=True, kw_only=True, slots=True)
class Base:
    a: int = 1


@dataclass(frozen=True, kw_only=True, slots=True)
class Plain(Base):
    b: str = ""
    c: tuple[int, ...] = field(default=(), repr=False)


@dataclass(frozen=True, kw_only=True, slots=True)
class Checked:
    a: int

    def __post_init__(self) -> None:
        if self.a < 0:
            raise ValueError("too small")


@dataclass(frozen=True, kw_only=True)
class Open:
    a: int = 1


@pytest.mark.parametrize("value", [Plain(), Plain(a=3, b="x", c=(1, 2)), Checked(a=2), Open()])
def test_it_differs_in_what_is_named_and_in_nothing_else(value: Plain | Checked | Open) -> None:
    before = replace(value)
    assert altered(value, a=7) == replace(value, a=7)
    assert altered(value) == value == before


def test_the_world_is_altered_as_any_value() -> None:
    assert altered(World(time=1.0), time=2.0) == World(time=2.0)


def test_what_checks_itself_is_checked_again() -> None:
    with pytest.raises(ValueError, match="too small"):
        altered(Checked(a=1), a=-1)


@pytest.mark.parametrize("value", [Plain(), Checked(a=1), Open()])
def test_what_is_no_field_is_a_mistake(value: object) -> None:
    with pytest.raises(TypeError, match="nothing"):
        altered(value, nothing=1)  # type: ignore[type-var] # that is what is tried
