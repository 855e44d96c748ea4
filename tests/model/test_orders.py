from dataclasses import replace

from spotward.model.flow_event import Status
from spotward.model.order import Ordered, SwapReason, SwapWanted
from spotward.model.orders import Orders

WANTED = SwapWanted(regions=("eu-west-1",), instance_id="i-1", reason=SwapReason.COST, terminate=True)
FIRST = Ordered(time=1.0, order="first", wanted=WANTED).born
SECOND = Ordered(time=2.0, order="a second", wanted=WANTED).born


def test_an_order_is_found_by_its_key_and_by_whom_its_fate_depends_on() -> None:
    orders = Orders().with_order(SECOND).with_order(FIRST)
    assert orders.at("i-1") == (FIRST, SECOND), "the oldest first"
    assert orders.get("first") == FIRST
    assert tuple(orders.all()) == (FIRST, SECOND)


def test_an_order_whose_fate_depends_on_something_else_is_found_there_and_only_there() -> None:
    moved = replace(FIRST, at="eu-west-1/web")
    orders = Orders().with_order(FIRST).with_order(SECOND).with_order(moved)
    assert orders.at("i-1") == (SECOND,)
    assert orders.at("eu-west-1/web") == (moved,)


def test_an_order_that_has_ended_is_open_no_more() -> None:
    ended = replace(FIRST, status=Status.DONE, ended="replaced", ended_time=3.0)
    orders = Orders().with_order(FIRST).with_order(ended)
    assert (len(orders), orders.at("i-1"), orders.get("first")) == (0, (), None)
    assert orders == Orders()
