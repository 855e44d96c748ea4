"""Orders about nodes: a step of the user's rules wants one empty, or wants it to take pods again.

A drain that is ordered is carried out by the incident of that node, the one that there is or a new one, like everything
else that is heard of it. The order itself only says how it stands, until the node is empty, or will not be.

Where somebody takes the machine the order is a notice like EC2's own, only that a rule has brought it. Where nobody
does, nothing forces the node, and it stays cordoned until a rule wants it back.
"""

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace

from spotward.model.flow_event import Status
from spotward.model.incident import Cause, Fate, Incident, Signal
from spotward.model.node_order import DrainWanted, NodeWanted, ReturnWanted
from spotward.model.order import Order, Ordered
from spotward.model.units import counted, listed
from spotward.model.world import World
from spotward.nodes.intake import ADOPTED_LATE_SECONDS, born, heard_of, is_foreign, node_of
from spotward.nodes.keys import Errand, key_of
from spotward.nodes.policy import NodesPolicy, Response
from spotward.nodes.report import GRACEFUL, KILLED, SHORTENED, how, summary

STAYS, GOES = "asked", "asked notice"
"""Ids of what rules want: a node empty whose machine stays, and one whose machine is taken."""

PODS_NAMED_MAX = 5
"""So many pods are named with what holds them."""


# ---- what is ordered -----------------------------------------------------------------------------------------------


def ordered(world: World, event: Ordered, policy: NodesPolicy) -> Incident | None:
    """The incident as it stands once the order is heard; None where it changes none."""
    match event.wanted:
        case DrainWanted():
            return _to_empty(world, event, event.wanted, policy)
        case ReturnWanted():
            return _called_off(world, event)
        case _:
            return None


def _to_empty(world: World, event: Ordered, wanted: DrainWanted, policy: NodesPolicy) -> Incident | None:
    signal = _signal(wanted, event)
    known = world.incidents.get(wanted.instance_id)
    if known is not None and known.forced and wanted.goes_time is not None and signal.id == STAYS:
        return None  # said again after its time: it is the same thing, and holds no longer for that
    if known is None and (policy.response(signal.cause) is Response.OFF or not _may_be_ours(world, wanted, policy)):
        return None
    return heard_of(known or born(world, wanted.region, wanted.instance_id), signal)


def _may_be_ours(world: World, wanted: DrainWanted, policy: NodesPolicy) -> bool:
    if node_of(world, wanted.instance_id, policy) is not None:
        return True
    return not world.cluster.seen and policy.expects_a_cluster and not is_foreign(world, wanted.instance_id, policy)


def _signal(wanted: DrainWanted, event: Ordered) -> Signal:
    """A time that passed long ago says nothing of a machine that is there all the same: it is then not hurried."""
    goes, now = wanted.goes_time, event.time
    if goes is None or goes < now - ADOPTED_LATE_SECONDS:
        return Signal(cause=Cause.ASKED, id=STAYS, time=now, text=event.by)
    return Signal(cause=Cause.INTERRUPTION, id=GOES, time=now, deadline=goes, text=event.by)


def _called_off(world: World, event: Ordered) -> Incident | None:
    """Only what rules have ordered is called off by a rule; what EC2 says goes on holding."""
    known = world.incidents.get(event.wanted.subject)
    if known is None or not _asked(known):
        return None
    words = f"{event.by or 'a rule'} wants it to take pods again"
    signals = (replace(s, over=words) if s.id in (STAYS, GOES) and s.over is None else s for s in known.signals)
    return replace(known, signals=tuple(signals))


def _asked(incident: Incident) -> bool:
    return any(signal.id in (STAYS, GOES) for signal in incident.held)


# ---- how it stands -------------------------------------------------------------------------------------------------


def settled(world: World, instance_id: str, incident: Incident | None, policy: NodesPolicy) -> Iterable[Order]:
    """The open orders about a node as they stand now. incident: as this step leaves it, also one that has ended."""
    for order in world.orders.at(instance_id):
        if isinstance(order.wanted, NodeWanted):
            yield _after(order, order.wanted, incident, world, policy)


def _after(order: Order, wanted: NodeWanted, incident: Incident | None, world: World, policy: NodesPolicy) -> Order:
    if isinstance(wanted, ReturnWanted):
        status, text = _returned(wanted, incident)
    else:
        status, text = _emptied(wanted, incident, world, policy)
    if status is None:
        return replace(order, progress=text)
    output = json.dumps(asdict(counting(incident))) if isinstance(wanted, DrainWanted) and incident else "{}"
    return replace(order, status=status, ended=text, ended_time=world.time, output_json=output)


Standing = tuple[Status | None, str]
"""How an order ended, or None while it goes on; and that in words."""


def _returned(wanted: ReturnWanted, incident: Incident | None) -> Standing:
    if incident is None or not any(signal.id in (STAYS, GOES) for signal in incident.signals):
        return Status.IGNORED, f"no rule has had {wanted.node} emptied"
    if incident.ended is None and incident.held:
        others = listed(sorted(incident.causes))
        return Status.DONE, f"no rule wants {wanted.node} empty any more; it stays as it is because of {others}"
    if incident.ended is None and (incident.marks or incident.marking):
        return None, f"what was set on {wanted.node} is taken back"
    return Status.DONE, f"{wanted.node} takes pods again"


def _emptied(wanted: DrainWanted, incident: Incident | None, world: World, policy: NodesPolicy) -> Standing:
    if incident is None:
        return Status.REFUSED, _why_none(wanted, world, policy)
    if incident.drained:
        return Status.DONE, f"{wanted.node} is empty: {summary(incident)}"
    if incident.ended is not None:
        return (Status.FAILED if incident.node else Status.REFUSED), incident.ended
    if incident.off_time is not None:
        return Status.FAILED, f"the machine of {wanted.node} is {incident.off_state} already: {summary(incident)}"
    if not incident.held or not (_asked(incident) or incident.forced):
        why = listed(s.over for s in incident.signals if s.over is not None and s.id in (STAYS, GOES))
        return Status.FAILED, f"the drain of {wanted.node} came to nothing: {why or 'nobody wants it any more'}"
    return _under_way(wanted, incident, world, policy)


def _under_way(wanted: DrainWanted, incident: Incident, world: World, policy: NodesPolicy) -> Standing:
    response = max((policy.response(cause) for cause in incident.causes), key=lambda each: each.rank)
    if response.rank < Response.REPLACE.rank:
        causes = listed(f"nodes.{cause}" for cause in sorted(incident.causes))
        return Status.REFUSED, f"the settings let {wanted.node} not be emptied ({causes}: {response})"
    refused = world.verdicts.get(key_of(incident, Errand.MARK))
    if refused is not None and incident.begun_time is None:
        return None, refused
    return None, _waits_for(wanted, incident, world)


def _waits_for(wanted: DrainWanted, incident: Incident, world: World) -> str:
    if incident.begun_time is None:
        waits = world.verdicts.get(f"drain of {incident.node}")
        return waits or f"emptying {wanted.node} has not begun yet"
    count = counting(incident)
    here = f"{count.left} of {counted(count.to_move, 'pod')} of {wanted.node} left"
    held = [f"{record.id}: {record.reason or record.fate}" for record in incident.pods if record.open]
    return f"{here}: {listed(held, most=PODS_NAMED_MAX)}" if held else f"{here}; it is waited until nothing hangs on it"


def _why_none(wanted: DrainWanted, world: World, policy: NodesPolicy) -> str:
    if not policy.expects_a_cluster and not world.cluster.heard_of:
        return "no cluster is looked after; set kubernetes.enabled"
    if is_foreign(world, wanted.instance_id, policy):
        return f"{wanted.instance_id} is tagged as a node of another cluster than {policy.cluster}"
    if node_of(world, wanted.instance_id, policy) is None:
        return f"{wanted.node} ({wanted.instance_id}) is no node of the cluster that is looked after"
    setting = "nodes.asked" if wanted.goes_time is None else "nodes.interruption"
    return f"{setting} is off: {wanted.node} is left alone"


@dataclass(frozen=True, kw_only=True, slots=True)
class Count:
    """What became of a node's pods so far: what a step tells those after it."""

    to_move: int
    """All but those that stay by their nature: daemons, finished and static ones."""
    evicted: int
    """Gone, of those."""
    shortened: int
    """Gone, with less time to stop than they have."""
    past_budget: int
    """Gone, or going, past a disruption budget."""
    killed: int
    """Still there when the machine went off."""
    left: int
    """Still there now."""
    seconds_left: float | None
    """Between the end of the drain and the machine's; None while it goes on, or where nobody takes the machine."""


def counting(incident: Incident) -> Count:
    """What became of its pods so far."""
    moved = [record for record in incident.pods if record.fate is not Fate.LEFT]
    ends = [how(record) for record in moved]
    at, deadline = incident.drained_time, incident.deadline
    return Count(
        to_move=len(moved),
        evicted=ends.count(GRACEFUL) + ends.count(SHORTENED),
        shortened=ends.count(SHORTENED),
        past_budget=sum(record.past_budget for record in moved),
        killed=ends.count(KILLED),
        left=sum(record.open for record in moved),
        seconds_left=None if at is None or deadline is None else round(deadline - at, 1),
    )
