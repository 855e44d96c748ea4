"""A flow's call, made by a real plugin, comes back as the event that the flow waits for."""

import json
from dataclasses import replace

import pytest

from spotward.engine.clock import SystemClock
from spotward.model.errors import Transient
from spotward.model.flow import TaskState
from spotward.model.flow_action import CallPlugin, Earlier
from spotward.model.flow_event import TEXT_CHARACTERS_MAX, PluginAnswered, PluginProgressed, Status
from spotward.model.occurrence import Occurrence
from spotward.plugins.host.hands import FlowHands
from spotward.plugins.host.host import Host
from spotward.plugins.host.settings import PluginSettings
from spotward.plugins.sdk import Answer, Call, done, plugin
from spotward.plugins.sdk import Status as Ended
from tests.plugins.sdk.served import in_a_loop, serving

NOW = SystemClock().now()


def action() -> CallPlugin:
    occurrence = Occurrence.of(
        id="e-1", source="p", type="prometheus.server.alert.Hot", data={"labels": {"instance": "n-1"}}
    )
    earlier = (
        Earlier(task="drain", state=TaskState.DONE, text="10 pods", output_json='{"pods": 10}'),
        Earlier(task="left", state=TaskState.SKIPPED),
        Earlier(task="told", state=TaskState.REFUSED, text="no"),
    )
    return CallPlugin(
        flow="spot.abc",
        rule="spot",
        task="swap",
        plugin="swap",
        occurrence=occurrence,
        properties_json='{"terminate": true}',
        earlier=earlier,
        tries=2,
        timeout_seconds=20.0,
        deadline_time=NOW + 3600,
        happens_time=NOW + 100,
    )


@in_a_loop
async def test_a_call_is_made_with_all_that_its_flow_knows_and_answered_by_an_event() -> None:
    calls: list[Call] = []
    told: list[PluginProgressed] = []

    @plugin(name="swap")
    async def swap(call: Call) -> Answer:
        calls.append(call)
        for _ in range(5):
            await call.progress("launching", 0.5)
        return done("swapped", instance="i-2")

    async def tell(progress: PluginProgressed) -> None:
        told.append(progress)

    async with serving(swap) as server:
        host = Host([PluginSettings(name="swap", address=f"127.0.0.1:{server.port}")], SystemClock())
        answer = await FlowHands(host, SystemClock(), tell).do(action(), 3)
        await host.close()
    assert isinstance(answer, PluginAnswered)
    assert (answer.key, answer.attempt, answer.flow, answer.task) == ("call spot.abc.swap", 3, "spot.abc", "swap")
    assert (answer.status, answer.text, json.loads(answer.output_json)) == (Status.DONE, "swapped", {"instance": "i-2"})
    (call,) = calls
    assert (call.key, call.flow, call.step, call.attempt) == ("spot.abc.swap", "spot.abc", "swap", 2)
    assert call.properties == {"terminate": True}
    assert call.happens == pytest.approx(NOW + 100)
    assert call.earlier["drain"] == done("10 pods", pods=10)
    assert call.earlier["told"].status is Ended.REFUSED
    assert "left" not in call.earlier
    assert [(each.text, each.fraction) for each in told] == [("launching", 0.5)], "once a second is enough"


@in_a_loop
async def test_a_call_whose_time_is_over_is_not_made() -> None:
    host = Host([PluginSettings(name="swap", address="127.0.0.1:9")], SystemClock())
    with pytest.raises(Transient, match="its time was over"):
        await FlowHands(host, SystemClock()).do(replace(action(), deadline_time=NOW - 1), 1)
    await host.close()


@in_a_loop
async def test_words_and_output_that_are_too_long_are_cut_before_they_stand_in_the_journal() -> None:
    answers = [done("x" * 5_000, wide="y" * 20_000), done("x" * 5_000, narrow="y" * 16_000)]

    @plugin(name="swap")
    async def swap(_: Call) -> Answer:
        return answers.pop(0)

    host = Host([], SystemClock(), own=[swap])
    hands = FlowHands(host, SystemClock())
    long = await hands.do(action(), 1)
    short = await hands.do(replace(action(), flow="spot.def"), 1)
    await host.close()
    assert (len(long.text) <= TEXT_CHARACTERS_MAX, long.output_json) == (True, "{}")
    assert long.text.endswith("(its output was left out: it has 20012 characters; the limit is 16384)")
    assert len(short.text) <= TEXT_CHARACTERS_MAX + 3
    assert len(json.loads(short.output_json)["narrow"]) == 16_000


@pytest.mark.parametrize("value", [float("nan"), object(), {1, 2}])
@in_a_loop
async def test_an_output_that_is_no_json_is_left_out_with_words(value: object) -> None:
    @plugin(name="swap")
    async def swap(_: Call) -> Answer:
        return done("swapped", share=value)

    host = Host([], SystemClock(), own=[swap])
    answer = await FlowHands(host, SystemClock()).do(action(), 1)
    await host.close()
    assert (answer.status, answer.output_json) == (Status.DONE, "{}")
    assert answer.text.startswith("swapped (its output was left out: it is no JSON, ")
