"""`spotward emulate`: the embedded cloud in the foreground, until a signal ends it."""

from pathlib import Path

from spotward.cli.exits import Exit
from spotward.model.errors import ConfigError


def emulated(
    *,
    host: str,
    port: int,
    seed: int,
    speed: float,
    scenario: Path | None,
    prices: Path | None,
    throttling: bool,
) -> int:
    """Serve, and print first what a shell must export to use it. Raises ConfigError."""
    try:
        from spotward.emulator.server import serve
        from spotward.emulator.settings import EmulatorSettings
    except ModuleNotFoundError as error:
        raise ConfigError(f"the embedded cloud needs {error.name}: pip install 'spotward[emulate]'") from error
    serve(
        EmulatorSettings(
            host=host,
            port=port,
            seed=seed,
            speed=speed,
            scenario=scenario,
            prices_file=prices,
            throttling=throttling,
        )
    )
    return Exit.DONE
