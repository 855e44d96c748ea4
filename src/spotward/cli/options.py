"""The options, each said once: what it is called, what it means, what it takes. Which command has which: `main`."""

from pathlib import Path
from typing import Annotated

import typer

Regions = Annotated[
    list[str] | None,
    typer.Option(
        "--region",
        help="A region, or a glob such as 'eu-*'; may be given several times. By default that of the environment.",
        metavar="REGION",
    ),
]
ConfigFile = Annotated[
    Path | None, typer.Option("--config", help="A YAML file; `spotward config schema` describes it.", metavar="FILE")
]
State = Annotated[
    Path | None,
    typer.Option("--state", help="The directory of the journal.", metavar="DIRECTORY", envvar="SPOTWARD_STATE"),
]
Prices = Annotated[
    Path | None,
    typer.Option(
        "--on-demand-prices",
        help="JSON of region, then type, then price per hour, instead of the Pricing API.",
        metavar="FILE",
    ),
]
Unpriced = Annotated[
    bool | None, typer.Option("--allow-unpriced", help="Replace also where no price is to be had.", show_default=False)
]
AutoSpotting = Annotated[
    bool | None,
    typer.Option(
        "--compat-autospotting", help="Read AutoSpotting's tags too (`spot-enabled=true`).", show_default=False
    ),
]
Nth = Annotated[
    bool,
    typer.Option(
        "--compat-nth",
        help="Read the variables and options of the Node Termination Handler's queue mode too.",
        envvar="SPOTWARD_COMPAT_NTH",
        show_default=False,
        show_envvar=False,
    ),
]
Output = Annotated[str, typer.Option("--output", help="`table` for people, `json` for programs.", metavar="table|json")]
Log = Annotated[
    str,
    typer.Option(
        "--log",
        help="`text` for people, `json` for programs; `auto` is `text` on a terminal and `json` elsewhere.",
        metavar="auto|text|json",
    ),
]
Limit = Annotated[
    float,
    typer.Option(
        "--limit",
        help="End after so many seconds at the latest; an hour by default.",
        min=1,
        metavar="SECONDS",
        show_default=False,
    ),
]
Seed = Annotated[int, typer.Option("--seed", help="One seed, one history.", metavar="NUMBER")]

# ---- of `run` ------------------------------------------------------------------------------------------------

Once = Annotated[
    bool, typer.Option("--once", help="One reconciliation until nothing is left to do, then end; for cron.")
]
OnceLimit = Annotated[
    float,
    typer.Option(
        "--limit",
        help="With --once: end after so many seconds at the latest; an hour by default.",
        min=1,
        metavar="SECONDS",
        show_default=False,
    ),
]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Decide and explain; change nothing.")]
Queue = Annotated[
    str | None,
    typer.Option(
        "--queue", help="SQS queue of EventBridge events: a name in each region, or a URL.", metavar="NAME|URL"
    ),
]
WebPort = Annotated[
    int | None,
    typer.Option(
        "--port", help="Port of /healthz, /readyz and /metrics; 0 takes a free one.", min=0, max=65535, metavar="PORT"
    ),
]

# ---- of `emulate` --------------------------------------------------------------------------------------------

Host = Annotated[str, typer.Option("--host", help="The address to listen on.", metavar="ADDRESS")]
CloudPort = Annotated[
    int, typer.Option("--port", help="The port; 0 takes a free one.", min=0, max=65535, metavar="PORT")
]
Speed = Annotated[
    float, typer.Option("--speed", help="So many seconds of the cloud pass in one of ours.", metavar="NUMBER")
]
Scenario = Annotated[
    Path | None, typer.Option("--scenario", help="A YAML file of what goes wrong, and when.", metavar="FILE")
]
SpotPrices = Annotated[
    Path | None, typer.Option("--prices", help="A CSV file of Spot prices as they really were.", metavar="FILE")
]
Throttling = Annotated[bool, typer.Option(help="Refuse calls that come too fast, as AWS does.", show_default=False)]
