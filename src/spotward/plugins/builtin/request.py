"""http: calls an address that the operator allows.

A step names a target, not an address: whoever may write rules so cannot reach what the operator did not mean, and what
comes in with an event can choose neither.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from spotward.plugins.builtin.outgoing import SECONDS_MAX, Request, Unset, secret, sent
from spotward.plugins.builtin.words import filled, is_sound
from spotward.plugins.sdk.call import Answer, Call, Problem, done, refused
from spotward.plugins.sdk.plugin import Plugin


@dataclass(frozen=True, kw_only=True, slots=True)
class Target:
    """One address that may be called."""

    url: str
    method: str = "POST"
    headers: Mapping[str, str] = field(default_factory=dict)
    token_file: Path | None = None
    """Sent as `Authorization: Bearer`."""
    content_type: str = "application/json"
    seconds_max: float = SECONDS_MAX
    proxy: str | None = None


@dataclass(frozen=True, kw_only=True)
class Send:
    """What a step sends."""

    target: str
    body: str = ""
    """With gaps that the event fills; in JSON they are escaped as the inside of a text."""


class Http(Plugin):
    """Calls an address that the operator allows."""

    name = "http"
    version = "1"
    properties = Send

    def __init__(self, targets: Mapping[str, Target]) -> None:
        self._targets = targets

    def check(self, properties: Mapping[str, Any]) -> list[Problem]:
        """The target exists, and the body can be filled."""
        if properties["target"] not in self._targets:
            known = ", ".join(self._targets) or "none"
            return [Problem(place="target", text=f"no target is called `{properties['target']}`; there are: {known}")]
        if not is_sound(properties.get("body", "")):
            return [Problem(place="body", text="a `$` stands alone in it; write `$$` for a dollar sign")]
        return []

    async def handle(self, call: Call) -> Answer:
        """Call it once."""
        wanted: Send = call.properties
        target = self._targets[wanted.target]
        body = filled(wanted.body, call, in_json="json" in target.content_type)
        if call.dry_run:
            return done(f"would call {wanted.target}")
        try:
            headers = {"content-type": target.content_type, "idempotency-key": call.key, **target.headers}
            if call.traceparent:
                headers.setdefault("traceparent", call.traceparent)
            if target.token_file is not None:
                headers["authorization"] = f"Bearer {secret(target.token_file)}"
        except Unset as error:
            return refused(str(error))
        request = Request(
            url=target.url,
            body=body.encode(),
            method=target.method,
            headers=headers,
            seconds=target.seconds_max,
            proxy=target.proxy,
        )
        return await sent(request, wanted.target)
