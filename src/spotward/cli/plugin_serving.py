"""A plugin that comes along, as a server of its own until it is told to end."""

import logging
from pathlib import Path

from spotward.cli.export import LEVELS
from spotward.cli.light_log import set_up_light
from spotward.cli.plugin_file import PluginFile
from spotward.cli.plugin_shelf import Ground, Shelved
from spotward.cli.until_stopped import until_stopped
from spotward.engine.clock import SystemClock
from spotward.model.errors import ConfigError
from spotward.plugins.sdk.plugin import Plugin
from spotward.plugins.sdk.safety import Unsafe
from spotward.plugins.sdk.serving import Server, host_of

log = logging.getLogger("spotward.plugin")


async def serve(entry: Shelved, settings: PluginFile, file: Path | None) -> None:
    """Until SIGTERM or Ctrl-C. file: what the settings were read from. Raises ConfigError."""
    as_json = None if settings.log.format is None else settings.log.format == "json"
    set_up_light(level=LEVELS[settings.log.level], as_json=as_json)
    log.info("read %s", file if file is not None else "no file: all settings are the defaults")
    try:
        await _served(entry, settings)
    except ConfigError as error:
        if file is None or error.file is not None:
            raise
        raise ConfigError(str(error), file=str(file), setting=error.setting) from error


async def _served(entry: Shelved, settings: PluginFile) -> None:
    ground = Ground(
        own=settings,
        clock=SystemClock(),
        regions=settings.every_region,
        state=settings.state,
        groups=settings.groups,
        nodes=settings.nodes,
        only_when_asked=settings.only_when_asked,
        observe_seconds=settings.observe_seconds,
    )
    _check(settings)  # first: what is not safe connects to nothing
    async with entry.ready(ground) as plugin:
        server = await _started(plugin, settings)
        try:
            await until_stopped()
            log.info("calls under way have %g s to end", settings.grace_seconds)
        finally:
            await server.stop()


def _check(settings: PluginFile) -> None:
    try:
        settings.safety.checked(host_of(settings.place.address))
    except Unsafe as error:
        raise ConfigError(str(error)) from error


async def _started(plugin: Plugin, settings: PluginFile) -> Server:
    place = settings.place
    try:
        server = Server(plugin, settings.safety, place)
        await server.start()
    except (Unsafe, OSError) as error:
        raise ConfigError(str(error)) from error
    where = place.address if place.address.startswith("unix:") else f"{host_of(place.address)}:{server.port}"
    log.info("%s %s listens on %s", plugin.name, plugin.version, where)
    return server
