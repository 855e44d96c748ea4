"""notify, http and annotate, against receivers that listen."""

import json
import socketserver
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from spotward.model.errors import OutsideError, Permanent, Transient
from spotward.plugins.builtin.annotate import Annotate, Grafana
from spotward.plugins.builtin.notify import Email, Hook, Notify, Slack, Topic
from spotward.plugins.builtin.request import Http, Target
from spotward.plugins.sdk import Answer, Status, done, failed, refused
from tests.plugins.builtin.calls import called
from tests.plugins.receiver import Receiver, receiving


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as server:
        yield server


def written(file: Path, text: str) -> Path:
    file.write_text(text)
    return file


def test_slack_gets_the_text(receiver: Receiver, tmp_path: Path) -> None:
    notify = Notify({"ops": Slack(url_file=written(tmp_path / "url", f"{receiver.url}/T0/B0\n"))})
    assert called(notify, to=["ops"]) == done("ops: Slack answered 200")
    path, _, body = receiver.heard[0]
    assert path == "/T0/B0"
    assert json.loads(body) == {"text": "prometheus.server.alert.Hot n-1: too hot"}


def test_a_webhook_gets_title_text_key_and_its_token(receiver: Receiver, tmp_path: Path) -> None:
    hook = Hook(url=f"{receiver.url}/x", token_file=written(tmp_path / "token", "s3cret"), headers={"x-team": "a"})
    answer = called(Notify({"hook": hook}), to=["hook"], title="Hot!", text="$labels.instance")
    assert answer.status is Status.DONE
    _, headers, body = receiver.heard[0]
    assert json.loads(body) == {
        "title": "Hot!",
        "text": "n-1",
        "type": "prometheus.server.alert.Hot",
        "key": "flow-1/tell",
    }
    assert (headers["authorization"], headers["x-team"]) == ("Bearer s3cret", "a")


def test_of_several_destinations_the_worst_answer_counts_and_each_is_told(receiver: Receiver, tmp_path: Path) -> None:
    notify = Notify(
        {"ops": Slack(url_file=tmp_path / "nowhere"), "hook": Hook(url=receiver.url), "sns": Topic(arn="arn:x")}
    )
    answer = called(notify, to=["ops", "hook", "sns"])
    assert answer.status is Status.REFUSED
    assert "nowhere cannot be read" in answer.text
    assert "hook: the webhook answered 200" in answer.text
    assert "sns: there is no AWS here" in answer.text


def test_a_topic_is_published_to() -> None:
    told: list[tuple[str, ...]] = []

    async def publish(*said: str) -> None:
        told.append(said)

    answer = called(Notify({"sns": Topic(arn="arn:x")}, publish=publish), to=["sns"], text="n", title="t" * 200)
    assert answer == done("sns: published")
    assert told == [("arn:x", "t" * 100, "n", "flow-1/tell")]


@pytest.mark.parametrize(
    ("error", "answer"),
    [
        (Permanent("it does not exist", code="NotFound"), refused("sns: SNS: it does not exist")),
        (
            Transient("slow down", code="Throttled", retry_after_seconds=7),
            failed("sns: SNS: slow down", retry_after_seconds=7),
        ),
    ],
)
def test_a_topic_that_does_not_take_it_is_tried_again_only_where_that_may_help(
    error: OutsideError, answer: Answer
) -> None:
    async def publish(*_: str) -> None:
        raise error

    assert called(Notify({"sns": Topic(arn="arn:x")}, publish=publish), to=["sns"], text="n") == answer


def test_a_busy_receiver_may_be_asked_again_and_one_that_refuses_not(receiver: Receiver) -> None:
    notify = Notify({"hook": Hook(url=receiver.url)})
    receiver.status = 503
    assert called(notify, to=["hook"]) == failed("hook: the webhook answered 503")
    receiver.status = 403
    assert called(notify, to=["hook"]) == refused("hook: the webhook answered 403")


def test_a_destination_that_there_is_not_is_said_when_rules_are_read() -> None:
    notify = Notify({"ops": Topic(arn="a")})
    assert [p.text for p in notify.problems({"to": ["opps"]})] == ["no destination is called `opps`; there are: ops"]
    assert [p.place for p in notify.problems({"to": ["ops"], "text": "5 $"})] == ["text"]
    assert [p.text for p in notify.problems({"to": []})] == ["name a destination"]


class _Mailbox(socketserver.StreamRequestHandler):
    """As much of SMTP as a client needs to leave a message."""

    def handle(self) -> None:
        box = self.server
        assert isinstance(box, Mailboxes)
        self.say("220 here")
        while line := self.rfile.readline():
            word = line.split()[0].upper() if line.split() else b""
            if word == b"DATA":
                self.say("354 go on")
                lines = list(iter(self.rfile.readline, b".\r\n"))
                box.mails.append(b"".join(lines).decode())
                self.say("250 taken")
            elif word == b"QUIT":
                self.say("221 bye")
                return
            else:
                self.say("550 not you" if word == b"RCPT" and box.shut else "250 fine")

    def say(self, text: str) -> None:
        self.wfile.write(f"{text}\r\n".encode())


class Mailboxes(socketserver.ThreadingTCPServer):
    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Mailbox)
        self.mails: list[str] = []
        self.shut = False


@pytest.fixture
def mailboxes() -> Iterator[Mailboxes]:
    with Mailboxes() as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


def mail_to(port: int) -> Notify:
    email = Email(to=("a@example.com",), sender="s@example.com", host="127.0.0.1", port=port, start_tls=False)
    return Notify({"mail": email})


def test_a_mail_is_left(mailboxes: Mailboxes) -> None:
    notify = mail_to(mailboxes.server_address[1])
    assert called(notify, to=["mail"], title="Hot\r\nBcc: everybody@example.com") == done("mail: mailed to 1")
    (mail,) = mailboxes.mails
    assert "Subject: Hot Bcc: everybody@example.com" in mail.splitlines()
    assert "X-Spotward-Key: flow-1/tell" in mail
    assert "n-1: too hot" in mail


def test_a_mail_that_is_not_wanted_or_not_taken_is_said(mailboxes: Mailboxes) -> None:
    notify = mail_to(mailboxes.server_address[1])
    mailboxes.shut = True
    assert called(notify, to=["mail"]).status is not Status.DONE
    assert called(mail_to(9), to=["mail"]) == failed("mail: 127.0.0.1 could not be reached (ConnectionRefusedError)")


def test_an_allowed_address_is_called_with_what_the_event_fills_in(receiver: Receiver) -> None:
    http = Http({"desk": Target(url=f"{receiver.url}/tickets", headers={"x-a": "b"})})
    receiver.answer = b'{"ticket": 7}'
    answer = called(http, target="desk", body='{"what": "$labels.say"}')
    assert answer.output == {"status": 200, "body": '{"ticket": 7}'}
    path, headers, body = receiver.heard[0]
    assert path == "/tickets"
    assert json.loads(body) == {"what": 'a "word"'}
    assert headers["idempotency-key"] == "flow-1/tell"


def test_an_address_that_is_not_allowed_is_refused() -> None:
    answer = called(Http({}), target="http://169.254.169.254/")
    assert answer == refused("target: no target is called `http://169.254.169.254/`; there are: none")


def test_a_moment_is_marked_in_grafana(receiver: Receiver, tmp_path: Path) -> None:
    annotate = Annotate(Grafana(url=f"{receiver.url}/", token_file=written(tmp_path / "token", "glsa_x\n")))
    assert called(annotate, tags=["spot", "$labels.instance"], dashboard_uid="d").status is Status.DONE
    path, headers, body = receiver.heard[0]
    assert path == "/api/annotations"
    assert headers["authorization"] == "Bearer glsa_x"
    assert json.loads(body) == {
        "text": "prometheus.server.alert.Hot n-1",
        "tags": ["spot", "n-1"],
        "time": 1_700_000_000_000,
        "dashboardUID": "d",
    }


def test_a_dry_run_says_what_would_be_done_and_does_nothing(receiver: Receiver, tmp_path: Path) -> None:
    notify = Notify({"hook": Hook(url=receiver.url)})
    assert called(notify, dry_run=True, to=["hook"], text="$labels.instance") == done("would tell hook: n-1")
    assert called(Http({"desk": Target(url=receiver.url)}), dry_run=True, target="desk") == done("would call desk")
    annotate = Annotate(Grafana(url=receiver.url, token_file=tmp_path / "nowhere"))
    assert called(annotate, dry_run=True).text == "would mark: prometheus.server.alert.Hot n-1"
    assert receiver.heard == []
