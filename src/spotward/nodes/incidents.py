"""The decider of this room: news open incidents, events teach them, and then each goes on, the most urgent first."""

from collections.abc import Iterable

from spotward.model.decision import NOTHING, Decider, Decision, Verdict, Wish
from spotward.model.event import Event
from spotward.model.incident import Incident
from spotward.model.node_action import UnwatchPods
from spotward.model.node_event import ClusterSilent, NodesSeen
from spotward.model.node_order import NodeWanted
from spotward.model.order import Ordered
from spotward.model.page import Note
from spotward.model.world import World
from spotward.nodes.focus import focus, groups_concerned
from spotward.nodes.intake import opened, voluntary
from spotward.nodes.keys import Errand, every_key, key_of
from spotward.nodes.learn import learned
from spotward.nodes.orders import ordered, settled
from spotward.nodes.policy import NodesPolicy
from spotward.nodes.scene import Scene, Steps
from spotward.nodes.steps import advance

NAMED_WITHIN_SECONDS = 120.0
"""The cloud's controller writes a new node's provider id within a few seconds."""

ASKED_AGAIN = "what is asked of it is asked again and again, and nothing is forgotten meanwhile"

NAMELESS = (
    "it names no EC2 instance, so nothing that EC2 says can be about it; run the cloud controller manager, which sets "
    "spec.providerID, or `spotward agent` on it"
)


def incidents(policy: NodesPolicy) -> Decider:
    """The decider that opens incidents and carries them on. It is still as long as there is no cluster."""

    def decide(world: World, event: Event) -> Decision:
        known = policy.expects_a_cluster or world.cluster.heard_of or len(world.incidents)
        if not known and not isinstance(event, Ordered):
            return NOTHING
        return _decided(world, event, policy)

    return decide


def _decided(world: World, event: Event, policy: NodesPolicy) -> Decision:
    heard = {incident.instance_id: incident for incident in opened(world, event, policy)}
    before = world
    if isinstance(event, Ordered):
        if not isinstance(event.wanted, NodeWanted):
            return NOTHING
        world = world.with_undertaking(world.orders.get(event.order) or event.born)
        if (told := ordered(world, event, policy)) is not None:
            heard[told.instance_id] = told
        elif event.wanted.subject not in world.incidents.by_instance:
            return _orders(before, world, event.wanted.subject, None, policy)
    for incident in heard.values():
        world = world.with_undertaking(incident)
    for incident in _replaced(world, event):
        heard[incident.instance_id] = incident
        world = world.with_undertaking(incident)
    decisions = []
    if isinstance(event, ClusterSilent):
        decisions.append(Decision(verdicts=(Verdict(subject=_door(world), text=f"{event.reason}; {ASKED_AGAIN}"),)))
    if isinstance(event, NodesSeen):
        decisions.append(_heard_again(world))
        decisions.append(Decision(verdicts=tuple(_nameless(world, event, policy))))
    for instance_id in dict.fromkeys([*focus(world, event), *heard]):
        known = world.incidents.get(instance_id)
        if known is None:
            continue
        steps = advance(learned(known, world, event, policy), Scene(world=world, policy=policy))
        world = world.with_undertaking(steps.incident)
        decisions.append(_decision(before, steps))
        decisions.append(_orders(before, _judged(world, steps), instance_id, steps.incident, policy))
    return Decision.joined(decisions) if decisions else NOTHING


def _judged(world: World, steps: Steps) -> World:
    for verdict in steps.verdicts:
        world = world.with_verdict(verdict.subject, verdict.text)
    return world


def _orders(before: World, world: World, instance_id: str, incident: Incident | None, policy: NodesPolicy) -> Decision:
    """The orders about a node that stand otherwise than before the step. incident: as the step leaves it."""
    if not world.orders.at(instance_id):
        return NOTHING
    after = [each for each in settled(world, instance_id, incident, policy) if before.orders.get(each.key) != each]
    ends = (Note(subject=each.key, text=each.ended) for each in after if each.ended is not None)
    return Decision(undertakings=tuple(after), notes=tuple(ends))


def _door(world: World) -> str:
    return f"the cluster {world.cluster.name}"


def _heard_again(world: World) -> Decision:
    subject = _door(world)
    if subject not in world.verdicts:
        return NOTHING
    note = Note(subject=subject, text="its API server answers again, and everything goes on")
    return Decision(verdicts=(Verdict(subject=subject, text=None),), notes=(note,))


def _nameless(world: World, event: NodesSeen, policy: NodesPolicy) -> Iterable[Verdict]:
    """Say of a node that names no machine that nothing can be heard of it; and take that back once it does."""
    for node in event.nodes:
        grown_up = world.time - node.creation_time > NAMED_WITHIN_SECONDS
        if not node.provider_id and grown_up and node.name != policy.own_node:
            yield Verdict(subject=node.name, text=NAMELESS)
        elif node.name in world.verdicts:
            yield Verdict(subject=node.name, text=None)


def _replaced(world: World, event: Event) -> tuple[Incident, ...]:
    """Nodes that their group can do without now."""
    swaps = (swap for group in groups_concerned(world, event) for swap in world.undertakings_of(group))
    return tuple(incident for swap in swaps for incident in voluntary(world, swap))


def _decision(before: World, steps: Steps) -> Decision:
    incident = steps.incident
    changed = before.incidents.get(incident.instance_id) != incident
    if incident.ended is None:
        return Decision(
            undertakings=(incident,) if changed else (),
            wishes=steps.wishes,
            wakes=steps.wakes,
            verdicts=steps.verdicts,
            notes=steps.notes,
        )
    note = Note(subject=incident.instance_id, text=incident.ended)
    return Decision(
        undertakings=(incident,),
        wishes=(*steps.wishes, *_unwatch(before, incident)),
        wakes=steps.others,
        verdicts=(*steps.verdicts, Verdict(subject=f"drain of {incident.node}", text=None)),
        notes=(*steps.notes, note),
        withdrawn=every_key(incident),
    )


def _unwatch(before: World, incident: Incident) -> tuple[Wish, ...]:
    if incident.node not in before.cluster.pods:
        return ()
    key = key_of(incident, Errand.UNWATCH)
    return (
        Wish(action=UnwatchPods(instance_id=incident.instance_id, key=key, node=incident.node), reason="it is over"),
    )
