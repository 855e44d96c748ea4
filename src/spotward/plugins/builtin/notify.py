"""notify: tells people, in Slack, by e-mail, through SNS or any webhook.

The operator names destinations; a step names one or more of them and what is said. Addresses and passwords stay with
the operator: they are in files, and no answer repeats them.
"""

import asyncio
import json
import smtplib
import ssl
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from email.message import EmailMessage
from pathlib import Path
from typing import Any, Literal

from spotward.model.errors import Permanent, Transient
from spotward.plugins.builtin.outgoing import SECONDS_MAX, Request, Unset, secret, sent
from spotward.plugins.builtin.words import filled, is_sound
from spotward.plugins.sdk.call import Answer, Call, Problem, Status, done, failed, refused
from spotward.plugins.sdk.plugin import Plugin

Publish = Callable[[str, str, str, str], Awaitable[None]]
"""Publish to an SNS topic: (topic ARN, subject, text, idempotency key). Raises OutsideError."""

SUBJECT_MAX = 100
"""SNS takes no longer subject."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Slack:
    """An incoming webhook of Slack, Mattermost or any that takes `{"text": ...}`."""

    kind: Literal["slack"] = "slack"
    url_file: Path
    """A file with the webhook's address."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Hook:
    """Any webhook: a POST of `{"title": ..., "text": ..., "type": ..., "key": ...}`."""

    kind: Literal["webhook"] = "webhook"
    url: str
    token_file: Path | None = None
    """Sent as `Authorization: Bearer`."""
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True, slots=True)
class Email:
    """By SMTP."""

    kind: Literal["email"] = "email"
    to: tuple[str, ...]
    sender: str
    host: str
    port: int = 587
    start_tls: bool = True
    """Encrypt before anything is said. False is for a relay on the same machine."""
    user: str | None = None
    password_file: Path | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Topic:
    """An SNS topic."""

    kind: Literal["sns"] = "sns"
    arn: str


Destination = Slack | Hook | Email | Topic


@dataclass(frozen=True, kw_only=True)
class Message:
    """What a step says."""

    to: list[str]
    """Names of destinations."""
    text: str = "$type $labels.instance: $annotations.summary"
    """With gaps that the event fills."""
    title: str = "$type"


class Notify(Plugin):
    """Tells people: Slack, e-mail, SNS, any webhook."""

    name = "notify"
    version = "1"
    properties = Message

    def __init__(self, destinations: Mapping[str, Destination], *, publish: Publish | None = None) -> None:
        """publish: reaches SNS; without it topics are refused in words."""
        self._destinations, self._publish = destinations, publish

    def check(self, properties: Mapping[str, Any]) -> list[Problem]:
        """Every destination exists, and the texts can be filled."""
        known = ", ".join(self._destinations) or "none"
        wrong = [
            Problem(place="to", text=f"no destination is called `{name}`; there are: {known}")
            for name in properties["to"]
            if name not in self._destinations
        ]
        wrong += [
            Problem(place=place, text="a `$` stands alone in it; write `$$` for a dollar sign")
            for place in ("text", "title")
            if not is_sound(properties.get(place, ""))
        ]
        return wrong or ([] if properties["to"] else [Problem(place="to", text="name a destination")])

    async def handle(self, call: Call) -> Answer:
        """Tell every destination; the worst answer is the answer, and says of each what came of it."""
        message: Message = call.properties
        title, text = filled(message.title, call), filled(message.text, call)
        if call.dry_run:
            return done(f"would tell {', '.join(message.to)}: {text}")
        answers = {name: await self._told(name, title, text, call) for name in message.to}
        words = "; ".join(f"{name}: {answer.text}" for name, answer in answers.items())
        worst = max(answers.values(), key=lambda answer: _BADNESS[answer.status])
        return Answer(status=worst.status, text=words, retry_after_seconds=worst.retry_after_seconds)

    async def _told(self, name: str, title: str, text: str, call: Call) -> Answer:
        try:
            match self._destinations[name]:
                case Slack() as slack:
                    return await sent(_slack(slack, text), "Slack")
                case Hook() as hook:
                    return await sent(_hook(hook, title, text, call), "the webhook")
                case Email() as email:
                    return await _mailed(email, title, text, call.key)
                case Topic() as topic:
                    return await self._published(topic, title, text, call.key)
        except Unset as error:
            return refused(str(error))

    async def _published(self, topic: Topic, title: str, text: str, key: str) -> Answer:
        if self._publish is None:
            return refused("there is no AWS here to publish to SNS with")
        try:
            await self._publish(topic.arn, title[:SUBJECT_MAX], text, key)
        except Permanent as error:
            return refused(f"SNS: {error}")
        except Transient as error:
            return failed(f"SNS: {error}", retry_after_seconds=error.retry_after_seconds)
        return done("published")


_BADNESS = {Status.DONE: 0, Status.IGNORED: 0, Status.REFUSED: 1, Status.FAILED: 2}


def _slack(slack: Slack, text: str) -> Request:
    body = json.dumps({"text": text}).encode()
    return Request(url=secret(slack.url_file), body=body, headers={"content-type": "application/json"})


def _hook(hook: Hook, title: str, text: str, call: Call) -> Request:
    body = json.dumps({"title": title, "text": text, "type": call.event.type, "key": call.key}).encode()
    headers = {"content-type": "application/json", "idempotency-key": call.key, **hook.headers}
    if hook.token_file is not None:
        headers["authorization"] = f"Bearer {secret(hook.token_file)}"
    return Request(url=hook.url, body=body, headers=headers)


async def _mailed(email: Email, title: str, text: str, key: str) -> Answer:
    mail = EmailMessage()
    mail["From"], mail["To"], mail["Subject"] = email.sender, ", ".join(email.to), " ".join(title.split())
    mail["X-Spotward-Key"] = " ".join(key.split())
    mail.set_content(text)
    password = secret(email.password_file) if email.password_file is not None else ""
    try:
        await asyncio.to_thread(_posted, email, password, mail)
    except smtplib.SMTPResponseException as error:
        words = f"{email.host} answered {error.smtp_code}"
        return failed(words) if 400 <= error.smtp_code < 500 else refused(words)
    except (OSError, smtplib.SMTPException) as error:
        return failed(f"{email.host} could not be reached ({type(error).__name__})")
    return done(f"mailed to {len(email.to)}")


def _posted(email: Email, password: str, mail: EmailMessage) -> None:
    with smtplib.SMTP(email.host, email.port, timeout=SECONDS_MAX) as server:
        if email.start_tls:
            server.starttls(context=ssl.create_default_context())
        if email.user is not None:
            server.login(email.user, password)
        server.send_message(mail)
