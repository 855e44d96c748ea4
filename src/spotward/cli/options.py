"""The options that several commands share, said once."""

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
