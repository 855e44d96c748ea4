"""Any plugin, looked at or called by hand, as an engine would."""

import json
import secrets
import sys
from argparse import Namespace
from collections.abc import Awaitable
from pathlib import Path
from typing import Any, TypeVar

from spotward.cli.exits import Exit
from spotward.cli.plugin_shelf import from_the_shelf
from spotward.cli.plugin_words import told
from spotward.cli.rule_files import text_of
from spotward.engine.clock import clock_from_environment
from spotward.events.said import read_any
from spotward.model.errors import ConfigError, Transient
from spotward.model.occurrence import Occurrence
from spotward.plugins.host.by_grpc import by_grpc, description
from spotward.plugins.host.hands import happening
from spotward.plugins.host.settings import PluginSettings, Speaks, Trust
from spotward.plugins.host.speakers import Missed
from spotward.plugins.sdk.call import Answer, Call
from spotward.plugins.sdk.describing import described
from spotward.plugins.wire.plugin_pb2 import Description

Value = TypeVar("Value")


async def describe(asked: Namespace) -> int:
    """Print what a plugin says of itself. Raises ConfigError, OutsideError."""
    if ":" in asked.plugin:
        settings = _settings(asked, Speaks.SPOTWARD)
        said = await _reached(description(settings, asked.seconds))
    else:
        said = described(from_the_shelf(asked.plugin).kind)
    sys.stdout.write(_as_json(said) if asked.output == "json" else told(said))
    return Exit.DONE


def _as_json(said: Description) -> str:
    schema = json.loads(said.properties_schema) if said.properties_schema else None
    fields = {"name": said.name, "version": said.version, "about": said.about, "event_types": list(said.event_types)}
    return json.dumps(fields | {"properties_schema": schema, "idempotent": said.idempotent}, indent=2) + "\n"


async def call(asked: Namespace) -> int:
    """Call a plugin once for each event of a file, and print each answer. Raises ConfigError, OutsideError."""
    settings = _settings(asked, Speaks(asked.protocol))
    if asked.dry_run and settings.speaks is not Speaks.SPOTWARD:
        raise ConfigError(f"{asked.protocol} knows no dry run, and the plugin would act; leave --dry-run out")
    calls = _calls(asked)
    speaker = by_grpc(settings)
    try:
        answers = [await _reached(speaker.say(each, asked.seconds, _heard)) for each in calls]
    finally:
        await speaker.close()
    for answer in answers:
        sys.stdout.write(_answer_text(answer))
    return Exit.DONE if all(answer.good for answer in answers) else Exit.UNFINISHED


def _calls(asked: Namespace) -> list[Call]:
    properties = dict(_property(each) for each in asked.property)
    key = asked.idempotency_key or f"by-hand/{secrets.token_hex(8)}"
    return [
        Call(
            key=f"{key}/{number}" if number else key,
            event=happening(occurrence),
            properties=properties,
            flow="by hand",
            step="by hand",
            dry_run=asked.dry_run,
        )
        for number, occurrence in enumerate(_occurrences(asked.event))
    ]


def _property(said: str) -> tuple[str, Any]:
    """`name=value`, where the value is JSON, or else a text. Raises ConfigError."""
    name, sign, value = said.partition("=")
    if not (name and sign):
        raise ConfigError(f"--property is {said!r}; give NAME=VALUE, such as text=hello or 'to=[\"ops\"]'")
    try:
        return name, json.loads(value)
    except ValueError:
        return name, value


def _occurrences(event: str) -> tuple[Occurrence, ...]:
    text = sys.stdin.read() if event == "-" else text_of(Path(event), "give the path of an event as JSON")
    heard = read_any(text, now=clock_from_environment().now())
    if heard.troubles:
        raise heard.troubles[0]
    return heard.occurrences


def _settings(asked: Namespace, speaks: Speaks) -> PluginSettings:
    trust = Trust(
        ca=asked.ca,
        certificate=asked.tls_certificate,
        key=asked.tls_key,
        token_file=asked.token_file,
        tls=asked.tls,
        server_name=asked.server_name,
    )
    return PluginSettings(name="plugin", address=asked.plugin, speaks=speaks, trust=trust)


async def _reached(asked: Awaitable[Value]) -> Value:
    """Raises Transient when nobody was reached."""
    try:
        return await asked
    except Missed as error:
        raise Transient(f"{error}; is the address right, and does it speak TLS?", code="PluginMissed") from error


async def _heard(text: str, fraction: float) -> None:
    share = f" ({fraction:.0%})" if fraction else ""
    sys.stderr.write(f"{text}{share}\n")


def _answer_text(answer: Answer) -> str:
    fields: dict[str, Any] = {"status": answer.status.value, "text": answer.text}
    if answer.output:
        fields["output"] = dict(answer.output)
    if answer.retry_after_seconds:
        fields["retry_after_seconds"] = answer.retry_after_seconds
    return json.dumps(fields, indent=2, ensure_ascii=False) + "\n"
