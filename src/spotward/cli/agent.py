"""`spotward agent`: on every node, one process that hears of the node's end from the machine itself, and empties it.

It decides with the same core as `spotward run`, but about nodes alone and with one node before its eyes. AWS is never
asked: no credentials, no library. Whatever both of them hear and do, the node's own annotation says what is set, so the
second to come finds it done.
"""

import logging
import os
import sys
from argparse import ArgumentParser
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, cast

from spotward.cli.agent_settings import AgentSettings, begin_to_read
from spotward.cli.exits import Exit
from spotward.cli.export import address, level
from spotward.cli.nth_asked import FLAG, VARIABLE, asked
from spotward.model.errors import ConfigError

if TYPE_CHECKING:
    from spotward.cli.agent_wire import Given

WORDS = "Hear of this node's interruption, advice and maintenance from the machine itself, and empty the node in time."

NODE_VARIABLE, POD_VARIABLE, NAMESPACE_VARIABLE = "NODE_NAME", "POD_NAME", "POD_NAMESPACE"
"""Environment variables that the DaemonSet fills from the pod's own fields."""

STYLES = {"auto": None, "text": False, "json": True}
"""Of the log."""

STATE = "agent"
"""The folder of the agent's journal in the state directory, so that a daemon on the same machine has its own."""


def run(words: Sequence[str]) -> int:
    """Serves until it is stopped. Raises ConfigError, OutsideError."""
    words, theirs = _set_apart(words)
    told = parser().parse_args(words)
    address(told.bind_addr)
    if not told.node_name:
        raise ConfigError(
            f"which node is this? give --node-name, or fill {NODE_VARIABLE} from the pod's field spec.nodeName"
        )
    begun = begin_to_read(told.config, state=told.state, theirs=theirs)
    # The log's library would load this one, and eight megabytes with it, only to paint on terminals.
    sys.modules.setdefault("rich", cast("ModuleType", None))
    import asyncio

    from spotward.cli.agent_wire import Given  # what follows is loaded while the settings are being read
    from spotward.engine.log import set_up

    settings = begun.value()
    if settings.in_place.options:
        told = parser(settings.in_place.options).parse_args(words)
    set_up(level=level(told.log_level), as_json=_as_json(told.log))
    os.environ.update(settings.in_place.environment)
    for line in settings.in_place.lines:
        logging.getLogger("spotward.compat").info(line)
    host, port = address(told.bind_addr)
    given = Given(
        node=told.node_name,
        pod=os.environ.get(POD_VARIABLE, ""),
        namespace=os.environ.get(NAMESPACE_VARIABLE, ""),
        kubeconfig=told.kubeconfig,
        metadata=told.metadata_endpoint,
        poll_seconds=told.poll_seconds,
        v1=told.v1,
        host=host,
        port=port,
        dry=told.dry_run,
    )
    asyncio.run(_serve(settings, given))
    return Exit.DONE


def _set_apart(words: Sequence[str]) -> tuple[Sequence[str], Sequence[str] | None]:
    """Our words, and those of the tool whose place the agent takes; None where that is not asked for."""
    if not asked(words, os.environ):
        return words, None
    from spotward.compat.nth import set_apart
    from spotward.compat.option import Program

    return set_apart(words, Program.AGENT)


def _as_json(style: str) -> bool | None:
    if style not in STYLES:
        raise ConfigError(f"--log is {style!r}; give `text`, `json` or `auto`")
    return STYLES[style]


def parser(instead: Mapping[str, str] | None = None) -> ArgumentParser:
    """The options. instead: option → what holds, and not the default, where nothing is said; empty for a switch."""
    whole = ArgumentParser("spotward agent", description=WORDS, allow_abbrev=False)
    whole.add_argument(
        "--node-name",
        metavar="NAME",
        default=os.environ.get(NODE_VARIABLE, ""),
        help=f"The node that it runs on. Default: ${NODE_VARIABLE}",
    )
    whole.add_argument("--config", type=Path, metavar="FILE", help="The configuration (docs/reference/settings.md).")
    whole.add_argument("--kubeconfig", type=Path, metavar="FILE", help="Default: what kubectl would use.")
    whole.add_argument("--state", type=Path, metavar="DIRECTORY", help=f"Its journal is in the folder `{STATE}` of it.")
    whole.add_argument(
        "--metadata-endpoint",
        metavar="URL",
        default="http://169.254.169.254",
        help="Where the metadata service is. Default: %(default)s",
    )
    whole.add_argument(
        "--poll-seconds", type=float, default=2.0, metavar="N", help="How often it is asked. Default: %(default)s"
    )
    whole.add_argument("--v1", action="store_true", help="Ask without a token where the service gives none.")
    whole.add_argument(
        "--bind-addr",
        default=":9189",
        metavar="ADDRESS:PORT",
        help="Where /metrics and /healthz are; without an address, at every one. Default: %(default)s",
    )
    whole.add_argument("--dry-run", action="store_true", help="Decide and tell, and touch nothing.")
    whole.add_argument("--log-level", default="info", metavar="LEVEL", help="debug, info, warn or error.")
    whole.add_argument(
        "--log", default="auto", metavar="STYLE", help="text, json, or auto: text on a terminal and json elsewhere."
    )
    whole.add_argument(
        FLAG,
        action="store_true",
        help=f"Read the Node Termination Handler's variables and options too. Also: {VARIABLE}=true",
    )
    whole.set_defaults(**{name.lstrip("-").replace("-", "_"): text or True for name, text in (instead or {}).items()})
    return whole


async def _serve(settings: AgentSettings, given: "Given") -> None:
    from spotward.cli.agent_wire import agent

    async with agent(settings, given, state=settings.state / STATE) as live:
        await live.run(signals=True)
