from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rpds import HashTrieMap

from spotward.engine.codec import (
    DOOMS,
    EVENTS,
    PAGES,
    POOL_KEYS,
    UNDERTAKINGS,
    WISHES,
    Codec,
    world_text,
    world_value,
)
from spotward.model.action import Action
from spotward.model.cloud import Group, Instance, Pool
from spotward.model.cluster import Budget, Node, VolumeAttachment
from spotward.model.cluster_view import ClusterView, NodePods
from spotward.model.effect import Moves
from spotward.model.event import Event, InterruptionNoticed, PoolsRecommended, Tick
from spotward.model.flow import Flow, Turn
from spotward.model.flows import Flows
from spotward.model.incident import Incident
from spotward.model.incidents import Incidents
from spotward.model.order import Order
from spotward.model.orders import Orders
from spotward.model.page import Page
from spotward.model.pool_memory import PoolMemory
from spotward.model.sights import Sights
from spotward.model.swaps import Swaps
from spotward.model.undertaking import Swap, Undertaking
from spotward.model.wish import WishState
from spotward.model.wishes import Wishes
from spotward.model.world import Doom, KnownDetails, Pause, World
from tests.engine.any_value import any_of


@given(any_of(Event))
@settings(max_examples=300)
def test_every_event_is_read_as_it_was_written(event: Event) -> None:
    assert EVENTS.value(EVENTS.text(event)) == event


@given(any_of(Action))
@settings(max_examples=200)
def test_every_action_is_read_as_it_was_written(action: Action) -> None:
    wish = WishState(attempt=1, state="asked", time=0.0, action=action)
    assert WISHES.value(WISHES.text(wish)) == wish


@given(any_of(Page))
def test_a_page_is_read_as_it_was_written(page: Page) -> None:
    assert PAGES.value(PAGES.text(page)) == page


@given(any_of(Undertaking))
def test_an_undertaking_is_read_as_it_was_written(undertaking: Undertaking) -> None:
    codec = UNDERTAKINGS[undertaking.kind]
    assert codec.value(codec.text(undertaking)) == undertaking


@given(any_of(WishState), any_of(Doom), any_of(tuple[str, Pool]))
def test_memory_is_read_as_it_was_written(wish: WishState, doom: Doom, pool: tuple[str, Pool]) -> None:
    pairs: list[tuple[Codec[Any], Any]] = [(WISHES, wish), (DOOMS, doom), (POOL_KEYS, pool)]
    for codec, value in pairs:
        assert codec.value(codec.text(value)) == value


def maps(keys: Any, values: Any) -> st.SearchStrategy[Any]:
    return st.dictionaries(any_of(keys), any_of(values), max_size=2).map(HashTrieMap)


WORLDS = st.builds(
    World,
    time=any_of(float),
    groups=maps(str, Group),
    instances=maps(str, Instance),
    group_of=maps(str, str),
    details=maps(str, KnownDetails),
    unhealthy=maps(str, frozenset[str]),
    recommended=maps(str, PoolsRecommended),
    pools=maps(tuple[str, Pool], PoolMemory),
    dooms=maps(str, Doom),
    wishes=st.builds(Wishes, by_key=maps(str, WishState), keys_of=maps(str, tuple[str, ...])),
    launches=maps(str, WishState),
    swaps=st.builds(Swaps, by_key=maps(str, Swap), keys_of=maps(str, tuple[str, ...]), key_of=maps(str, str)),
    pauses=maps(str, Pause),
    verdicts=maps(str, str),
    turns=maps(str, Turn),
    flows=st.builds(Flows, by_key=maps(str, Flow), running=maps(str, int), queues=maps(str, tuple[str, ...])),
    orders=st.builds(Orders, by_key=maps(str, Order), keys_at=maps(str, tuple[str, ...])),
    observed=maps(str, float),
    sights=st.builds(Sights, seen=maps(str, float), touched=maps(str, float), moves=maps(str, Moves)),
    incidents=st.builds(
        Incidents,
        by_instance=maps(str, Incident),
        instance_of=maps(str, str),
        waiting=maps(str, tuple[str, ...]),
        voluntary=maps(str, float),
    ),
    cluster=st.builds(
        ClusterView,
        name=any_of(str),
        nodes=maps(str, Node),
        pods=maps(str, NodePods),
        budgets=maps(str, tuple[Budget, ...]),
        attachments=maps(str, tuple[VolumeAttachment, ...]),
    ),
)


@given(WORLDS)
@settings(max_examples=50)
def test_a_whole_world_is_read_as_it_was_written(world: World) -> None:
    assert world_value(world_text(world)) == world


def test_a_world_of_a_version_that_knew_no_nodes_is_read() -> None:
    assert world_value(b'{"time": 5}') == World(time=5)


def test_a_field_that_this_version_does_not_know_is_passed_over() -> None:
    assert EVENTS.value('{"kind": "tick", "time": 5, "regions": [], "colour": "red"}') == Tick(time=5)


def test_a_value_is_written_in_the_order_of_its_fields_without_a_space() -> None:
    text = b'{"kind":"tick","time":5.0,"regions":["eu-west-1"]}'
    assert EVENTS.text(Tick(time=5.0, regions=("eu-west-1",))) == text
    assert DOOMS.text(Doom(time=1.0, deadline=float("inf"))) == b'{"time":1.0,"deadline":Infinity,"action":"terminate"}'


def test_what_is_not_an_event_is_a_value_error() -> None:
    for text in ("", "{}", "[]", "[1", '{"kind": {}}', '{"kind": "earthquake", "time": 1}', '{"kind": "tick"}'):
        with pytest.raises(ValueError, match=r"Expecting|is no|missing"):
            EVENTS.value(text)


def test_what_does_not_fit_is_told_with_its_place() -> None:
    with pytest.raises(ValueError, match=r"Tick\.regions: 'x' is no list"):
        EVENTS.value('{"kind": "tick", "time": 5, "regions": "x"}')
    with pytest.raises(ValueError, match=r"Asked\.attempt: 'first' is no int"):
        PAGES.value('{"number": 1, "asked": [{"attempt": "first"}]}')


def test_text_that_utf_8_cannot_carry_is_a_value_error() -> None:
    event = InterruptionNoticed(time=1, region="us-east-1", instance_id="i-\ud800", deadline=2)
    with pytest.raises(ValueError, match="surrogates"):
        EVENTS.text(event)


def test_a_text_that_is_kept_is_that_of_its_own_value_and_of_no_other() -> None:
    ticks = [Tick(time=float(number), regions=(f"r-{number}",)) for number in range(2_000)]
    for _ in range(2):
        assert [EVENTS.value(EVENTS.text(tick)) for tick in ticks] == ticks
