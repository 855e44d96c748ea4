"""How often Python looks for garbage in the daemon."""

import gc

NEW_OBJECTS = 20_000
"""So many more than before lead to a look at the youngest; Python's own figure is 700."""

YOUNGER_LOOKS = (20, 50)
"""So many looks at the younger lead to one at the older."""


def seldom_collected() -> None:
    """Look seldom, and never at what was loaded at the start.

    What Python would go through again and again is mostly the World, which is no garbage: in a storm of 15,000 notices
    that took a fifth of the processor time. Nearly all that we throw away is freed without such a look, because it does
    not name itself in a circle; peak memory was the same.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(NEW_OBJECTS, *YOUNGER_LOOKS)
