"""Telling people: one POST when emptying a node begins, and one when it has ended.

The body is a template of the operator's, in which `$text`, `$node` and the other fields stand for what is known,
escaped as the inside of a JSON string. Where the webhook is, and what signs it, are secrets: they can be files, which
are read anew for each message, and no error and no log line repeats them.

The key of what is told goes along as `Spotward-Key`: a message that is sent twice, because a process was killed in
between, carries the same one.
"""

import hashlib
import hmac
import json
import string
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from spotward.engine.ports import Clock
from spotward.model.errors import ConfigError, Permanent, Transient
from spotward.model.event import Done
from spotward.model.node_action import Notify

TEMPLATE = '{"text": "$text"}'
"""What Slack, Mattermost and most others take."""

FIELDS = (
    "text",
    "moment",
    "key",
    "time",
    "node",
    "instance",
    "region",
    "az",
    "instance_type",
    "life_cycle",
    "group",
    "cause",
    "deadline",
    "pods",
    "killed",
    "troubled",
)
"""What a template may name. `moment` is begin or end, `time` Unix seconds; a field that is not known yet is empty."""

TRANSIENT_STATUSES = frozenset({408, 425, 429, 500, 502, 503, 504})


@dataclass(frozen=True, kw_only=True, slots=True)
class Webhook:
    """Where people are told, and how."""

    url: str | None = None
    """Where messages are posted. None, and no `url_file`: nobody is told."""

    url_file: Path | None = None
    """A file that holds the address, for one that is itself a secret; read anew for each message."""

    template: str = TEMPLATE
    """The body. `$text` and the other fields are replaced, escaped as inside a JSON string; `$$` is a dollar sign."""

    template_file: Path | None = None
    """A file that holds the body instead; read anew for each message."""

    headers: Mapping[str, str] | None = None
    """Headers of the request, besides `Content-Type: application/json`, or another one in its place."""

    secret_file: Path | None = None
    """A file that holds a secret. With one, the header `Spotward-Signature` is `sha256=` and the body's HMAC."""

    proxy: str | None = None
    """`http://host:port` of a proxy to go through. None goes directly, whatever the environment says."""

    seconds_max: float = 5.0
    """How long one message may take. It is tried three times."""

    def __post_init__(self) -> None:
        if self.url is not None and self.url_file is not None:
            raise ConfigError("give either url or url_file", setting="webhook.url_file")
        if self.url is not None:
            _checked_address(self.url, "webhook.url")
        if self.proxy is not None:
            _checked_address(self.proxy, "webhook.proxy")
        if not 0 < self.seconds_max <= 60:
            raise ConfigError(
                f"it is {self.seconds_max}; give more than 0 and at most 60", setting="webhook.seconds_max"
            )
        _checked_template(self.template, "webhook.template")

    @property
    def configured(self) -> bool:
        """Is anybody to be told?"""
        return self.url is not None or self.url_file is not None


class WebhookHands:
    """Sends what is to be told."""

    def __init__(self, webhook: Webhook, clock: Clock) -> None:
        """Raises ConfigError for a file that cannot be read, or a template that names what there is not."""
        self._webhook, self._clock = webhook, clock
        if webhook.configured:
            self._address()
            self._body(dict.fromkeys(FIELDS, ""))

    async def do(self, action: Notify, attempt: int) -> Done:
        """Send it once. Raises OutsideError, whose words do not name the address."""
        import httpx  # late: only who is told needs it

        try:
            address, body = self._address(), self._body(known(action, self._clock.now()))
            async with httpx.AsyncClient(
                proxy=self._webhook.proxy, timeout=self._webhook.seconds_max, trust_env=False
            ) as client:
                answer = await client.post(address, content=body, headers=self._headers(action, body))
        except ConfigError as error:
            raise Permanent(f"the webhook could not be called: {error}", code="WebhookConfig") from error
        except httpx.TimeoutException:
            raise Transient(
                f"the webhook did not answer within {self._webhook.seconds_max:g} s", code="Timeout"
            ) from None  # its own words, and its request, hold the address
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise Transient(f"the webhook could not be reached ({type(error).__name__})", code="Unreachable") from None
        self._judge(answer.status_code)
        return Done(time=self._clock.now(), key=action.key, attempt=attempt, subject=action.subject)

    def _judge(self, status: int) -> None:
        if 200 <= status < 300:
            return
        words, code = f"the webhook answered {status}", f"Http{status}"
        if status in TRANSIENT_STATUSES:
            raise Transient(words, code=code)
        raise Permanent(f"{words}; look at webhook.url, webhook.template and webhook.headers", code=code)

    def _address(self) -> str:
        file = self._webhook.url_file
        if file is None:
            return self._webhook.url or ""
        return _checked_address(_content(file, "webhook.url_file").strip(), "webhook.url_file")

    def _body(self, fields: Mapping[str, str]) -> bytes:
        file = self._webhook.template_file
        template = self._webhook.template if file is None else _content(file, "webhook.template_file")
        name = "webhook.template" if file is None else "webhook.template_file"
        _checked_template(template, name)
        escaped = {key: json.dumps(value, ensure_ascii=False)[1:-1] for key, value in fields.items()}
        return string.Template(template).substitute(escaped).encode()

    def _headers(self, action: Notify, body: bytes) -> dict[str, str]:
        given = {name.title(): value for name, value in (self._webhook.headers or {}).items()}
        headers = {"Content-Type": "application/json", **given, "Spotward-Key": action.key}
        if self._webhook.secret_file is not None:
            secret = _content(self._webhook.secret_file, "webhook.secret_file").strip().encode()
            headers["Spotward-Signature"] = f"sha256={hmac.new(secret, body, hashlib.sha256).hexdigest()}"
        return headers


def known(action: Notify, time: float) -> dict[str, str]:
    """Every field of a template; empty where it is not known."""
    said = {"text": action.text, "moment": action.moment, "key": action.key, "time": f"{time:.0f}"}
    return dict.fromkeys(FIELDS, "") | {k: v for k, v in action.fields if k in FIELDS} | said


def _content(file: Path, setting: str) -> str:
    try:
        return file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise ConfigError(f"{file} cannot be read: {why}", setting=setting) from error


def _checked_address(address: str, setting: str) -> str:
    """The address, if it is one. Raises ConfigError, which does not repeat it: it may be a secret."""
    try:
        parts = urlsplit(address)
        good = parts.scheme in ("http", "https") and bool(parts.hostname)
    except ValueError:
        good = False
    if not good:
        raise ConfigError("it is no address; give one such as https://hooks.example.com/T0/B0", setting=setting)
    return address


def _checked_template(template: str, setting: str) -> None:
    parsed = string.Template(template)
    if not parsed.is_valid():
        raise ConfigError("a `$` stands alone in it; write `$$` for a dollar sign", setting=setting)
    unknown = sorted(set(parsed.get_identifiers()) - set(FIELDS))
    if unknown:
        raise ConfigError(f"it names `${unknown[0]}`; there are {', '.join(FIELDS)}", setting=setting)
