"""What a flow calls for now, worked out from its plan and the facts of its tasks.

Nothing here knows what was done last. The first task of the plan that is not over is the one whose turn it is, so the
order is the written one, always; and a flow that was killed in the middle goes on where the facts say.
"""

from spotward.model.altered import altered
from spotward.model.flow import BAD, GOOD, Flow, Outcome, TaskFact, TaskState
from spotward.model.flow_action import CallPlugin, Earlier, call_key
from spotward.model.occurrence import json_text, json_value
from spotward.model.plan import Consequence, Step, Task, Then
from spotward.model.units import span
from spotward.rules.answers import try_failed
from spotward.rules.fields import Look
from spotward.rules.scene import Scene, Steps


def advance(flow: Flow, scene: Scene) -> Steps:
    """All that the facts call for now: nothing more, once a call is under way."""
    steps = _started(Steps(flow), scene)
    while steps.flow.running:
        further = _carried_on(steps, scene)
        if further.flow == steps.flow or further.wish is not None:
            return further
        steps = further
    return steps


# ---- whose turn it is ----------------------------------------------------------------------------------------------


def turn_of(flow: Flow) -> Task | None:
    """The task whose turn it is; None when the chain is over."""
    for step in flow.plan.steps:
        if flow.fact(step.task.name).open:
            return step.task
        after = _after(step, flow)
        following = next((task for task in after.tasks if flow.fact(task.name).open), None)
        if following is not None:
            return following
        if after.then is Then.STOP:
            return None
    return None


def _after(step: Step, flow: Flow) -> Consequence:
    """What follows a step that is over. One that was skipped is followed by the next."""
    state = flow.fact(step.task.name).state
    if state in GOOD:
        return step.on_success
    return step.on_failure if state in BAD else Consequence()


def stopped_by(flow: Flow) -> TaskFact | None:
    """The step whose failure ended the chain, or None."""
    for step in flow.plan.steps:
        fact = flow.fact(step.task.name)
        if fact.state in BAD and step.on_failure.then is Then.STOP:
            return fact
    return None


# ---- the beginning ---------------------------------------------------------------------------------------------------


def _started(steps: Steps, scene: Scene) -> Steps:
    """It begins after its delay, within its hours, and when there is a place among the flows of its rule."""
    flow, now = steps.flow, scene.now
    if flow.started_time is not None or flow.ended is not None:
        return steps
    opens = flow.start_time if flow.plan.hours is None else flow.plan.hours.next_open(max(now, flow.start_time))
    if opens > now:
        return steps.at(altered(flow, queued=False)).waking(opens)
    if not scene.has_place(flow):
        return steps.at(altered(flow, queued=True))
    return steps.at(altered(flow, queued=False, started_time=now))


# ---- one step --------------------------------------------------------------------------------------------------------


def _carried_on(steps: Steps, scene: Scene) -> Steps:
    flow = steps.flow
    task = turn_of(flow)
    if task is None:
        return _ended(steps, scene)
    fact = flow.fact(task.name)
    if fact.state is TaskState.ASKED:
        return _awaited(steps, task, fact, scene)
    limit = limit_time(flow)
    if limit is not None and scene.now >= limit:
        return _out_of_time(steps, task, scene)
    steps = steps if limit is None else steps.waking(limit)
    if fact.state is TaskState.RESTING and scene.now < fact.retry_time:
        return steps.at(altered(flow, waits_for="")).waking(fact.retry_time)
    if fact.state is TaskState.WAITING and not _wanted(flow, task):
        skipped = altered(fact, state=TaskState.SKIPPED, ended_time=scene.now)
        return steps.knowing(skipped).noting(f"{task.name} is skipped: {_unmet(flow, task)}")
    if not scene.has_room(task.plugin):
        return steps.at(altered(flow, waits_for=task.plugin))
    return _asked(steps, task, altered(fact, tries=fact.tries + 1), scene)


def _awaited(steps: Steps, task: Task, fact: TaskFact, scene: Scene) -> Steps:
    """It was asked. After a restart nobody knows of that any more, and it is asked again under the same key."""
    wish = scene.world.wishes.get(call_key(steps.flow.key, task.name))
    if wish is None:
        return _asked(steps, task, fact, scene)
    if wish.state == "failed":
        return steps.knowing(try_failed(fact, task, wish.reason, now=scene.now))
    return steps


def _asked(steps: Steps, task: Task, fact: TaskFact, scene: Scene) -> Steps:
    flow, now = steps.flow, scene.now
    limit = limit_time(flow)
    deadline = now + task.timeout_seconds if limit is None else min(now + task.timeout_seconds, max(limit, now))
    asked = altered(fact, state=TaskState.ASKED, asked_time=now, progress="")
    call = CallPlugin(
        flow=flow.key,
        rule=flow.rule,
        task=task.name,
        plugin=task.plugin,
        occurrence=flow.occurrence,
        properties_json=merged(scene.rules.callee(task.plugin).properties_json, task.properties_json),
        earlier=earlier(flow),
        tries=asked.tries,
        timeout_seconds=deadline - now,
        deadline_time=deadline,
        happens_time=flow.happens_time,
    )
    reason = f"`{flow.rule}` wants it when {flow.occurrence.type} occurs"
    return steps.at(altered(flow, waits_for="").with_fact(asked)).wishing(call, reason)


def merged(usual_json: str, own_json: str) -> str:
    """A step's own properties, laid over those that its plugin is always told."""
    if usual_json == "{}":
        return own_json
    usual, own = json_value(usual_json), json_value(own_json)
    return json_text({**usual, **own}) if isinstance(usual, dict) and isinstance(own, dict) else own_json


def earlier(flow: Flow) -> tuple[Earlier, ...]:
    """What came of the tasks that are over."""
    return tuple(
        Earlier(task=fact.name, state=fact.state, text=fact.text, output_json=fact.output_json)
        for fact in flow.facts
        if not fact.open
    )


def _wanted(flow: Flow, task: Task) -> bool:
    look = Look(flow.occurrence, flow)
    return all(look.holds(condition) for condition in task.when)


def _unmet(flow: Flow, task: Task) -> str:
    look = Look(flow.occurrence, flow)
    return next((f"it is not so that {each.words}" for each in task.when if not look.holds(each)), "")


# ---- the end ---------------------------------------------------------------------------------------------------------


def limit_time(flow: Flow) -> float | None:
    """When a flow that is not over ends as failed; None where it may take as long as it likes."""
    if flow.plan.finish_within_seconds is None or flow.started_time is None:
        return None
    return flow.started_time + flow.plan.finish_within_seconds


def _out_of_time(steps: Steps, task: Task, scene: Scene) -> Steps:
    within = span(steps.flow.plan.finish_within_seconds or 0.0)
    why = steps.flow.fact(task.name).text
    return over(steps, Outcome.FAILED, f"failed: {task.name} was not done within {within}{_because(why)}", scene)


def _ended(steps: Steps, scene: Scene) -> Steps:
    flow = steps.flow
    fatal = stopped_by(flow)
    if fatal is not None:
        verb = "refused" if fatal.state is TaskState.REFUSED else "failed"
        return over(steps, Outcome.FAILED, f"failed: {fatal.name} {verb}{_because(fatal.text)}", scene)
    done = [fact.name for fact in flow.facts if fact.state in GOOD]
    tolerated = "".join(f"; {fact.name} {fact.state.value}{_because(fact.text)}" for fact in flow.failures)
    return over(steps, Outcome.DONE, f"done: {', '.join(done) or 'nothing'}{tolerated}", scene)


def _because(text: str) -> str:
    return f": {text}" if text else ""


def over(steps: Steps, outcome: Outcome, words: str, scene: Scene) -> Steps:
    """It is over. What was still to be done is left."""
    flow = steps.flow
    facts = tuple(
        altered(fact, state=TaskState.LEFT, ended_time=scene.now)
        if fact.state in (TaskState.ASKED, TaskState.RESTING)
        else fact
        for fact in flow.facts
    )
    ended = altered(flow, facts=facts, queued=False, waits_for="", outcome=outcome, ended=words, ended_time=scene.now)
    return Steps(ended, notes=steps.notes).noting(words)
