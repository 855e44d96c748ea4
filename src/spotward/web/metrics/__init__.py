"""The metrics: each is a question put to the World, and is answered when Prometheus asks.

So there is no gauge that somebody forgot to set back. What the World cannot know, because it is over or is not about
the cloud (events, deeds, drains, calls), is counted by `web.tallies` from the start of the process on.

Labels have bounds: groups in scope, regions that are looked after, rules and plugins of the operator's within a limit,
and words that the code itself has. No instance, no error text, nothing that an event brings along becomes a label.
`docs/reference/metrics.md` lists every question, and a test holds the two together.

Read first: `question`, then the module of a room; `exporter` makes the page.
"""

from spotward.web.metrics.doors import DOORS
from spotward.web.metrics.flows import FLOWS
from spotward.web.metrics.groups import GROUPS
from spotward.web.metrics.nodes import NODES
from spotward.web.metrics.pools import POOLS
from spotward.web.metrics.question import Question
from spotward.web.metrics.swaps import SWAPS
from spotward.web.metrics.work import WORK

QUESTIONS: tuple[Question, ...] = (*GROUPS, *SWAPS, *NODES, *POOLS, *FLOWS, *DOORS, *WORK)
"""All of them, in the order of the page."""
