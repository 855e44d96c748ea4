"""What we show the API server at each request: a bearer token, or a user's name and password.

Tokens age. A service account's file is renewed by the kubelet about once an hour and read again every minute; a
plugin's token is kept until a minute before it says that it ends. An answer 401 makes us forget what we have, so that
the next request asks for a fresh one. A client certificate is not shown here but in the TLS handshake.
"""

import asyncio
import base64
import json
import os
import time
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from spotward.engine.ports import Clock
from spotward.kube.configuration import ExecPlugin, Identity
from spotward.model.errors import ConfigError, Transient

TOKEN_FILE_SECONDS = 60.0
"""How long a token file is believed before it is read again; client-go does the same."""

EXPIRY_MARGIN_SECONDS = 60.0
"""A plugin's token is renewed so long before its end, so that it does not end on the way."""

PLUGIN_SECONDS_MAX = 60.0
"""How long a plugin may think. `aws eks get-token` takes about a second, a sign-on that waits for a person longer."""

EXEC_INFO_VARIABLE = "KUBERNETES_EXEC_INFO"


class Credentials:
    """The `Authorization` header of one identity, renewed as needed."""

    def __init__(self, identity: Identity, *, origin: str, clock: Clock) -> None:
        self._identity, self._origin, self._clock = identity, origin, clock
        self._header: str | None = None
        self._good_until = -1.0
        """By the stopwatch for a file, by the clock for a plugin's token."""
        self._asking = asyncio.Lock()

    async def header(self) -> str | None:
        """The header's value, or None if there is nothing to show.

        Raises ConfigError (a file or a plugin is missing or broken) or Transient (a plugin failed).
        """
        who = self._identity
        if who.token_file is not None:
            return self._from_file()
        if who.token is not None:
            return f"Bearer {who.token}"
        if who.plugin is not None:
            return await self._from_plugin(who.plugin)
        if who.username is not None:
            pair = f"{who.username}:{who.password or ''}".encode()
            return f"Basic {base64.b64encode(pair).decode()}"
        return None

    def forget(self) -> bool:
        """What we showed was refused. Is there any hope that the next thing shown differs?"""
        self._good_until = -1.0
        return self._identity.token_file is not None or (
            self._identity.token is None and self._identity.plugin is not None
        )

    def _from_file(self) -> str:
        file = self._identity.token_file
        assert file is not None
        if self._header is None or time.perf_counter() >= self._good_until:
            try:
                self._header = f"Bearer {file.read_text().strip()}"
            except OSError as error:
                raise ConfigError(f"{self._origin}: the token file {file} cannot be read ({error.strerror})") from None
            self._good_until = time.perf_counter() + TOKEN_FILE_SECONDS
        return self._header

    async def _from_plugin(self, plugin: ExecPlugin) -> str:
        async with self._asking:  # one run of the program serves all who wait
            if self._header is None or self._clock.now() >= self._good_until:
                status = credential(await run(plugin, self._origin), plugin, self._origin)
                self._header = f"Bearer {status['token']}"
                self._good_until = expiry(status, self._origin) - EXPIRY_MARGIN_SECONDS
            return self._header


async def run(plugin: ExecPlugin, origin: str) -> bytes:
    """What the plugin prints. Raises ConfigError if it is not there, Transient if it fails."""
    command = str(plugin.folder / plugin.command) if os.sep in plugin.command else plugin.command
    info = {"apiVersion": plugin.api_version, "kind": "ExecCredential", "spec": {"interactive": False}}
    environment = {**os.environ, EXEC_INFO_VARIABLE: json.dumps(info), **plugin.environment}
    pipe = asyncio.subprocess.PIPE
    try:
        process = await asyncio.create_subprocess_exec(
            command, *plugin.arguments, env=environment, stdin=asyncio.subprocess.DEVNULL, stdout=pipe, stderr=pipe
        )
    except OSError as error:
        raise ConfigError(
            f"{origin}: exec command {command}: {error.strerror}; install it or correct its path"
        ) from None
    try:
        async with asyncio.timeout(PLUGIN_SECONDS_MAX):
            printed, complained = await process.communicate()
    except TimeoutError:
        process.kill()
        await process.wait()
        raise Transient(f"{origin}: {command} said nothing for {PLUGIN_SECONDS_MAX:g} s", code="ExecPlugin") from None
    if process.returncode:
        said = complained.decode(errors="replace").strip()[-500:]
        raise Transient(f"{origin}: {command} failed ({process.returncode}): {said}", code="ExecPlugin")
    return printed


def credential(printed: bytes, plugin: ExecPlugin, origin: str) -> Mapping[str, Any]:
    """The `status` of what a plugin printed. Raises ConfigError if it holds no token."""
    try:
        status = json.loads(printed)["status"]
        if isinstance(status, dict) and isinstance(status.get("token"), str):
            return status
    except (ValueError, KeyError, TypeError):
        pass
    raise ConfigError(
        f"{origin}: {plugin.command} printed no ExecCredential with a token; run it by hand to see what it prints "
        "(client certificates from a plugin are not supported)"
    )


def expiry(status: Mapping[str, Any], origin: str) -> float:
    """Unix seconds; without a word about it a token is good until it is refused."""
    said = status.get("expirationTimestamp")
    if said is None:
        return float("inf")
    try:
        return datetime.fromisoformat(str(said)).timestamp()
    except ValueError:
        raise ConfigError(f"{origin}: the exec plugin's expirationTimestamp {said!r} is no RFC 3339 time") from None
