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
from typing import TYPE_CHECKING, Any

from spotward.cli.exits import Exit
from spotward.model.errors import ConfigError

LANGUAGES = ("python", "go")
"""In which `new` begins a plugin."""

if TYPE_CHECKING:
    from argparse import _SubParsersAction

    Kinds = _SubParsersAction[ArgumentParser]

WORDS = "Serve the plugins that come along, look at any plugin, call it by hand, or begin one of your own."


def run(words: Sequence[str]) -> int:
    """Does what is asked. Raises ConfigError, OutsideError."""
    told = parser().parse_args(words)
    if told.do is not _new and find_spec("grpc") is None:
        raise ConfigError("plugins are an extra of their own: pip install 'spotward[plugins]'")
    code: int = told.do(told)
    return code


def parser() -> ArgumentParser:
    """The options."""
    whole = ArgumentParser("spotward plugin", description=WORDS, allow_abbrev=False)
    kinds = whole.add_subparsers(title="commands", required=True, metavar="COMMAND")
    _add_serve(kinds)
    _add_list(kinds)
    _add_describe(kinds)
    _add_call(kinds)
    _add_new(kinds)
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
    each.add_argument("--region", action="append", metavar="REGION", help="A region to act in. Repeatable.")
    each.add_argument("--token-file", metavar="FILE", help="Let in who sends one of the tokens in this file.")
    each.add_argument("--insecure", action="store_true", default=None, help="Let everybody in, readable on the way.")


def _serve(told: Namespace) -> int:
    from spotward.cli.plugin_file import found, read
    from spotward.cli.plugin_serving import serve
    from spotward.cli.plugin_shelf import from_the_shelf

    entry = from_the_shelf(told.name)
    file = told.config or found(Path(sys.argv[0]).resolve())
    asyncio.run(serve(entry, read(file, said=said(told)), file))
    return Exit.DONE


def said(told: Namespace) -> dict[str, Any]:
    """Settings of `serve` that stand on the command line."""
    given = {name: getattr(told, name) for name in ("host", "port", "token_file", "insecure")}
    regions = {"region": None, "regions": told.region} if told.region else {}
    return {name: value for name, value in given.items() if value is not None} | regions


def _add_list(kinds: "Kinds") -> None:
    words = "List the plugins that come along: what each does, and what a step can tell it."
    each = kinds.add_parser("list", help=words, description=words, allow_abbrev=False)
    each.set_defaults(do=_list)


def _list(told: Namespace) -> int:
    from spotward.cli.plugin_shelf import SHELF
    from spotward.cli.plugin_words import told as in_words
    from spotward.plugins.sdk.describing import described

    del told
    sys.stdout.write("\n".join(in_words(described(each.kind)) for each in SHELF.values()))
    return Exit.DONE


def _add_describe(kinds: "Kinds") -> None:
    words = "Tell what a plugin says of itself: one that comes along, or any at an address."
    each = kinds.add_parser("describe", help=words, description=words, allow_abbrev=False)
    each.set_defaults(do=_describe)
    each.add_argument(
        "plugin", metavar="ADDRESS|NAME", help="host:port, unix:/path, or the name of one that comes along."
    )
    each.add_argument("--output", choices=("text", "json"), default="text", help="For people, or for programs.")
    _add_trust(each)


def _describe(told: Namespace) -> int:
    from spotward.cli.plugin_asked import describe

    return asyncio.run(describe(told))


def _add_call(kinds: "Kinds") -> None:
    words = "Call a plugin by hand, and print its answer. It acts, as it would for an engine."
    each = kinds.add_parser("call", help=words, description=words, allow_abbrev=False)
    each.set_defaults(do=_call)
    each.add_argument("plugin", metavar="ADDRESS", help="host:port, or unix:/path.")
    each.add_argument(
        "--event",
        required=True,
        metavar="FILE|-",
        help="A CloudEvent, alerts as Prometheus or Alertmanager sends them, or an event of EventBridge, as JSON.",
    )
    each.add_argument(
        "--property", action="append", default=[], metavar="NAME=VALUE", help="What a step would tell it. Repeatable."
    )
    each.add_argument("--dry-run", action="store_true", help="Let it say what it would do, and do nothing.")
    each.add_argument(
        "--protocol",
        choices=("spotward", "hollowtrees-v1", "hollowtrees-v2"),
        default="spotward",
        help="The contract to speak. Default: %(default)s",
    )
    each.add_argument("--idempotency-key", metavar="KEY", help="The same key has one effect. Default: a new one.")
    _add_trust(each)


def _call(told: Namespace) -> int:
    from spotward.cli.plugin_asked import call

    return asyncio.run(call(told))


def _add_new(kinds: "Kinds") -> None:
    words = "Begin a plugin of your own: a project that works at once, with a test and a rule that calls it."
    each = kinds.add_parser("new", help=words, description=words, allow_abbrev=False)
    each.set_defaults(do=_new)
    each.add_argument("name", metavar="NAME", help="What steps of rules will call it, such as tidy-up.")
    each.add_argument("--directory", type=Path, metavar="FOLDER", help="Where to. Default: a new folder of that name.")
    each.add_argument("--language", choices=LANGUAGES, default="python", help="Default: %(default)s")


def _new(told: Namespace) -> int:
    from spotward.cli.plugin_new import new

    return new(told)


def _add_trust(each: ArgumentParser) -> None:
    each.add_argument("--seconds", type=float, default=60.0, help="How long to wait. Default: 60")
    group = each.add_argument_group("who we are, and whom we trust")
    group.add_argument("--token-file", type=Path, metavar="FILE", help="The token to send.")
    group.add_argument("--tls", action="store_true", help="Speak TLS, with the machine's own list of authorities.")
    group.add_argument("--ca", type=Path, metavar="FILE", help="The authority of the plugin's certificate (PEM).")
    group.add_argument("--tls-certificate", type=Path, metavar="FILE", help="Our own certificate.")
    group.add_argument("--tls-key", type=Path, metavar="FILE", help="Its private key.")
    group.add_argument("--server-name", metavar="NAME", help="The name in its certificate, if not its address.")


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
