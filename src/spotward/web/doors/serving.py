"""The doors, open: on the loopback address unless told otherwise, and never to everybody unless that was said."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING

from spotward.engine.ports import Clock
from spotward.model.errors import ConfigError
from spotward.plugins.sdk.files import versions
from spotward.plugins.sdk.safety import Safety, Tokens, Unsafe
from spotward.web.doors.hurry import Hurry
from spotward.web.doors.letterbox import Letterbox
from spotward.web.doors.words import Word
from spotward.web.server import guest, opened, place_of

if TYPE_CHECKING:
    from fastapi import FastAPI

RENEWED_SECONDS = 10.0
"""How often it is looked whether the certificate was renewed."""

SECTION = "doors"


@asynccontextmanager
async def doors(
    letterbox: Letterbox,
    clock: Clock,
    *,
    host: str,
    port: int | None,
    safety: Safety,
    word: Word | None = None,
    hurry: Hurry | None = None,
) -> AsyncIterator[str | None]:
    """Open as long as the context is. Gives the address, or None where no port is set. word: see `app`.

    Raises ConfigError where they would be open to everybody, or the address cannot be had.
    """
    if port is None:
        yield None
        return
    hurry = hurry or Hurry()
    try:
        safety = safety.checked(host)
        tokens = Tokens(safety.token_file) if safety.token_file is not None else None
        context = _context(safety)
    except Unsafe as error:
        raise ConfigError(f"{SECTION}: {error}".replace("--insecure", f"{SECTION}.insecure")) from error
    from spotward.web.doors.app import build  # late: FastAPI is loaded where something is served

    app: FastAPI = build(letterbox, clock, tokens.open_for if tokens is not None else None, word=word, hurry=hurry)
    door = await opened(host, port, section=SECTION)
    server = guest(app, context, request_seconds_max=hurry.request_seconds_max)
    tasks = [asyncio.create_task(server.serve(sockets=[door]))]
    if context is not None:
        tasks.append(asyncio.create_task(_renewed(context, safety)))
    try:
        yield place_of(door, encrypted=context is not None)
    finally:
        server.should_exit = True
        for task in tasks[1:]:
            task.cancel()
        await asyncio.wait(tasks)
        door.close()


def _context(safety: Safety) -> ssl.SSLContext | None:
    """Raises Unsafe."""
    if safety.certificate is None:
        return None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        context.load_cert_chain(safety.certificate, safety.key)
        if safety.client_ca is not None:
            context.load_verify_locations(safety.client_ca)
            context.verify_mode = ssl.CERT_REQUIRED
    except (OSError, ssl.SSLError) as error:
        raise Unsafe(f"the certificate cannot be used: {error}") from error
    return context


async def _renewed(context: ssl.SSLContext, safety: Safety) -> None:
    """Take up renewed certificates: who connects next is shown the new one."""
    assert safety.certificate is not None, "there is a context"
    assert safety.key is not None, "they go together"
    files = tuple(file for file in (safety.certificate, safety.key, safety.client_ca) if file is not None)
    seen = versions(files)
    while True:
        await asyncio.sleep(RENEWED_SECONDS)
        with suppress(OSError, ssl.SSLError):  # in the middle of being renewed: what was read last stands
            now = versions(files)
            if now != seen:
                context.load_cert_chain(safety.certificate, safety.key)
                if safety.client_ca is not None:
                    context.load_verify_locations(safety.client_ca)
                seen = now
