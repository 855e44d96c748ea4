"""The marks of the Node Termination Handler, for whoever reads them: its taints, and its labels for a reboot.

They are written besides ours when that is asked for, and taken back with them. What that tool itself left on a node is
somebody else's, as everything is that we did not set: a taint or a label by one of these names that is there already
stays as it is, and stays when we go.
"""

import re

from spotward.model.cluster import Taint
from spotward.model.incident import Cause, Incident, Signal
from spotward.nodes.policy import NodesPolicy

PREFIX = "aws-node-termination-handler"

TAINTS = {
    Cause.INTERRUPTION: ("spot-itn", "spot-itn-"),
    Cause.MAINTENANCE: ("scheduled-maintenance", ""),
    Cause.TERMINATION: ("asg-lifecycle-termination", "asg-lifecycle-term-"),
    Cause.REBALANCE: ("rebalance-recommendation", "rebalance-recommendation-"),
}
"""Cause → the name of its taint behind the prefix, and how the ids of its events begin. Other causes have none."""

REBOOTING = ("instance-stop", "system-reboot", "instance-reboot", "instance-retirement")
"""Codes of maintenance before which it labels the node, to know it again after the reboot."""

VALUE_CHARACTERS_MAX = 63
"""A taint's or a label's value is no longer, by the API."""


def nth_taints(incident: Incident, policy: NodesPolicy) -> tuple[Taint, ...]:
    """One for each cause that holds."""
    taints = {
        TAINTS[signal.cause][0]: Taint(
            key=f"{PREFIX}/{TAINTS[signal.cause][0]}", effect=policy.taint_effect, value=_event_id(signal, incident)
        )
        for signal in incident.held
        if signal.cause in TAINTS
    }
    return tuple(taints.values())


def nth_labels(incident: Incident) -> tuple[tuple[str, str], ...]:
    """Those of a node whose machine will be rebooted or stopped; none for others."""
    signal = next((s for s in incident.held if s.cause is Cause.MAINTENANCE and s.text in REBOOTING), None)
    if signal is None:
        return ()
    return (
        (f"{PREFIX}/action", "UncordonAfterReboot"),
        (f"{PREFIX}/action-time", f"{signal.time:.0f}"),
        (f"{PREFIX}/event-id", _event_id(signal, incident)),
    )


def _event_id(signal: Signal, incident: Incident) -> str:
    """EC2's own id of maintenance; for the rest one that is the instance's, where that tool makes one up."""
    begins = TAINTS[signal.cause][1]
    said = begins + incident.instance_id if begins else signal.id.removeprefix("maintenance ")
    return re.sub(r"[^A-Za-z0-9._-]", "-", said)[:VALUE_CHARACTERS_MAX].strip("-_.")
