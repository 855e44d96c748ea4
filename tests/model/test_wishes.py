"""The wishes about a subject are found without looking through all of them, whatever was asked and answered."""

from hypothesis import given
from hypothesis import strategies as st

from spotward.model.action import ObserveGroup, RetireMember
from spotward.model.wish import WishState
from spotward.model.world import World

GROUPS = ("web", "api", "batch")


def state(group: str, key: str, *, asked: bool) -> WishState:
    action = RetireMember(region="us-east-1", group=group, key=key, instance_id="i-1")
    return WishState(attempt=1, state="asked" if asked else "failed", time=0.0, action=action)


@given(st.lists(st.tuples(st.sampled_from(GROUPS), st.integers(0, 3), st.sampled_from(("asked", "failed", "gone")))))
def test_they_are_just_those_that_a_look_through_all_would_find(history: list[tuple[str, int, str]]) -> None:
    world = World()
    for group, number, what in history:
        key = f"retire {number} of {group}"
        world = (
            world.without_wish(key)
            if what == "gone"
            else world.with_wish(key, state(group, key, asked=what == "asked"))
        )
    for group in GROUPS:
        subject = f"us-east-1/{group}"
        found = [(k, w) for k, w in sorted(world.wishes.items()) if w.action and w.action.subject == subject]
        assert list(world.wishes_about(subject)) == found
    assert len(world.wishes.keys_of) == len({w.action.subject for w in world.wishes.values() if w.action})


def test_a_wish_that_was_answered_is_no_longer_about_anything() -> None:
    question = ObserveGroup(region="us-east-1", group="web")
    world = World().with_wish(question.key, WishState(attempt=1, state="asked", time=0.0, action=question))
    assert [key for key, _ in world.wishes_about("us-east-1/web")] == [question.key]
    assert not world.without_wish(question.key).wishes.keys_of
