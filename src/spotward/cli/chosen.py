"""What an operator chose: the settings of the file, with those of the command line on top."""

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
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
) -> "Config":
    """None: the command line says nothing of it. Raises ConfigError."""
    from spotward.config import changed, load

    config = load(file)
    groups = replace(
        config.groups,
        allow_unpriced=config.groups.allow_unpriced or bool(unpriced),
        compat_autospotting=config.groups.compat_autospotting or bool(autospotting),
    )
    return changed(
        config,
        regions=tuple(regions) if regions else None,
        state=state,
        queue=queue,
        on_demand_prices=prices,
        groups=groups,
        web=None if port is None else {"host": config.web.host, "port": port},
    )
