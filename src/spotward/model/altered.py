"""A value that differs from another in a few fields.

`dataclasses.replace` asks the description of each field, and then builds as from scratch: four microseconds for a value
of ten fields, and ten for the World. The World and what is open in it are altered twenty times for each event, so that
in a flood of alerts a third of all thinking was that. Here the slots are copied.
"""

from collections.abc import Callable
from dataclasses import fields, replace
from functools import cache
from typing import TYPE_CHECKING, Any

Slot = tuple[str, Callable[[Any], Any], Callable[[Any, Any], None]]
"""Of a field: its name, how it is read, how it is set."""


@cache
def _slots(shape: type[Any]) -> tuple[Slot, ...]:
    """Those of a class; none of one that has something to check or to work out when it is built."""
    every = fields(shape)
    slots: list[tuple[str, Any]] = [(each.name, getattr(shape, each.name, None)) for each in every]
    plain = all(each.init for each in every) and all(hasattr(slot, "__set__") for _, slot in slots)
    if not plain or hasattr(shape, "__post_init__"):
        return ()
    return tuple((name, slot.__get__, slot.__set__) for name, slot in slots)


if TYPE_CHECKING:
    altered = replace  # type checkers know what it takes
else:

    def altered(value, /, **changes):
        """As `dataclasses.replace`, for a slotted dataclass of ours. Raises TypeError for what is no field of it."""
        shape = type(value)
        slots = _slots(shape)
        made = shape.__new__(shape)
        for name, read, write in slots:
            write(made, changes.pop(name) if name in changes else read(value))
        return replace(value, **changes) if changes or not slots else made
