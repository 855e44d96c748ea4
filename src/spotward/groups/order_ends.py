"""What is said to whoever ordered a swap: how far it is, and what came of it."""

import json
from collections.abc import Iterable
from dataclasses import replace

from spotward.groups.retire import replaced
from spotward.model.cloud import GroupId
from spotward.model.decision import GroupPause
from spotward.model.flow_event import Status
from spotward.model.order import Order, SwapWanted
from spotward.model.undertaking import CloneState, Swap
from spotward.model.units import listed
from spotward.model.world import World


def ended(order: Order, world: World, status: Status, words: str, **output: object) -> Order:
    """The order, over now. output: for whoever goes on from here."""
    text = json.dumps(output, ensure_ascii=False)
    return replace(order, status=status, ended=words, ended_time=world.time, progress="", output_json=text)


def swap_wanted(order: Order) -> SwapWanted | None:
    """The swap that is ordered; None for an order that is the business of others."""
    return order.wanted if isinstance(order.wanted, SwapWanted) else None


def spared(world: World, subject: GroupId, instance_ids: Iterable[str]) -> frozenset[str]:
    """Those of these members of a group that are to run on once they have left it, because an order says so."""
    return frozenset(
        instance_id
        for instance_id in instance_ids
        for order in (*world.orders.at(instance_id), *world.orders.at(subject))
        if (wanted := swap_wanted(order)) is not None and wanted.instance_id == instance_id and not wanted.terminate
    )


def answered(world: World, swap: Swap, pauses: Iterable[GroupPause]) -> tuple[Order, ...]:
    """The orders that a swap carried, over with it. pauses: for how long its group is left alone after it."""
    carried = (order for order in world.orders.at(swap.group_id) if order.carried_by == swap.key)
    until = max((each.pause.until for each in pauses if each.pause is not None), default=None)
    return tuple(_answered(world, order, swap, until) for order in carried)


def _answered(world: World, order: Order, swap: Swap, until: float | None) -> Order:
    instance_id = order.wanted.subject
    group = world.groups.get(swap.group_id)
    member = group.member(instance_id) if group is not None else None
    if member is not None and not member.leaving and instance_id not in swap.retired:
        words = f"{instance_id} stays in {swap.group_id}: {swap.ended}"
        return replace(ended(order, world, Status.FAILED, words), retry_time=until)
    if not replaced(swap):
        words = f"{instance_id} has left {swap.group_id}, and nothing of ours serves in its place: {swap.ended}"
        return ended(order, world, Status.FAILED, words)
    serving = [clone for clone in swap.clones if swap.serves(clone)]
    by = listed([f"{clone.id} ({clone.instance_type}, {clone.lifecycle})" for clone in serving], most=3)
    left = "it runs on outside its group" if swap.runs_on(instance_id) else "it left through its group"
    words = f"{instance_id} is replaced in {swap.group_id} by {by}; {left}"
    successors = [clone.id for clone in serving]
    return ended(order, world, Status.DONE, words, replaced=instance_id, by=successors, group=swap.group_id)


def progress_of(swap: Swap) -> str:
    """How far a swap is, in words."""
    states = [clone.state for clone in swap.clones]
    if swap.emptying:
        return "what takes its place serves; its node is being emptied"
    if any(swap.serves(clone) for clone in swap.clones):
        return "what takes its place serves"
    if CloneState.JOINED in states:
        return "what takes its place has joined the group"
    if CloneState.RUNNING in states:
        return "what takes its place runs"
    if CloneState.LAUNCHED in states:
        return "what takes its place was launched"
    return "what takes its place is being launched"
