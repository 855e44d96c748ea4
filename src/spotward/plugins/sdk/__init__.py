"""WRITE A PLUGIN.

A plugin does one thing about an event: `plugin` makes one of a function, `Plugin` of a class, and `serve` runs it as a
gRPC server that Spotward calls, and Hollowtrees of either generation too.

Knows: what a plugin is asked and what it answers, and how that goes over the wire. Must not know: anything else of
Spotward; who writes a plugin loads this room, the messages beside it and, once it serves, gRPC.
Read first: `plugin`, then `call`.
"""

from spotward.plugins.sdk.call import Answer, Call, Happening, Problem, Status, done, failed, ignored, refused
from spotward.plugins.sdk.plugin import Outcome, Plugin, plugin
from spotward.plugins.sdk.serving import serve

__all__ = [
    "Answer",
    "Call",
    "Happening",
    "Outcome",
    "Plugin",
    "Problem",
    "Status",
    "done",
    "failed",
    "ignored",
    "plugin",
    "refused",
    "serve",
]
