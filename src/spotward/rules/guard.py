"""The last look before a plugin is called: only for the task of an open flow whose turn it is, and within its room."""

from spotward.model.decision import Guard, Wish
from spotward.model.flow import TaskState
from spotward.model.flow_action import CallPlugin
from spotward.model.world import World
from spotward.rules.chain import turn_of
from spotward.rules.rulebook import Rules


def call_guard(rules: Rules) -> Guard:
    """Deciders may err; no plugin is called out of turn, or more often at once than it may be."""

    def admits(world: World, wish: Wish) -> str | None:
        call = wish.action
        if not isinstance(call, CallPlugin):
            return None
        flow = world.flows.get(call.flow)
        task = turn_of(flow) if flow is not None else None
        if flow is None or task is None or task.name != call.task:
            return f"it is not the turn of {call.task} in {call.flow}"
        if flow.fact(task.name).state is not TaskState.ASKED:
            return f"{call.task} of {call.flow} was not asked for"
        under_way, limit = world.flows.calls.get(call.plugin, 0), rules.callee(call.plugin).at_once
        return None if under_way <= limit else f"{under_way} calls of {call.plugin} are under way; the limit is {limit}"

    return admits
