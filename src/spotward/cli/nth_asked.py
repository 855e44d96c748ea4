"""Whether the words of the Node Termination Handler count: told without loading what reads them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from spotward.model.errors import ConfigError

FLAG, VARIABLE = "--compat-nth", "SPOTWARD_COMPAT_NTH"
"""Either asks for it, besides the setting `compat.nth`; its flags are read only with one of these."""


TRUE, FALSE = ("1", "true", "yes", "on"), ("", "0", "false", "no", "off")


@dataclass(frozen=True, kw_only=True, slots=True)
class InPlace:
    """What was said to that tool, beside settings, as values that weigh nothing."""

    options: Mapping[str, str] = field(default_factory=dict)
    """Of the program (`--log-level`), for what its command line does not say itself; empty for one without a value."""
    environment: Mapping[str, str] = field(default_factory=dict)
    """Variables to be set, for whoever reads them here."""
    lines: tuple[str, ...] = ()
    """What the log should have of it: differences, conflicts and strangers."""


NOTHING_SAID = InPlace()


def asked(words: Sequence[str], environment: Mapping[str, str]) -> bool:
    """Does the command line or the environment ask for it? Raises ConfigError for a variable that says neither."""
    said = environment.get(VARIABLE, "").strip().lower()
    if said not in (*TRUE, *FALSE):
        raise ConfigError(f"{VARIABLE} is {said[:40]!r}; give true or false")
    return FLAG in words or said in TRUE
