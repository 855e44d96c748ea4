"""What is noted of a max size before it is borrowed, so that nothing of ours is ever taken for the owner's."""

from spotward.groups.loan import borrowing, max_size_loan
from spotward.groups.policy import TAG_OWNER_MAX
from spotward.model.action import Action, SetMaxSize, TagGroup
from spotward.model.cloud import Lifecycle
from spotward.model.undertaking import Launch
from tests.engine.made import a_group, a_swap


def borrowed(*, max_size: int, note: str | None, coming: int) -> list[Action]:
    """What is asked of a group of two for so many new instances."""
    tags = {} if note is None else {TAG_OWNER_MAX: note}
    group = a_group("i-1", "i-2", max_size=max_size, tags=tags)
    launch = Launch(key="launch", az="us-east-1a", count=coming, lifecycle=Lifecycle.SPOT, pools=())
    return [wish.action for wish in borrowing(group, [a_swap(launches=(launch,))])]


def note_of(asked: list[Action]) -> str:
    (tagging,) = asked
    assert isinstance(tagging, TagGroup)
    return dict(tagging.tags)[TAG_OWNER_MAX]


def test_the_owners_max_size_and_ours_are_noted_before_it_is_raised() -> None:
    assert note_of(borrowed(max_size=2, note=None, coming=2)) == "2/4"
    (raising,) = borrowed(max_size=2, note="2/4", coming=2)
    assert isinstance(raising, SetMaxSize)
    assert (raising.max_size, raising.expected) == (4, 2)


def test_a_note_keeps_every_max_size_that_may_be_on_its_way() -> None:
    assert note_of(borrowed(max_size=2, note="2/6", coming=1)) == "2/6/3"
    assert note_of(borrowed(max_size=4, note="2/4/6", coming=3)) == "2/4/6/5"


def test_what_was_exceeded_is_forgotten_and_what_is_noted_is_not_noted_again() -> None:
    assert note_of(borrowed(max_size=4, note="2/3/4", coming=4)) == "2/4/6"
    (raising,) = borrowed(max_size=4, note="2/4/6", coming=4)
    assert isinstance(raising, SetMaxSize)


def test_a_max_size_that_its_owner_set_meanwhile_is_the_owners() -> None:
    assert note_of(borrowed(max_size=3, note="2/6", coming=2)) == "3/4"


def test_a_note_that_cannot_be_read_is_none() -> None:
    for text in ("", "4", "four/5", "4/", "-1/3"):
        assert max_size_loan(a_group(tags={TAG_OWNER_MAX: text})) is None
