"""What an operator chose: the settings of the file, with those of the command line on top."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from spotward.cli.nth import Heard
    from spotward.config import Config


def chosen(
    file: Path | None,
    *,
    regions: list[str] | None = None,
    state: Path | None = None,
    prices: Path | None = None,
    queue: str | None = None,
    port: int | None = None,
    unpriced: bool | None = None,
    autospotting: bool | None = None,
    beneath: Mapping[str, Any] | None = None,
) -> "Config":
    """None: the command line says nothing of it. beneath: what counts where the file is silent. Raises ConfigError."""
    from spotward.config import changed, load

    config = load(file, beneath=beneath)
    return changed(
        config,
        regions=tuple(regions) if regions else None,
        state=state,
        queue=queue,
        on_demand_prices=prices,
        groups=replace(config.groups, allow_unpriced=True) if unpriced else None,
        compat=config.compat.model_copy(update={"autospotting": True}) if autospotting else None,
        web=None if port is None else {"host": config.web.host, "port": port},
    )


def heard_from_nth(file: Path | None, *, asked: bool, theirs: Sequence[str]) -> "Heard | None":
    """What was said to the Node Termination Handler, if that is to count for `run`. Raises ConfigError."""
    from spotward.config import load

    if not asked and not load(file).compat.nth:
        return None
    from spotward.cli.nth import heard
    from spotward.compat.option import Program

    return heard(file, Program.RUN, theirs)
