"""What holds for every test.

Hypothesis draws the same examples in every run, so that a red run can be seen again and a change of ours is what turned
it red; it never judges by the clock, which on a busy machine tells of the machine. `SPOTWARD_EXAMPLES=2000 pytest`
searches longer, and with other examples each time.
"""

import os

from hypothesis import settings

LONGER = os.environ.get("SPOTWARD_EXAMPLES")

settings.register_profile("spotward", deadline=None, derandomize=True, max_examples=40)
if LONGER:
    settings.register_profile("longer", deadline=None, max_examples=int(LONGER))
settings.load_profile("longer" if LONGER else "spotward")
