"""Where to look: regions at a tick, and the group or the instance that news is about. Never more than that."""

from spotward.groups.focus import group_of
from spotward.groups.policy import GroupsPolicy
from spotward.groups.scope import in_scope
from spotward.model.action import FindInstance, ObserveGroup, ObserveRegion
from spotward.model.cloud import Group, GroupId, Member
from spotward.model.decision import NOTHING, Decider, Decision, Verdict, Wish
from spotward.model.event import (
    Event,
    Failed,
    InstanceFound,
    InstanceGone,
    InstanceLaunched,
    InterruptionNoticed,
    RebalanceAdvised,
    Tick,
    Woken,
)
from spotward.model.page import Refusal
from spotward.model.world import World

FAILURES_TO_BE_SAID = 3
"""A passing failure (throttling, a broken connection) is said from this time in a row on."""


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
            case Failed():
                return _after_failure(world, event)
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
        return _none_of_ours(world, event.instance_id, subject)
    if known is not None and _is_known(world, known, event):
        return NOTHING
    if any(event.instance_id == clone.id for swap in world.undertakings_of(subject) for clone in swap.clones):
        return NOTHING
    return _look(subject, "news of its members")


def _is_known(
    world: World, group: Group, event: InstanceLaunched | InstanceGone | InterruptionNoticed | RebalanceAdvised
) -> bool:
    """Does the news say no more of the member than we know? The end of a member is told up to three times."""
    member = group.member(event.instance_id)
    match event:
        case InstanceGone():
            return member is None or member.leaving
        case InstanceLaunched():
            return member is not None and member.serving and event.instance_id in world.instances
        case InterruptionNoticed() | RebalanceAdvised():
            return event.instance_id in world.instances


def _after_finding(world: World, event: InstanceFound, policy: GroupsPolicy) -> Decision:
    instance = event.instance
    if instance is None:
        return _said(world, event.instance_id, "EC2 does not know it (any more): nothing to do")
    if instance.group is None:
        return _said(world, instance.id, f"is in no Auto Scaling group: {_rest(world, instance.id)}")
    subject = f"{event.region}/{instance.group}"
    known = world.groups.get(subject)
    if known is not None and not in_scope(known, policy):
        return _none_of_ours(world, instance.id, subject)
    return _look(subject, f"{instance.id} is its member")


def _after_waking(world: World, subject: GroupId, policy: GroupsPolicy) -> Decision:
    group = world.groups.get(subject)
    if group is None or not in_scope(group, policy) or world.undertakings_of(subject):
        return NOTHING
    if arriving(world, group):
        return _look(subject, "are its new members in service?")
    return NOTHING


def arriving(world: World, group: Group) -> list[Member]:
    """Members that are only just coming, or that EC2 has not described yet."""
    return [
        m
        for m in group.members
        if not m.leaving and (m.lifecycle_state.startswith("Pending") or m.instance_id not in world.instances)
    ]


def _after_failure(world: World, event: Failed) -> Decision:
    """Whatever fails is said; a hiccup only when it does not pass."""
    wish = world.wishes.get(event.key)
    if event.transient and (wish is None or wish.failures < FAILURES_TO_BE_SAID):
        return NOTHING
    return Decision(refusals=(Refusal(key=event.key, subject=event.subject, reason=f"{event.code}: {event.reason}"),))


def _look(subject: GroupId, reason: str) -> Decision:
    region, _, name = subject.partition("/")
    return Decision(wishes=(Wish(action=ObserveGroup(region=region, group=name), reason=reason),))


def _none_of_ours(world: World, instance_id: str, subject: GroupId) -> Decision:
    return _said(world, instance_id, f"its group {subject} is not opted in: {_rest(world, instance_id)}")


def _rest(world: World, instance_id: str) -> str:
    """What is done all the same about an instance that is replaced by nobody here."""
    incident = world.incidents.get(instance_id)
    node = incident.node if incident is not None else ""
    return f"it is not replaced; its node {node} is looked after" if node else "nothing to do"


def _said(world: World, instance_id: str, text: str) -> Decision:
    """Said once, however often the news comes.

    What strangers start and stop is not said at all: in an account there is much of it. A notice is, for somebody may
    ask why nothing was done about it.
    """
    if instance_id not in world.dooms:
        return NOTHING
    return Decision(verdicts=(Verdict(subject=instance_id, text=text),))
