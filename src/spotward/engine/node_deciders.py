"""Who decides about nodes, and who guards them: all that an agent, which looks after no group, has to load."""

from collections.abc import Sequence

from spotward.model.decision import Decider, Guard
from spotward.nodes.guard import (
    budget_guard,
    crowd_guard,
    grace_guard,
    hook_guard,
    node_guard,
    off_guard,
    ownership_guard,
)
from spotward.nodes.incidents import incidents
from spotward.nodes.policy import NodesPolicy
from spotward.nodes.surge import surge_guard

NO_CLUSTER = NodesPolicy()
"""What holds for nodes unless something else is said; it acts only once a cluster is heard of."""


def node_deciders(nodes: NodesPolicy) -> Sequence[Decider]:
    """Those who decide about nodes alone: for who runs on one of them, and looks after no group."""
    return (incidents(nodes),)


def node_guards(nodes: NodesPolicy) -> Sequence[Guard]:
    """Those who guard what is done to nodes."""
    return (
        node_guard,
        ownership_guard,
        grace_guard,
        budget_guard(nodes),
        crowd_guard(nodes),
        off_guard,
        hook_guard(nodes),
        surge_guard(nodes),
    )
