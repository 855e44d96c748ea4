"""Flows on paper: how far each is, in the words that came last."""

from collections.abc import Callable
from dataclasses import replace

from spotward.cli.flow_pages import flow_lines, list_lines
from spotward.model.flow import Flow
from spotward.model.flow_event import PluginProgressed
from tests.rules.made import NOON, alert, one_rule
from tests.rules.stage import Plugins, Stage, hangs


def under_way(*told: str, after: float = 10.0) -> Flow:
    """A flow whose first plugin was asked, and has told how far it is."""
    stage = Stage(one_rule(), Plugins({"drain": hangs})).hear(alert(instance_id="i-1")).play(5)
    key = stage.open[0].key
    for text in told:
        stage.tell(PluginProgressed(time=0.0, flow=key, task="drain", text=text)).play(after)
    return stage.open[0]


def lines(show: Callable[[], list[str]]) -> str:
    return "\n".join(show())


def test_how_far_a_plugin_says_it_is_stands_beside_its_step() -> None:
    flow = under_way("3 of 10 pods are gone", "7 of 10 pods are gone")
    shown = lines(lambda: list(flow_lines(flow)))
    assert "7 of 10 pods are gone" in shown
    assert "3 of 10" not in shown
    assert "drain is asked for" in lines(lambda: list(list_lines([flow], NOON + 30)))
    assert ": 7 of 10 pods are gone" in lines(lambda: list(list_lines([flow], NOON + 30)))


def test_what_came_of_it_counts_before_what_it_said_on_the_way() -> None:
    flow = under_way("3 of 10 pods are gone")
    fact = flow.fact("drain")
    again = flow.with_fact(replace(fact, text="it did not work", progress=""))
    assert "it did not work" in lines(lambda: list(flow_lines(again)))
    over = flow.with_fact(replace(fact, text="emptied", state=type(fact.state).DONE))
    assert "3 of 10" not in lines(lambda: list(flow_lines(over)))
