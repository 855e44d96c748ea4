from statistics import fmean, pstdev

from hypothesis import given
from hypothesis import strategies as st

from spotward.sim.dice import Dice


@given(st.integers(), st.text(), st.lists(st.text() | st.integers()))
def test_the_same_name_always_throws_the_same_number_between_0_and_1(
    seed: int, scope: str, name: list[str | int]
) -> None:
    thrown = Dice(seed, scope).uniform(*name)
    assert thrown == Dice(seed, scope).uniform(*name)
    assert 0 < thrown < 1


def test_seed_scope_and_name_each_make_another_throw() -> None:
    throws = {
        Dice(1, "a").uniform("b"),
        Dice(2, "a").uniform("b"),
        Dice(1, "ab").uniform(""),
        Dice(1, "a").uniform("b", 0),
        Dice(1, "a").uniform("b", "0"),
    }
    assert len(throws) == 5


def test_throws_are_spread_evenly_and_normal_ones_as_the_normal_distribution_says() -> None:
    dice = Dice(7, "spread")
    uniform = [dice.uniform("u", n) for n in range(4000)]
    normal = [dice.normal("n", n) for n in range(4000)]
    tenths = [sum(low <= throw * 10 < low + 1 for throw in uniform) for low in range(10)]
    assert all(330 < count < 470 for count in tenths)
    assert abs(fmean(normal)) < 0.06
    assert abs(pstdev(normal) - 1) < 0.05
