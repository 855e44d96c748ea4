"""Nodes of a Kubernetes cluster: incidents, drains and how they went."""

from spotward.web.metrics.question import Question, each, each_kind, one
from spotward.web.node_questions import (
    drain_deadline,
    nodes,
    nodes_drained,
    open_incidents,
    pods_gone,
    pods_held,
    tagged_instances,
    tagged_nodes,
)
from spotward.web.tallies.drains import INCIDENT_CAUSES

NODES = (
    Question(
        name="spotward_nodes",
        labels=("state",),
        help="Nodes of the cluster: ready, not-ready, or cordoned by whomever.",
        answer=lambda reading: nodes(reading.look.world),
    ),
    Question(
        name="spotward_tagged_instances",
        help="Running instances that are known and carry the cluster's tag (any cluster's where it has no name).",
        answer=one(lambda look: tagged_instances(look.world, look.cluster)),
    ),
    Question(
        name="spotward_tagged_nodes",
        help="Those of them that are nodes of the cluster.",
        answer=one(lambda look: tagged_nodes(look.world, look.cluster)),
    ),
    Question(
        name="spotward_incidents",
        labels=("cause",),
        help="Open incidents of nodes, by what was heard; one may count under several causes.",
        answer=lambda reading: open_incidents(reading.look.world),
    ),
    Question(
        name="spotward_incidents_heard_total",
        labels=("cause",),
        help="What was heard of nodes and instances that may be nodes, each cause once for an incident.",
        answer=each_kind(INCIDENT_CAUSES, lambda look: look.drains.incidents),
    ),
    Question(
        name="spotward_pods_held",
        help="Pods that a disruption budget or the like keeps on a node that is being emptied.",
        answer=one(lambda look: pods_held(look.world)),
    ),
    Question(
        name="spotward_drain_deadline_seconds",
        help="How much time is left to the node that goes first, of those that are being emptied; absent without any.",
        answer=lambda reading: drain_deadline(reading.look.world, reading.look.time),
    ),
    Question(
        name="spotward_nodes_drained_total",
        labels=("cause",),
        help="Nodes that were emptied.",
        answer=lambda reading: nodes_drained(reading.look.drains),
    ),
    Question(
        name="spotward_node_drain_seconds",
        labels=("cause",),
        help="From the beginning of emptying a node to its end.",
        answer=each(lambda look: look.drains.seconds),
        distributed=True,
    ),
    Question(
        name="spotward_node_drain_left_seconds",
        help="What was left before the machine goes when its node was empty; 0 for what came late.",
        answer=one(lambda look: look.drains.left_seconds),
        distributed=True,
    ),
    Question(
        name="spotward_pods_gone_total",
        labels=("how",),
        help="Pods of such nodes: graceful, shortened, past-budget, killed.",
        answer=lambda reading: pods_gone(reading.look.drains),
    ),
)
