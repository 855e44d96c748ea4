"""What must be remembered when the process ends, what of it one step changed, and what may be forgotten.

Memory is the part of the World that no observation gives back: wishes, what pools did to us, dooms, pauses, turns,
verdicts (and the undertakings, which the step lists by themselves). Its maps are compared before and after a step. Most
events can only have touched a few keys, and these alone are compared, so that a storm of ten thousand notices costs
ten thousand comparisons and not a hundred million; the few events that may touch anything compare whatever map is not
the very same object.
"""

from __future__ import annotations  # rpds' map takes its type parameters in an annotation only

from collections.abc import Hashable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import TypeVar

from rpds import HashTrieMap

from spotward.model.cloud import GroupId, Pool
from spotward.model.event import (
    Event,
    FleetAnswered,
    GroupObserved,
    InterruptionNoticed,
    NoticeWithdrawn,
    RebalanceAdvised,
    RegionObserved,
    Restarted,
    Tick,
)
from spotward.model.flow import Turn
from spotward.model.pool_memory import POOL_FORGET_SECONDS, PoolMemory
from spotward.model.undertaking import Undertaking
from spotward.model.wish import WishState
from spotward.model.world import Doom, Pause, World

WISH_FORGET_SECONDS = 24 * 3600.0
"""A failed wish that nobody has wished again for so long is forgotten. EC2 knows a client token no longer than that."""

DOOM_FORGET_SECONDS = 3600.0
"""A notice about an instance that is no member of any known group is forgotten then: it was not ours, or it is gone."""

STRANGER_FORGET_SECONDS = 3600.0
"""An instance in no known group and in no undertaking is forgotten, once it is so old: a notice made us ask for it."""

UNSEEN_FORGET_SECONDS = 24 * 3600.0
"""While a region was never seen (it may never be, for want of a permission), strangers are forgotten only then."""

VERDICTS_SPARE_MAX = 10_000
"""So many verdicts may be kept beyond two for each known group and instance; then those about neither are dropped, and
said again if they still hold."""

Key = TypeVar("Key", bound=Hashable)
Value = TypeVar("Value")


@dataclass(frozen=True, kw_only=True, slots=True)
class Change:
    """What one step changed in memory: key → what stands there now, or None for no more."""

    time: float
    wishes: Mapping[str, WishState | None] = field(default_factory=dict)
    launches: Mapping[str, WishState | None] = field(default_factory=dict)
    pools: Mapping[tuple[str, Pool], PoolMemory | None] = field(default_factory=dict)
    dooms: Mapping[str, Doom | None] = field(default_factory=dict)
    pauses: Mapping[GroupId, Pause | None] = field(default_factory=dict)
    turns: Mapping[str, Turn | None] = field(default_factory=dict)
    verdicts: Mapping[str, str | None] = field(default_factory=dict)


@dataclass(kw_only=True, slots=True)
class Touched:
    """Keys that a step may have changed; `everything` for an event that may have changed any."""

    everything: bool = False
    wishes: set[str] = field(default_factory=set)
    pools: set[tuple[str, Pool]] = field(default_factory=set)
    dooms: set[str] = field(default_factory=set)
    pauses: set[GroupId] = field(default_factory=set)
    turns: set[str] = field(default_factory=set)
    verdicts: set[str] = field(default_factory=set)

    def change(self, before: World, after: World) -> Change:
        """What is different among the touched keys."""
        return Change(
            time=after.time,
            wishes=self._different(before.wishes.by_key, after.wishes.by_key, self.wishes),
            launches=self._different(before.launches, after.launches, self.wishes),
            pools=self._different(before.pools, after.pools, self.pools),
            dooms=self._different(before.dooms, after.dooms, self.dooms),
            pauses=self._different(before.pauses, after.pauses, self.pauses),
            turns=self._different(before.turns, after.turns, self.turns),
            verdicts=self._different(before.verdicts, after.verdicts, self.verdicts),
        )

    def _different(
        self, before: HashTrieMap[Key, Value], after: HashTrieMap[Key, Value], keys: Iterable[Key]
    ) -> dict[Key, Value | None]:
        if before is after:
            return {}
        looked_at = {*before.keys(), *after.keys()} if self.everything else keys
        return {key: after.get(key) for key in looked_at if before.get(key) != after.get(key)}


def touched_by(before: World, event: Event) -> Touched:
    """Which keys `world.after(event)` may change."""
    touched = Touched(everything=isinstance(event, Tick | Restarted | RegionObserved))
    key = getattr(event, "key", None)
    if key is not None:
        touched.wishes.add(key)
    match event:
        case NoticeWithdrawn():
            touched.dooms.add(event.instance_id)
        case InterruptionNoticed() | RebalanceAdvised():
            touched.dooms.add(event.instance_id)
            instance = before.instances.get(event.instance_id)
            if instance is not None:
                touched.pools.add((instance.region, Pool(instance_type=instance.instance_type, az=instance.az)))
        case FleetAnswered():
            touched.pools.update((event.region, failure.pool) for failure in event.failures if failure.pool)
        case GroupObserved():
            known = before.groups.get(event.group_id)
            members = [member.instance_id for member in known.members] if known else []
            touched.dooms.update(members)
            touched.verdicts.update(members)
            touched.verdicts.add(event.group_id)
            touched.pauses.add(event.group_id)
        case _:
            pass
    return touched


# ---- beginning again -----------------------------------------------------------------------------------------


def in_doubt(world: World) -> World:
    """After a restart what was asked and not answered may be asked again; a launch to the letter (`World.launches`)."""
    open_wishes = [key for key, wish in world.wishes.items() if wish.state == "asked"]
    return _without_wishes(world, open_wishes)


def remembered(
    *,
    time: float,
    wishes: Mapping[str, WishState],
    launches: Mapping[str, WishState],
    pools: Mapping[tuple[str, Pool], PoolMemory],
    dooms: Mapping[str, Doom],
    pauses: Mapping[GroupId, Pause],
    verdicts: Mapping[str, str],
    undertakings: Iterable[Undertaking],
    turns: Mapping[str, Turn] | None = None,
) -> World:
    """The World that a process starts from: memory, and no observation."""
    world = World(
        time=time,
        pools=HashTrieMap(pools),
        dooms=HashTrieMap(dooms),
        pauses=HashTrieMap(pauses),
        verdicts=HashTrieMap(verdicts),
        turns=HashTrieMap(turns or {}),
    )
    for key, wish in wishes.items():
        world = world.with_wish(key, wish)
    for undertaking in undertakings:
        world = world.with_undertaking(undertaking)
    return replace(world, launches=HashTrieMap(launches))


# ---- forgetting ----------------------------------------------------------------------------------------------


def forgetting(world: World, regions: Iterable[str]) -> World:
    """The World without what is of no use any more, so that months of strangers' notices do not fill it.

    Until each of the regions was seen a member cannot be told from a stranger, so that strangers are kept longer then.
    """
    world = _without_the_outlived(world)
    seen = [region in world.observed for region in regions]
    if not seen or not all(seen):
        return _without_strangers(world, for_seconds=UNSEEN_FORGET_SECONDS)
    world = _without_strangers(world)
    return replace(
        world,
        verdicts=_without(world.verdicts, _idle_verdicts(world)),
        recommended=_without(
            world.recommended,
            [key for key, answer in world.recommended.items() if answer.group_id not in world.groups],
        ),
    )


def _without_the_outlived(world: World) -> World:
    """Without what age alone makes useless."""
    world = _without_wishes(world, [key for key, wish in world.wishes.items() if _stale(world, wish)])
    return replace(
        world,
        launches=_without(world.launches, [key for key, wish in world.launches.items() if _unheard(world, key, wish)]),
        pools=_without(world.pools, [key for key, pool in world.pools.items() if _recovered(world, pool)]),
    )


def _without_wishes(world: World, keys: Iterable[str]) -> World:
    for key in keys:
        world = world.without_wish(key)
    return world


def _without(known: HashTrieMap[Key, Value], keys: Iterable[Key]) -> HashTrieMap[Key, Value]:
    for key in keys:
        known = known.discard(key)
    return known


def _stale(world: World, wish: WishState) -> bool:
    return wish.state != "asked" and world.time - max(wish.time, wish.retry_time) > WISH_FORGET_SECONDS


def _unheard(world: World, key: str, launch: WishState) -> bool:
    return key not in world.wishes and world.time - launch.time > WISH_FORGET_SECONDS


def _recovered(world: World, pool: PoolMemory) -> bool:
    return pool.until <= world.time and world.time - pool.last_time > POOL_FORGET_SECONDS


def _without_strangers(world: World, *, for_seconds: float = 0.0) -> World:
    busy = {i for undertaking in world.open_undertakings for i in (undertaking.subject, *undertaking.about)}
    forgotten = [
        key
        for key, doom in world.dooms.items()
        if key not in world.group_of
        and key not in busy
        and world.time - doom.time > max(DOOM_FORGET_SECONDS, for_seconds)
    ]
    world = replace(world, dooms=_without(world.dooms, forgotten))
    strangers = [
        key
        for key, instance in world.instances.items()
        if key not in world.group_of
        and key not in busy
        and key not in world.dooms
        and world.time - instance.launch_time > max(STRANGER_FORGET_SECONDS, for_seconds)
    ]
    return replace(world, instances=_without(world.instances, strangers))


def _idle_verdicts(world: World) -> list[str]:
    """Verdicts about nothing that is known, once there are too many."""
    if len(world.verdicts) <= 2 * (len(world.groups) + len(world.group_of)) + VERDICTS_SPARE_MAX:
        return []
    return [subject for subject in world.verdicts if subject not in world.groups and subject not in world.group_of]
