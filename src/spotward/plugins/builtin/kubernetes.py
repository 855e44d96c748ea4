"""kubernetes: cordons, drains, taints and labels nodes; moves pods; scales and restarts what makes them.

Which cluster, node or workload is meant may come with an event, and an event is not to be trusted further than the
operator says: a cluster is one of those that the settings name, never a path; a node must be found by all that the
event says of it; and workloads are touched only in the namespaces that the settings allow, by default in none.

A drain is ordered of whoever decides about nodes in this house (`spotward.nodes`), and so has its deadline, its
budgets, its order of pods and its report. Everything else is one or a few calls, of which each can be made twice.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping
from fnmatch import fnmatchcase
from typing import Any

from spotward.model.cluster import Node, Taint
from spotward.model.errors import Permanent, Transient
from spotward.model.incident import Marks
from spotward.model.node_order import DrainWanted, NodeWanted, ReturnWanted
from spotward.model.occurrence import json_value
from spotward.model.order import Order
from spotward.model.units import listed
from spotward.plugins.builtin.clues import Clues, NoNode, clues_in, node_by
from spotward.plugins.builtin.cluster import NONE, Cluster, Marked, Unmark, Workload
from spotward.plugins.builtin.kubernetes_step import (
    Step,
    is_label_value,
    is_object_name,
    is_relative,
    problems,
    sized,
)
from spotward.plugins.builtin.moving import Unclear, moved, pods_of, unclear
from spotward.plugins.builtin.words import filled
from spotward.plugins.sdk.call import Answer, Call, Problem, Status, done, failed, ignored, refused
from spotward.plugins.sdk.plugin import Plugin

NOTICES = ("prometheus.server.alert.SpotTerminationNotice", "aws.ec2.spot-instance-interruption-warning")
"""Types of events that tell of EC2's notice."""

NOTICE_SECONDS = 120.0
"""How long before it takes a Spot instance EC2 says so; counted from the event where that names no time."""

WAIT_SECONDS_DEFAULT = 300.0
"""How long is waited for a drain where the caller does not say how long it waits itself."""

MARGIN_SECONDS = 1.0
"""So long before the caller stops waiting it is told how things stand."""

RETRY_SECONDS = 5.0
"""Not sooner is another try worth it after a drain that took too long: it goes on meanwhile."""

WORST_FIRST = (Status.FAILED, Status.REFUSED, Status.DONE, Status.IGNORED)
"""Of several answers the first that there is among these is the answer to all."""


class Unfit(Exception):  # noqa: N818 - it says how things are, and reads as that
    """The step cannot be done for this event. The text says why."""


class Kubernetes(Plugin):
    """Acts on nodes, pods and workloads of a Kubernetes cluster."""

    name = "kubernetes"
    version = "1"
    properties = Step

    def __init__(
        self,
        clusters: Mapping[str, Cluster],
        *,
        home: Cluster,
        now: Callable[[], float],
        namespaces: Iterable[str] = (),
    ) -> None:
        """clusters: by the names that events may give. home: where an event names none. namespaces: by name or glob,
        in which workloads may be moved, scaled and restarted. now: Unix seconds.
        """
        self._clusters, self._home, self._now = dict(clusters), home, now
        self._namespaces = tuple(namespaces)

    def check(self, properties: Mapping[str, Any]) -> list[Problem]:
        """What belongs to the action is there, and nothing else."""
        cluster = properties.get("cluster") or ""
        wrong = problems(properties)
        if cluster and "$" not in cluster and cluster not in self._clusters:
            wrong.append(Problem(place="cluster", text=self._unknown(cluster)))
        namespace = properties.get("namespace") or ""
        if namespace and "$" not in namespace and not self._allows(namespace):
            wrong.append(Problem(place="namespace", text=self._forbidden(namespace)))
        return wrong

    async def handle(self, call: Call) -> Answer:
        """Do it once."""
        step: Step = call.properties
        action = step.action or ("drain" if call.event.type in NOTICES else None)
        if action is None:
            words = f"it is not said what is to be done about {call.event.type}; give `action`"
            return refused(words) if call.flow else ignored(words)  # engines of Hollowtrees send whatever they have
        try:
            return await self._DO[action](self, step, call, self._cluster(step, call))
        except (Unfit, Unclear, NoNode, Permanent) as error:
            return refused(str(error))
        except Transient as error:
            return failed(str(error), retry_after_seconds=error.retry_after_seconds)

    # ---- nodes -----------------------------------------------------------------------------------------------

    async def _drain(self, step: Step, call: Call, cluster: Cluster) -> Answer:
        node = await self._node(step, call, cluster)
        instance_id, region = _machine(node)
        goes = self._goes_time(step, call)
        wanted = DrainWanted(region=region, instance_id=instance_id, node=node.name, goes_time=goes)
        if call.dry_run:
            return done(f"would {wanted.words}")
        order = await self._ordered(cluster, wanted, call)
        if isinstance(order, str):
            words = f"{node.name} is not empty yet, and goes on being emptied: {order}"
            return failed(words, retry_after_seconds=RETRY_SECONDS)
        return _answer(order, node)

    async def _cordon(self, step: Step, call: Call, cluster: Cluster) -> Answer:
        node = await self._node(step, call, cluster)
        if call.dry_run:
            return done(f"would cordon {node.name}")
        marked = await cluster.mark(node, Marks(cordoned=True))
        by_others = "" if marked.ours.cordoned else ", by others: it is not ours to take back"
        already = "" if marked.changed.cordoned else " already"
        return done(f"{node.name} is cordoned{already}{by_others}", node=node.name)

    async def _uncordon(self, step: Step, call: Call, cluster: Cluster) -> Answer:
        node = await self._node(step, call, cluster)
        if call.dry_run:
            return done(f"would let {node.name} take pods again")
        returned = await self._returned(node, call, cluster)
        if not returned.good:
            return returned
        marked = await cluster.unmark(node, Unmark(cordon=True))
        if returned.status is Status.DONE:
            return returned
        if marked.changed.cordoned:
            return done(f"{node.name} takes pods again", node=node.name)
        if marked.others.cordoned:
            return refused(f"{node.name} was cordoned by others, and is not ours to give back")
        return ignored(f"{node.name} is not cordoned")

    async def _returned(self, node: Node, call: Call, cluster: Cluster) -> Answer:
        """What came of taking a drain back."""
        if node.instance_id is None:
            return ignored("such a machine is never drained")
        instance_id, region = _machine(node)
        wanted = ReturnWanted(region=region, instance_id=instance_id, node=node.name)
        order = await self._ordered(cluster, wanted, call)
        return failed(order, retry_after_seconds=RETRY_SECONDS) if isinstance(order, str) else _answer(order, node)

    async def _ordered(self, cluster: Cluster, wanted: NodeWanted, call: Call) -> Order | str:
        """The order, once it is over; or in words how far it is, when it is too late to wait any longer."""
        last = f"the order to {wanted.words} was not taken up yet"

        async def tell(text: str) -> None:
            nonlocal last
            last = text
            await call.progress(text)

        by = f"the step {call.step} of {call.flow}" if call.flow else f"a caller of {self.name}"
        key = f"{self.name} {self._key(call)}"
        try:
            async with asyncio.timeout(_patience(call)):
                return await cluster.order(key, wanted, by=by, tell=tell)
        except TimeoutError:
            return last

    async def _taint(self, step: Step, call: Call, cluster: Cluster) -> Answer:
        node = await self._node(step, call, cluster)
        assert step.taint is not None, "a step that was checked"
        value = _value(step.taint.value, call)
        taint = Taint(key=step.taint.key, value=value, effect=step.taint.effect)
        if call.dry_run:
            return done(f"would {'untaint' if step.remove else 'taint'} {node.name}: {taint.key}={value}")
        if step.remove:
            marked = await cluster.unmark(node, Unmark(taints=(taint.key,)))
            return _taken_back(marked, f"the taint {taint.key}", node)
        marked = await cluster.mark(node, Marks(taints=(taint,)))
        return _set(marked, f"the taint {taint.key}={value}", node)

    async def _label(self, step: Step, call: Call, cluster: Cluster) -> Answer:
        node = await self._node(step, call, cluster)
        put = tuple((name, _value(value, call)) for name, value in step.labels.items() if value is not None)
        off = tuple(name for name, value in step.labels.items() if value is None)
        words = [f"{name}={value}" for name, value in put]
        if call.dry_run:
            return done(f"would label {node.name}: {listed([*words, *(f'{name}-' for name in off)])}")
        answers = []
        if put:
            answers.append(_set(await cluster.mark(node, Marks(labels=put)), f"the label {listed(words)}", node))
        if off:
            marked = await cluster.unmark(node, Unmark(labels=off))
            answers.append(_taken_back(marked, f"the label {listed(off)}", node))
        status = next((s for s in WORST_FIRST for each in answers if each.status is s), Status.DONE)
        return Answer(status=status, text="; ".join(each.text for each in answers), output={"node": node.name})

    # ---- workloads -------------------------------------------------------------------------------------------

    async def _reschedule(self, step: Step, call: Call, cluster: Cluster) -> Answer:
        which = pods_of(step, call)
        self._let_in(which.namespace)
        node = await self._node(step, call, cluster) if step.node else None
        if not step.restart:
            return await moved(which, node, cluster, call, seconds=_patience(call))
        workload = which.workload
        assert workload is not None, "a step that was checked"
        if call.dry_run:
            return done(f"would restart {workload.words}")
        if await cluster.restart(workload, key=self._key(call)):
            return done(f"{workload.words} is restarted: its controller replaces its pods in its own way")
        return done(f"{workload.words} was restarted already")

    async def _scale(self, step: Step, call: Call, cluster: Cluster) -> Answer:
        assert step.replicas is not None, "a step that was checked"
        replicas = step.replicas
        workload = _workload(step, call)
        self._let_in(workload.namespace)
        if call.dry_run:
            return done(f"would scale {workload.words}: {replicas}")
        scaled = await cluster.scale(
            workload,
            lambda now: sized(replicas, now, least=step.min, most=step.max),
            key=self._key(call),
            exact=not is_relative(replicas),
        )
        numbers = {"before": scaled.before, "after": scaled.after}
        if scaled.before == scaled.after:
            return Answer(status=Status.IGNORED, text=f"{workload.words} stays at {scaled.after}", output=numbers)
        already = " (done already, by an earlier call)" if scaled.repeated else ""
        return done(f"{workload.words}: {scaled.before} → {scaled.after} pods{already}", **numbers)

    def _key(self, call: Call) -> str:
        """Who gives no key means another thing each time."""
        return call.key or f"{call.event.type} {call.event.id} {self._now():.3f}"

    # ---- what is meant ---------------------------------------------------------------------------------------

    def _cluster(self, step: Step, call: Call) -> Cluster:
        name = filled(step.cluster, call) if step.cluster else call.event.labels.get("cluster_name", "")
        if not name:
            return self._home
        if name not in self._clusters:
            raise Unfit(self._unknown(name))
        return self._clusters[name]

    def _unknown(self, name: str) -> str:
        known = ", ".join(self._clusters) or "none: give the one that is looked after its name, `nodes.cluster`"
        return f"no cluster is called {name!r}; there are {known}"

    async def _node(self, step: Step, call: Call, cluster: Cluster) -> Node:
        clues = Clues(sure={"node": filled(step.node, call)}, vague={}) if step.node else clues_in(call.event)
        return node_by(clues, await cluster.nodes(), f"the cluster {cluster.name}")

    def _goes_time(self, step: Step, call: Call) -> float | None:
        """When its machine is taken; None where nobody takes it."""
        notice = call.event.type in NOTICES
        if not (notice if step.machine is None else step.machine == "goes"):
            return None
        begun = call.event.time if call.event.time is not None else self._now()
        goes = begun + NOTICE_SECONDS if call.happens is None else call.happens
        # A notice that leaves more than its two minutes was told by a clock that is ahead of ours.
        return min(goes, self._now() + NOTICE_SECONDS) if notice else goes

    def _allows(self, namespace: str) -> bool:
        return any(fnmatchcase(namespace, glob) for glob in self._namespaces)

    def _forbidden(self, namespace: str) -> str:
        allowed = listed(self._namespaces) or "none"
        return f"steps may touch no workload in the namespace {namespace!r}; `kubernetes.namespaces` has {allowed}"

    def _let_in(self, namespace: str) -> None:
        if not self._allows(namespace):
            raise Unfit(self._forbidden(namespace))

    _DO: Mapping[str, Callable[["Kubernetes", Step, Call, Cluster], Awaitable[Answer]]] = {
        "drain": _drain,
        "cordon": _cordon,
        "uncordon": _uncordon,
        "taint": _taint,
        "label": _label,
        "reschedule": _reschedule,
        "scale": _scale,
    }


def _machine(node: Node) -> tuple[str, str]:
    """The instance that a node is, and its region. Raises Unfit."""
    if node.instance_id is None:
        told = f"spec.providerID is {node.provider_id!r}"
        raise Unfit(f"{node.name} names no EC2 instance ({told}), and only such nodes are drained; `cordon` it")
    zone = node.az or node.provider_id.removeprefix("aws:///").partition("/")[0]
    return node.instance_id, zone[:-1] or "unknown"


def _workload(step: Step, call: Call) -> Workload:
    namespace, name = filled(step.namespace, call), filled(step.name, call)
    for place, text in (("namespace", namespace), ("name", name)):
        if not is_object_name(text):
            raise Unclear(unclear(place, getattr(step, place), text))
    return Workload(kind=step.kind or "", namespace=namespace, name=name)


def _value(text: str, call: Call) -> str:
    value = filled(text, call)
    if not is_label_value(value):
        raise Unfit(f"{text!r} comes to {value!r}, and neither a label nor a taint can have that")
    return value


def _patience(call: Call) -> float:
    """For how long to wait: a little less than the caller does."""
    left = call.seconds_left
    return WAIT_SECONDS_DEFAULT if left is None else max(left - MARGIN_SECONDS, left / 2)


def _answer(order: Order, node: Node) -> Answer:
    status = Status(order.status.value) if order.status is not None else Status.FAILED
    return Answer(
        status=status,
        text=order.ended or "",
        output={"node": node.name, **(json_value(order.output_json) or {})},
        retry_after_seconds=RETRY_SECONDS if status is Status.FAILED else 0.0,
    )


def _set(marked: Marked, words: str, node: Node) -> Answer:
    if marked.instead != NONE:
        return refused(f"{node.name} has {_named(marked.instead)} instead of {words}, by others: it stays")
    already = "" if marked.changed != NONE else " already"
    return done(f"{node.name} has {words}{already}", node=node.name)


def _taken_back(marked: Marked, words: str, node: Node) -> Answer:
    if marked.others != NONE:
        return refused(f"{_named(marked.others)} of {node.name} was set by others, and is not ours to take back")
    if marked.changed == NONE:
        return ignored(f"{node.name} has not {words}")
    return done(f"{node.name} has {words} no more", node=node.name)


def _named(marks: Marks) -> str:
    return listed([*(f"{t.key}={t.value}" for t in marks.taints), *(f"{name}={value}" for name, value in marks.labels)])
