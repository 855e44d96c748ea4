"""A rules file read: the whole of it, or everything that is wrong with it, each mistake with its place and a hint."""

from collections.abc import Iterable

from spotward.model.errors import ConfigError, ConfigErrors
from spotward.rules.build import Builder, Zones
from spotward.rules.form import FILE
from spotward.rules.marks import BAD, Marks, composed
from spotward.rules.rulebook import Rules
from spotward.rules.shapes import read

ONLY_UTC = Zones()


def parse(text: str, *, file: str | None = None, zones: Zones = ONLY_UTC, builtin: Iterable[str] = ()) -> Rules:
    """The rules in a text.

    file: what it is called in messages. zones: the time zones that there are. builtin: names of plugins that steps may
    call without their being named in the file. Raises ConfigErrors with every mistake.
    """
    marks = Marks(file)
    node = composed(text, marks)
    if node is None:
        what = "the file is empty; begin with `version: 1` and `rules:`"
        raise ConfigErrors([ConfigError(what, file=file, line=1, column=1)])
    said = read(FILE, node, marks, ())
    builder, rules = Builder(marks, zones, frozenset(builtin)), Rules()
    if said is BAD:
        builder.check_rest()
    else:
        rules = builder.rules(said)
    marks.raise_mistakes()
    return rules
