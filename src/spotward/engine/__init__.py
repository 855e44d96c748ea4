"""THE LOOP: an Event comes in, a Page goes out, and only then does anything happen.

Knows: the order of the deciders, how a wish is asked, done or failed, how an undertaking goes from step to step, and
the ports through which the outside is reached (Source, Hands, Clock, Store).
Two halves: `core`, `deciders`, `undertakings` and `ports` think, and know no clock, chance or I/O; `live` (asyncio),
`store` (SQLite) and `clock` (the only code that asks the machine for the time) make the thinking run on a real
machine. Thinking never imports living.
Must not know: AWS, Kubernetes, or who calls it.
Read first: `core`, then `deciders`, the table of contents of the thinking.
"""
