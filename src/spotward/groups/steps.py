"""What carrying a swap on is written in: the scene it happens in, and the steps it asks for so far."""

from collections.abc import Iterable
from dataclasses import dataclass, replace

from spotward.groups.policy import GroupsPolicy
from spotward.model.action import Action, AttachInstances, RetireMember, TerminateInstances
from spotward.model.cloud import Group
from spotward.model.decision import WakeAt, Wish
from spotward.model.undertaking import Emptying, Errand, Swap, Verb
from spotward.model.world import World


@dataclass(frozen=True, kw_only=True, slots=True)
class Scene:
    """What a step may look at."""

    world: World
    group: Group
    policy: GroupsPolicy

    def others(self, swap: Swap) -> tuple[Swap, ...]:
        """The other open swaps of the group."""
        return tuple(each for each in self.world.undertakings_of(self.group.id) if each.key != swap.key)


@dataclass(frozen=True, slots=True)
class Steps:
    """A swap as it now stands, and what it wants."""

    swap: Swap
    wishes: tuple[Wish, ...] = ()
    wakes: tuple[WakeAt, ...] = ()

    def wishing(self, action: Action, reason: str) -> "Steps":
        """With one more wish, as urgent as the swap is."""
        return replace(self, wishes=(*self.wishes, Wish(action=action, reason=reason, urgent=self.swap.urgent)))

    def waking(self, time: float) -> "Steps":
        """With one more time to be asked again."""
        return replace(self, wakes=(*self.wakes, WakeAt(time=time, subject=self.swap.group_id)))

    def at(self, swap: Swap) -> "Steps":
        """With the swap further on."""
        return replace(self, swap=swap)

    def again(self, verb: Verb, reason: str) -> "Steps":
        """Wish every open errand of a kind: one in flight is asked once, one that failed again after its pause."""
        steps = self
        for errand in self.swap.errands:
            if errand.verb is verb:
                steps = steps.wishing(_deed(self.swap, errand), reason)
        return steps


def in_flight(world: World, key: str) -> bool:
    """Was it asked, and is its outcome still to come?"""
    wish = world.wishes.get(key)
    return wish is not None and wish.state == "asked"


def without_idle_errands(swap: Swap, world: World) -> Swap:
    """The swap with only those errands that somebody is about.

    One that a guard refused, or that waits out a pause after a failure, is worked out anew from the facts each time;
    it gets the same key, and so keeps its place in the pause.
    """
    return replace(swap, errands=tuple(errand for errand in swap.errands if in_flight(world, errand.key)))


def with_errand(swap: Swap, verb: Verb, instance_ids: tuple[str, ...]) -> Swap:
    """The swap with one more thing asked of instances; its key is named by the first of them."""
    errand = Errand(key=f"{swap.key} {verb} {instance_ids[0]}", verb=verb, instance_ids=instance_ids)
    return replace(swap, errands=(*swap.errands, errand))


def emptied_first(swap: Swap, instance_ids: Iterable[str], time: float) -> tuple[Emptying, ...]:
    """These, each since it was first found that it may go."""
    known = {each.id: each for each in swap.emptying}
    return tuple(known.get(i, Emptying(id=i, since=time)) for i in dict.fromkeys(instance_ids))


def _deed(swap: Swap, errand: Errand) -> Action:
    region, group, key, ids = swap.region, swap.group, errand.key, errand.instance_ids
    match errand.verb:
        case Verb.ATTACH:
            return AttachInstances(region=region, group=group, key=key, instance_ids=ids)
        case Verb.RETIRE:
            return RetireMember(region=region, group=group, key=key, instance_id=ids[0], detach=swap.runs_on(ids[0]))
        case Verb.TERMINATE:
            latest = max((clone.since for clone in swap.clones if clone.id in ids), default=0.0)
            return TerminateInstances(region=region, group=group, key=key, instance_ids=ids, launched_by_time=latest)
