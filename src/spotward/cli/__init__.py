"""THE COMMAND, and the only place where everything meets.

Knows: every room; `wire` connects them, `main` names the commands, and each command has a module of its own.
Must not know: how to decide. A command parses its arguments, wires what it needs, shows what came back, and chooses
the exit code.
Read first: `main`, then `wire`.
"""
