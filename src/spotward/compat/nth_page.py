"""The tables of the reference (docs/reference/nth.md), made from what is done."""

from collections.abc import Iterator

from spotward.compat.nth_chart import EXTRA_ENV, EXTRA_ENV_NOTE, TARGET_OS, TARGET_OS_NOTE, VALUES
from spotward.compat.nth_options import OPTIONS
from spotward.compat.option import BOTH, Option, Program, Standing

MODES = {Program.AGENT: "IMDS", Program.RUN: "queue"}


def option_table() -> Iterator[str]:
    """Every option: what it is called, how it stands, what it becomes."""
    yield "| flag | variable | value of the chart | default there | | becomes | |"
    yield "| --- | --- | --- | --- | --- | --- | --- |"
    for option in OPTIONS:
        cells = (
            f"`{option.flag}`",
            f"`{option.env}`",
            f"`{option.chart}`" if option.chart else "",
            f"`{option.default.strip('`')}`" if option.default else "",
            option.standing.value,
            ", ".join(f"`{target}`" for target in option.targets),
            _note(option),
        )
        yield f"|{'|'.join(f' {cell} ' if cell else ' ' for cell in cells)}|"


def _note(option: Option) -> str:
    only = "" if option.programs == BOTH else f"{MODES[option.programs[0]]} mode only; "
    deprecated = f"deprecated for `{option.now}`; " if option.now else ""
    return f"{only}{deprecated}{option.note}"


def value_table() -> Iterator[str]:
    """The values of the chart that are no options."""
    yield "| value of the chart | becomes |"
    yield "| --- | --- |"
    names: dict[str, list[str]] = {}
    for value in VALUES:
        becomes = "".join(f"`{name}`: " for name, _ in value.settings)
        refused = "refused: " if value.standing is Standing.REFUSED else ""
        names.setdefault(f"{refused}{becomes}{value.note}", []).append(f"`{value.name}`")
    for words, those in names.items():
        yield f"| {', '.join(those)} | {words} |"
    yield f"| `{TARGET_OS}` | {TARGET_OS_NOTE} |"
    yield f"| `{EXTRA_ENV}` | {EXTRA_ENV_NOTE} |"


def unsaid_list() -> Iterator[str]:
    """What holds where nothing is said, and did not there."""
    for option in OPTIONS:
        if option.unsaid:
            mode = "" if option.unsaid_in == BOTH else f" ({MODES[option.unsaid_in[0]]} mode)"
            yield f"- `{option.flag}`{mode}: {option.unsaid}."
