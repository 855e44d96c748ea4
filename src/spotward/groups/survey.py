"""Where to look: regions at a tick, and the group or the instance that news is about. Never more than that."""

from spotward.groups.focus import group_of
from spotward.groups.policy import GroupsPolicy
from spotward.groups.scope import in_scope
from spotward.model.action import FindInstance, ObserveGroup, ObserveRegion
from spotward.model.cloud import GroupId
from spotward.model.decision import NOTHING, Decider, Decision, Wish
from spotward.model.event import (
    Event,
    InstanceFound,
    InstanceGone,
    InstanceLaunched,
    InterruptionNoticed,
    RebalanceAdvised,
    Tick,
    Woken,
)
from spotward.model.page import Note
from spotward.model.world import World


def surveys(policy: GroupsPolicy) -> Decider:
    """The decider that asks for observations."""

    def decide(world: World, event: Event) -> Decision:
        match event:
            case Tick():
                wishes = (Wish(action=ObserveRegion(region=r), reason="its observation is due") for r in event.regions)
                return Decision(wishes=tuple(wishes))
            case InstanceLaunched() | InstanceGone() | InterruptionNoticed() | RebalanceAdvised():
                return _after_news(world, event, policy)
            case InstanceFound():
                return _after_finding(world, event, policy)
            case Woken():
                return _after_waking(world, event.subject, policy)
            case _:
                return NOTHING

    return decide


def _after_news(
    world: World, event: InstanceLaunched | InstanceGone | InterruptionNoticed | RebalanceAdvised, policy: GroupsPolicy
) -> Decision:
    subject = group_of(world, event)
    if subject is None:
        if isinstance(event, InstanceGone):
            return NOTHING
        question = FindInstance(region=event.region, instance_id=event.instance_id)
        return Decision(wishes=(Wish(action=question, reason="whose is it?"),))
    known = world.groups.get(subject)
    if known is not None and not in_scope(known, policy):
        return _none_of_ours(event.instance_id, subject)
    if isinstance(event, InterruptionNoticed | RebalanceAdvised) and event.instance_id in world.instances:
        return NOTHING
    if any(event.instance_id == clone.id for swap in world.undertakings_of(subject) for clone in swap.clones):
        return NOTHING
    return _look(subject, "news of its members")


def _after_finding(world: World, event: InstanceFound, policy: GroupsPolicy) -> Decision:
    instance = event.instance
    if instance is None:
        text = "EC2 does not know it (any more): nothing to do"
        return Decision(notes=(Note(subject=event.instance_id, text=text),))
    if instance.group is None:
        return Decision(notes=(Note(subject=instance.id, text="is in no Auto Scaling group: nothing to do"),))
    subject = f"{event.region}/{instance.group}"
    known = world.groups.get(subject)
    if known is not None and not in_scope(known, policy):
        return _none_of_ours(instance.id, subject)
    return _look(subject, f"{instance.id} is its member")


def _after_waking(world: World, subject: GroupId, policy: GroupsPolicy) -> Decision:
    group = world.groups.get(subject)
    if group is None or not in_scope(group, policy) or world.undertakings_of(subject):
        return NOTHING
    if any(m.lifecycle_state.startswith("Pending") for m in group.members):
        return _look(subject, "are its new members in service?")
    return NOTHING


def _look(subject: GroupId, reason: str) -> Decision:
    region, _, name = subject.partition("/")
    return Decision(wishes=(Wish(action=ObserveGroup(region=region, group=name), reason=reason),))


def _none_of_ours(instance_id: str, subject: GroupId) -> Decision:
    text = f"its group {subject} is not opted in: nothing to do"
    return Decision(notes=(Note(subject=instance_id, text=text),))
