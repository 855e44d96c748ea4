"""WHOEVER ELSE IS TOLD OR ASKED.

Knows: how a person is told by webhook of what is done to a node, how the user's own commands are run at a notice, and
what Spotward and its plugins say to each other (`sdk`, `wire`).
Must not know: when something is worth telling; `nodes` decides that. It sends, and says what came of it.
Read first: `webhook`.
"""
