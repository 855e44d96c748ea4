"""The plugin without a server: values in, values out."""

import asyncio

from say_hello import say_hello

from spotward.plugins.sdk import Answer, Call, Happening, Problem, done, refused


def answered(labels: dict[str, str], **fields: object) -> Answer:
    """What it says to an alert with these labels."""
    alert = Happening(id="1", source="test", type="prometheus.server.alert.Hot", data={"labels": labels})
    return asyncio.run(say_hello.answer(Call(key="k", event=alert, **fields)))


def test_it_greets_the_instance_of_an_alert() -> None:
    assert answered({"instance": "n-1"}) == done("Hello, n-1!", greeted="n-1")


def test_a_step_can_tell_it_how() -> None:
    assert answered({"instance": "n-1"}, properties={"greeting": "Servus"}).text == "Servus, n-1!"
    wrong = Problem(place="greting", text="there is no such property; did you mean `greeting`?")
    assert say_hello.problems({"greting": "Servus"}) == (wrong,)


def test_what_it_cannot_do_it_refuses_in_words() -> None:
    words = "the alert has no label `instance`; add one, or filter such alerts out in the rule"
    assert answered({}) == refused(words)


def test_a_dry_run_does_nothing() -> None:
    assert answered({"instance": "n-1"}, dry_run=True) == done("would greet n-1")
