"""People told over real sockets: what arrives, what a receiver's answer means, and that no secret is repeated."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from spotward.engine.clock import SystemClock
from spotward.model.errors import ConfigError, OutsideError, Permanent, Transient
from spotward.model.event import Done
from spotward.model.node_action import Notify
from spotward.plugins.webhook import FIELDS, Webhook, WebhookHands
from tests.plugins.receiver import Receiver, receiving

TOLD = Notify(
    instance_id="i-1",
    key="tell i-1",
    moment="begin",
    text='n-1: EC2 takes the Spot instance at 12:00; "its pods" are moved now',
    fields=(("node", "n-1"), ("cause", "interruption"), ("pods", "3")),
)


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as server:
        yield server


def tell(webhook: Webhook) -> Done:
    return asyncio.run(WebhookHands(webhook, SystemClock()).do(TOLD, 2))


def failure(webhook: Webhook) -> OutsideError:
    with pytest.raises(OutsideError) as caught:
        tell(webhook)
    return caught.value


def test_what_is_told_arrives_as_json_with_its_key(receiver: Receiver) -> None:
    done = tell(Webhook(url=f"{receiver.url}/hook"))
    assert (done.key, done.attempt, done.subject) == ("tell i-1", 2, "i-1")
    ((path, headers, body),) = receiver.heard
    assert path == "/hook"
    assert headers["Content-Type"] == "application/json"
    assert headers["Spotward-Key"] == "tell i-1"
    assert json.loads(body) == {"text": TOLD.text}


def test_a_template_names_fields_and_is_read_anew_for_each_message(receiver: Receiver, tmp_path: Path) -> None:
    file = tmp_path / "template"
    file.write_text('{"n": "$node", "m": "${moment}", "cost": "$$3", "unknown": "$killed"}')
    webhook = Webhook(url=receiver.url, template_file=file, headers={"X-Team": "sre"})
    tell(webhook)
    file.write_text("$cause of $pods pods")
    tell(webhook)
    (_, headers, first), (_, _, second) = receiver.heard
    assert headers["X-Team"] == "sre"
    assert json.loads(first) == {"n": "n-1", "m": "begin", "cost": "$3", "unknown": ""}
    assert second == b"interruption of 3 pods"


def test_the_address_and_the_secret_that_signs_may_be_files(receiver: Receiver, tmp_path: Path) -> None:
    address, secret = tmp_path / "address", tmp_path / "secret"
    address.write_text(f"{receiver.url}/T0/B0\n")
    secret.write_text("hush\n")
    tell(Webhook(url_file=address, secret_file=secret))
    ((path, headers, body),) = receiver.heard
    assert path == "/T0/B0"
    assert headers["Spotward-Signature"] == "sha256=" + hmac.new(b"hush", body, hashlib.sha256).hexdigest()


def test_it_goes_through_a_proxy_where_one_is_set_and_only_then(
    receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    tell(Webhook(url="http://hooks.example.com/T0", proxy=receiver.url))
    assert receiver.heard[0][0] == "http://hooks.example.com/T0"
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    tell(Webhook(url=f"{receiver.url}/direct"))
    assert receiver.heard[1][0] == "/direct"


@pytest.mark.parametrize(
    ("status", "kind"), [(429, Transient), (500, Transient), (503, Transient), (302, Permanent), (404, Permanent)]
)
def test_an_answer_that_is_no_success_is_a_failure(receiver: Receiver, status: int, kind: type[OutsideError]) -> None:
    receiver.status = status
    error = failure(Webhook(url=f"{receiver.url}/secret-path"))
    assert type(error) is kind
    assert str(status) in str(error)
    assert "secret-path" not in str(error)


def test_a_receiver_that_hangs_or_is_not_there_is_told_without_its_address(receiver: Receiver) -> None:
    receiver.pause.clear()
    slow = failure(Webhook(url=f"{receiver.url}/secret-path", seconds_max=0.2))
    receiver.pause.set()
    assert str(slow) == "the webhook did not answer within 0.2 s"
    gone = failure(Webhook(url="http://127.0.0.1:9/secret-path"))
    assert str(gone) == "the webhook could not be reached (ConnectError)"
    assert isinstance(gone, Transient)


def test_a_file_that_went_away_is_told_and_nothing_is_sent(receiver: Receiver, tmp_path: Path) -> None:
    file = tmp_path / "address"
    file.write_text(receiver.url)
    hands = WebhookHands(Webhook(url_file=file), SystemClock())
    file.unlink()
    with pytest.raises(Permanent, match=f"{file} cannot be read: No such file"):
        asyncio.run(hands.do(TOLD, 1))
    assert receiver.heard == []


@pytest.mark.parametrize(
    ("settings", "setting", "words"),
    [
        ({"url": "hooks.example.com"}, "webhook.url", "it is no address"),
        ({"url": "https://a", "url_file": Path("a")}, "webhook.url_file", "either url or url_file"),
        ({"template": "cost: 3$"}, "webhook.template", r"write `\$\$`"),
        ({"template": "$nod"}, "webhook.template", r"it names `\$nod`; there are text, "),
        ({"proxy": "tcp://proxy:3128"}, "webhook.proxy", "it is no address"),
        ({"seconds_max": 0.0}, "webhook.seconds_max", "more than 0"),
    ],
)
def test_a_setting_that_makes_no_sense_is_refused(settings: dict[str, Any], setting: str, words: str) -> None:
    with pytest.raises(ConfigError, match=words) as caught:
        Webhook(**settings)
    assert caught.value.setting == setting


def test_a_file_that_cannot_be_read_is_told_at_the_start(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="nowhere cannot be read"):
        WebhookHands(Webhook(url_file=tmp_path / "nowhere"), SystemClock())


def test_every_field_of_a_template_stands_in_the_reference() -> None:
    page = (Path(__file__).parents[2] / "docs" / "reference" / "settings.md").read_text()
    told = page[page.index("## The webhook's fields") :]
    assert [field for field in FIELDS if f"`{field}`" not in told] == []
