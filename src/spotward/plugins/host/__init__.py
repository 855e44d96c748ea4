"""WHOEVER CARRIES OUT A STEP: calling plugins.

Knows: where each plugin is, what it speaks (our contract, either Hollowtrees', CloudEvents over HTTP, Lambda), how many
calls at once it takes, and when to leave it alone for a while. Must not know: which step comes next and whether a
failed one is tried again; `rules` decides that.
Read first: `host`, then `settings`.
"""
