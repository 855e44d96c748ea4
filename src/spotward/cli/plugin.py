"""`spotward plugin …`: the plugins that come along as servers, a look at any plugin, a call by hand, and a new one.

A server of a plugin is a small process that may run for months: the words are read by the standard library's parser,
and a plugin's libraries are loaded by its own server alone.
"""

import asyncio
import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from spotward.cli.exits import Exit
from spotward.model.errors import ConfigError

if TYPE_CHECKING:
    from argparse import _SubParsersAction

    Kinds = _SubParsersAction[ArgumentParser]

WORDS = "Serve the plugins that come along, look at any plugin, call it by hand, or begin one of your own."


def run(words: Sequence[str]) -> int:
    """Does what is asked. Raises ConfigError, OutsideError."""
    told = parser().parse_args(words)
    if find_spec("grpc") is None:
        raise ConfigError("plugins are an extra of their own: pip install 'spotward[plugins]'")
    code: int = told.do(told)
    return code


def parser() -> ArgumentParser:
    """The options."""
    whole = ArgumentParser("spotward plugin", description=WORDS, allow_abbrev=False)
    kinds = whole.add_subparsers(title="commands", required=True, metavar="COMMAND")
    _add_serve(kinds)
    _add_schema(kinds)
    return whole


def _add_serve(kinds: "Kinds") -> None:
    words = "Run a plugin that comes along as a gRPC server, until SIGTERM."
    each = kinds.add_parser("serve", help=words, description=words, allow_abbrev=False)
    each.set_defaults(do=_serve)
    each.add_argument("name", metavar="NAME", help="Which one; `spotward plugin list` names them.")
    each.add_argument(
        "--config",
        type=Path,
        metavar="FILE",
        help="TOML or YAML. Without it: plugin-config.toml or .yaml in ./conf, here, or beside the program.",
    )
    each.add_argument("--host", metavar="ADDRESS", help="Where to listen. Default: 127.0.0.1")
    each.add_argument("--port", type=int, metavar="PORT", help="The port; 0 takes a free one. Default: 8888")
    each.add_argument("--token-file", metavar="FILE", help="Let in who sends one of the tokens in this file.")
    each.add_argument("--insecure", action="store_true", default=None, help="Let everybody in, readable on the way.")


def _serve(told: Namespace) -> int:
    from spotward.cli.plugin_file import found, read
    from spotward.cli.plugin_serving import serve
    from spotward.cli.plugin_shelf import from_the_shelf

    entry = from_the_shelf(told.name)
    file = told.config or found(Path(sys.argv[0]).resolve())
    given = {name: getattr(told, name) for name in ("host", "port", "token_file", "insecure")}
    settings = read(file, said={name: value for name, value in given.items() if value is not None})
    asyncio.run(serve(entry, settings, file))
    return Exit.DONE


def _add_schema(kinds: "Kinds") -> None:
    words = "Print the JSON schema of the file that `serve` reads, for editors."
    each = kinds.add_parser("schema", help=words, description=words, allow_abbrev=False)
    each.set_defaults(do=_print_schema)


def _print_schema(told: Namespace) -> int:
    import json

    from spotward.cli.plugin_file import PluginFile

    del told
    dialect = {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": "The server of a plugin"}
    sys.stdout.write(json.dumps(PluginFile.model_json_schema() | dialect, indent=2) + "\n")
    return Exit.DONE
