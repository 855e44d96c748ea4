"""A plugin without a server: one function or one class, values in, values out."""

import asyncio
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from spotward.plugins.sdk import Answer, Call, Happening, Plugin, Problem, Status, failed, plugin

HOT = Happening(id="e-1", source="test", type="alert.Hot", data={"labels": {"instance": "n-1"}})


def answer(asked: Plugin, **fields: Any) -> Answer:
    return asyncio.run(asked.answer(Call(key="k", event=HOT, **fields)))


def test_a_text_is_done_with_these_words() -> None:
    @plugin(name="greet")
    async def greet(call: Call) -> str:
        """Says hello."""
        return f"hello {call.event.labels['instance']}"

    assert answer(greet) == Answer(status=Status.DONE, text="hello n-1")
    assert greet.about == "Says hello."


def test_a_function_that_is_not_async_runs_on_a_thread_and_holds_nobody_up() -> None:
    import threading

    seen: list[str] = []

    @plugin(name="slow")
    def slow(call: Call) -> None:
        seen.append(threading.current_thread().name)

    assert answer(slow) == Answer(status=Status.DONE)
    assert seen != [threading.main_thread().name]


def test_what_it_raises_is_a_failure_that_names_it() -> None:
    @plugin(name="broken")
    async def broken(call: Call) -> None:
        raise KeyError("zone")

    assert answer(broken) == failed("KeyError: 'zone'")


def test_what_it_must_not_return_is_a_failure_that_says_what_to_return() -> None:
    @plugin(name="odd")
    async def odd(call: Call) -> str:
        return 3  # type: ignore[return-value]  # what it must not return

    assert answer(odd) == failed("it answered with a int; return an Answer, a text or None")


def test_an_event_of_a_type_that_it_does_not_know_is_ignored_in_words() -> None:
    @plugin(name="cold", event_types=["alert.Cold*"])
    async def cold(call: Call) -> None:
        raise AssertionError("not reached")

    assert answer(cold).status is Status.IGNORED
    assert answer(cold).text == "cold has no business with events of type alert.Hot"


@dataclass
class Wanted:
    channel: str
    """Which one."""
    loud: bool = False


class Tell(Plugin):
    """Tells a channel."""

    name = "tell"
    properties = Wanted

    async def handle(self, call: Call) -> str:
        assert isinstance(call.properties, Wanted)
        return f"told {call.properties.channel}"

    def check(self, properties: Mapping[str, Any]) -> Iterable[Problem]:
        if not properties["channel"].startswith("#"):
            yield Problem(place="channel", text="a channel begins with #")


def test_properties_come_as_a_value_of_the_class_that_was_declared() -> None:
    assert answer(Tell(), properties={"channel": "#ops"}).text == "told #ops"


def test_properties_that_do_not_fit_are_refused_with_their_place() -> None:
    assert Tell().problems({"loud": "perhaps"}) == (
        Problem(place="channel", text="Field required"),
        Problem(place="loud", text="Input should be a valid boolean, unable to interpret input"),
    )
    refused = answer(Tell(), properties={"channel": "ops"})
    assert refused.status is Status.REFUSED
    assert refused.text == "channel: a channel begins with #"


def test_a_property_that_there_is_not_is_told_with_the_nearest() -> None:
    given = {"channel": "#ops"}
    near = "there is no such property; did you mean `loud`?"
    assert Tell().problems(given | {"luod": True}) == (Problem(place="luod", text=near),)
    assert Tell().problems(given | {"x": 1}) == (Problem(place="x", text="there are channel, loud"),)


def test_the_schema_of_properties_is_for_editors() -> None:
    schema = Tell().schema()
    assert schema is not None
    assert schema["required"] == ["channel"]
    assert schema["additionalProperties"] is False
    assert schema["properties"]["channel"]["description"] == "Which one."


def test_the_labels_of_an_event_that_is_no_alert_are_its_texts() -> None:
    assert Happening(id="1", source="s", type="t", data={"a": "x", "b": 3}).labels == {"a": "x"}
    assert Happening(id="1", source="s", type="t", data=[1]).labels == {}


def test_words_are_cut_before_they_flood() -> None:
    @plugin(name="long")
    async def long(call: Call) -> str:
        return "x" * 5000

    assert len(answer(long).text) == 2003
