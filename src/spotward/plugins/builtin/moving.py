"""Moving pods: each is asked to go, with its disruption budgets having their say, and waited for until it is gone.

Pods that are younger than the event are left alone: they are the successors of those that were meant, and a step that
is repeated after a crash would otherwise move them as well, and theirs after them.
"""

import asyncio

from spotward.model.cluster import Node, Pod
from spotward.model.node_event import PodAnswer, PodResult
from spotward.model.units import counted, listed
from spotward.plugins.builtin.cluster import Cluster, Pods, Workload
from spotward.plugins.builtin.kubernetes_step import Step, is_object_name, is_selector
from spotward.plugins.builtin.words import UNKNOWN, filled
from spotward.plugins.sdk.call import Answer, Call, Status, done, ignored, refused

PODS_MAX = 500
"""A step that means more pods than this is refused: it is more likely that its selector is wrong."""

LOOK_SECONDS = 1.0
"""How often those that stop are looked at."""

BLOCKED_SECONDS = 5.0
"""After so long a pod that a budget holds is asked again."""

NAMED_MAX = 5
"""No sentence names more pods than this."""


class Unclear(ValueError):  # noqa: N818 - it says how things are, and reads as that
    """The event does not fill in what the step needs. The text says what."""


def pods_of(step: Step, call: Call) -> Pods:
    """Which pods a step means. Raises Unclear."""
    said = {place: filled(getattr(step, place), call) for place in ("namespace", "name", "selector")}
    for place in ("namespace", "name"):
        if said[place] and not is_object_name(said[place]):
            raise Unclear(unclear(place, getattr(step, place), said[place]))
    if said["selector"] and (UNKNOWN in said["selector"] or not is_selector(said["selector"])):
        raise Unclear(unclear("selector", step.selector, said["selector"]))
    if step.kind in (None, "Pod"):
        return Pods(namespace=said["namespace"], name=said["name"], selector=said["selector"])
    workload = Workload(kind=step.kind, namespace=said["namespace"], name=said["name"])
    return Pods(namespace=said["namespace"], workload=workload)


def unclear(place: str, written: str, filled_in: str) -> str:
    """Why a text with gaps comes to nothing."""
    why = "has nothing for it" if UNKNOWN in filled_in else f"makes it {filled_in!r}, which is no name"
    return f"`{place}` is {written!r}, and the event {why}"


async def moved(which: Pods, node: Node | None, cluster: Cluster, call: Call, *, seconds: float) -> Answer:
    """Move them, from that node or from wherever they are, within so many seconds. Raises OutsideError."""
    every = [pod for pod in await cluster.pods(which) if node is None or pod.node == node.name]
    where = f" on {node.name}" if node is not None else ""
    staying = {pod.uid: why for pod in every if (why := _why_left(pod, call))}
    going = [pod for pod in every if pod.uid not in staying]
    if len(going) > PODS_MAX:
        return refused(f"{which.words}{where} are {len(going)}; a step moves at most {PODS_MAX}")
    if not going:
        reasons = listed(dict.fromkeys(staying.values()), most=NAMED_MAX)
        return ignored(f"{which.words}{where}: none to move" + (f" ({reasons})" if reasons else ""))
    if call.dry_run:
        return done(f"would move {listed((pod.id for pod in going), most=NAMED_MAX)}")
    return await _Move(which, going, cluster, call).done(seconds)


def _why_left(pod: Pod, call: Call) -> str | None:
    """Why a pod is not moved, in words; None if it is."""
    if pod.mirror:
        return "a static pod"
    if pod.finished:
        return "it has finished"
    if pod.owner is None:
        return "nobody makes it again"
    if pod.from_daemon_set:
        return "a daemon of its node"
    younger = call.event.time is not None and pod.creation_time > call.event.time
    return "it is younger than the event" if younger else None


class _Move:
    """Some pods, on their way."""

    def __init__(self, which: Pods, going: list[Pod], cluster: Cluster, call: Call) -> None:
        self._which, self._cluster, self._call = which, cluster, call
        self._all = going
        self._here = {pod.uid: pod for pod in going}
        self._asked: set[str] = set()
        """Told to stop, and accepted."""
        self._held: dict[str, str] = {}
        """Uid → why it may not go now."""
        self._next: dict[str, float] = {}
        """Uid → not before then, by the loop's time, is it asked again."""

    async def done(self, seconds: float) -> Answer:
        """Until all are gone, or as many as can be."""
        try:
            async with asyncio.timeout(seconds):
                while self._here:
                    await self._ask()
                    await self._call.progress(self._words(), 1 - len(self._here) / len(self._all))
                    await asyncio.sleep(LOOK_SECONDS if self._here else 0)
                    await self._look()
        except TimeoutError:
            return self._ended(Status.FAILED, self._words())
        names = listed((pod.id for pod in self._all), most=NAMED_MAX)
        return self._ended(Status.DONE, f"{counted(len(self._all), 'pod')} moved: {names}")

    async def _ask(self) -> None:
        now = asyncio.get_running_loop().time()
        turn = [p for uid, p in self._here.items() if uid not in self._asked and self._next.get(uid, 0.0) <= now]
        for answer in await self._cluster.evict(turn) if turn else ():
            self._hear(answer, now)

    def _hear(self, answer: PodAnswer, now: float) -> None:
        match answer.result:
            case PodResult.ACCEPTED:
                self._asked.add(answer.uid)
                self._held.pop(answer.uid, None)
            case PodResult.GONE:
                self._here.pop(answer.uid, None)
            case _:
                self._held[answer.uid] = answer.reason or answer.result.value
                self._next[answer.uid] = now + max(answer.retry_after_seconds, BLOCKED_SECONDS)

    async def _look(self) -> None:
        if self._asked & self._here.keys():
            seen = {pod.uid for pod in await self._cluster.pods(self._which)}
            self._here = {uid: pod for uid, pod in self._here.items() if uid in seen}

    def _words(self) -> str:
        left = [f"{pod.id}: {self._held.get(uid, 'it is stopping')}" for uid, pod in self._here.items()]
        return f"{len(self._here)} of {counted(len(self._all), 'pod')} left: {listed(left, most=NAMED_MAX)}"

    def _ended(self, status: Status, text: str) -> Answer:
        gone = [pod.id for pod in self._all if pod.uid not in self._here]
        return Answer(
            status=status,
            text=text,
            output={"moved": gone, "left": [pod.id for pod in self._here.values()]},
            retry_after_seconds=0.0 if status is Status.DONE else BLOCKED_SECONDS,
        )
