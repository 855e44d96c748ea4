"""THE LOOP: an Event comes in, a Page goes out, and only then does anything happen.

Knows: the order of the deciders, how a wish is asked, done or failed, what must be remembered, and the ports through
which the outside is reached (Source, Hands, Clock, Store).
Two halves. Thinking, with no clock, chance or I/O: `core`, `deciders`, `memory`, `words`, `ports`, `codec`, `replay`.
Living, on a real machine: `live` (the shell, with `turns`, `inbox`, `feeds`, `crew`, `room`, `alarm`), `store` (SQLite,
with the `journal_…` modules), `clock` (the only code that asks the machine for the time), `log`. Thinking never imports
living.
Must not know: AWS, Kubernetes, or who calls it.
Read first: `core`, then `deciders`, the table of contents of the thinking; then `turns`, where the order of a turn is
the whole of crash safety.
"""
