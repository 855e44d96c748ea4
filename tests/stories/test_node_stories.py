"""Stories of nodes that an operator can read: what is heard at which moment, and what Spotward then does.

A story begins with comments and its setting, one `key: value` a line: `nodes: 3`; `pods on n-1: web-1, db-0 grace 60`
(also `priority N`, `bare`, `daemon`); `budget: web max unavailable 1`. Then come moments, `MM:SS what happens`, and
below each `----` the deeds that follow until the next moment, with the second at which they are asked, in the words of
the journal, or `(nothing)`. With `group: 2 m5.large on-demand` in place of `nodes` they are members of a group that
opted in, and `look` looks at it. They are played by the real core in the toy cluster of `tests.nodes`, in which a pod
takes two seconds to stop, unless it is `slow`, and nothing is left to chance.
"""

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from spotward.engine.words import action_words
from spotward.model.cloud import Lifecycle
from spotward.model.cluster import Budget, Pod, PodOwner
from spotward.model.event import MaintenanceEnded, MaintenanceScheduled, NoticeWithdrawn, Tick
from spotward.model.node_action import TellCluster
from tests.groups.nodes_on_instances import NodeStage, a_group_of_nodes
from tests.nodes.stage import Stage
from tests.nodes.toy_cluster import REGION, a_budget, a_cluster, a_pod

STORIES = sorted((Path(__file__).parent / "nodes").glob("*.story"))
SETTING = re.compile(r"(nodes|group|pods on (n-\d+)|budget|volumes detach in): (.+)")
MOMENT = re.compile(r"(\d\d):(\d\d) (\S.+)")


@pytest.mark.parametrize("story", STORIES, ids=lambda story: story.stem)
def test_the_story_of_a_node_goes_as_it_is_written(story: Path) -> None:
    text = story.read_text()
    assert told(text) == text, "the story went otherwise; if that is right, correct the file"


def told(text: str) -> str:
    """The story as it really goes."""
    lines = [line for line in text.splitlines() if not line.startswith("#")]
    stage = _the_stage([m for line in lines if (m := SETTING.fullmatch(line))])
    moments = [(int(m[1]) * 60 + int(m[2]), m[3]) for line in lines if (m := MOMENT.fullmatch(line))]
    written = [line for line in text.splitlines() if line.startswith("#") or SETTING.fullmatch(line)]
    for at, (time, what) in enumerate(moments):
        end = moments[at + 1][0] if at + 1 < len(moments) else time + 600
        seen, notes = len(stage.asked), len(stage.words())
        _happen(stage, float(time), what)
        stage.play(until=float(end) - 0.01)
        deeds = [
            f"{int(t) // 60:02}:{int(t) % 60:02}  {action_words(asked.action)}"
            for t, asked in stage.asked[seen:]
            if asked.action.mutates and not isinstance(asked.action, TellCluster)
        ]
        said = [f"           {words}" for words in stage.words()[notes:]]
        written += ["", f"{time // 60:02}:{time % 60:02} {what}", "----", *(deeds or ["(nothing)"]), *said]
    return "\n".join(written) + "\n"


def _the_stage(settings: list[re.Match[str]]) -> Stage:
    plain = {m[1]: m[3] for m in settings}
    pods = [_pod(words, m[2]) for m in settings if m[2] for words in m[3].split(", ")]
    budgets = tuple(_budget(m[3]) for m in settings if m[1] == "budget")
    toy: dict[str, Any] = {
        "budgets": budgets,
        "detach_seconds": float(plain.get("volumes detach in", "3")),
        "stop_seconds": lambda pod: 1e9 if "slow" in pod.labels else min(pod.grace_seconds, 2.0),
    }
    if "group" not in plain:
        return Stage(a_cluster(*pods, nodes=int(plain.get("nodes", "2")), **toy))
    size, kind, lifecycle = plain["group"].split()
    return NodeStage(a_group_of_nodes(*pods, size=int(size), kind=kind, lifecycle=Lifecycle(lifecycle), **toy))


def _pod(words: str, node: str) -> Pod:
    name, *rest = words.split()
    pod = a_pod(name, node)
    changes: dict[str, object] = {}
    for word, value in zip(rest, [*rest[1:], ""], strict=False):
        match word:
            case "grace":
                changes["grace_seconds"] = float(value)
            case "priority":
                changes["priority"] = int(value)
            case "bare":
                changes["owner"] = None
            case "daemon":
                changes["owner"] = PodOwner(kind="DaemonSet", name=name, uid=name)
            case "slow":
                changes["labels"] = {**pod.labels, "slow": "yes"}
            case _:
                pass
    return replace(pod, **changes)  # type: ignore[arg-type]  # fields of it


def _budget(words: str) -> Budget:
    app, *rest, number = words.split()
    return a_budget(app, max_unavailable=number) if "max" in rest else a_budget(app, min_available=number)


def _happen(stage: Stage, time: float, what: str) -> None:
    word, _, rest = what.partition(" ")
    if word == "look":
        stage.hear(Tick(time=time, regions=(REGION,)))
        return
    instance_id, *more = rest.split()
    happenings: dict[str, Callable[[], object]] = {
        "interruption": lambda: (
            stage.interrupt(instance_id, time) if isinstance(stage, NodeStage) else stage.notice(instance_id, time)
        ),
        "advice": lambda: stage.advise(instance_id, time),
        "hook": lambda: stage.hook(instance_id, time),
        "gone": lambda: stage.gone(instance_id, time),
        "withdrawn": lambda: stage.hear(
            NoticeWithdrawn(time=time, region=REGION, instance_id=instance_id, notice="interruption")
        ),
        "maintenance": lambda: stage.hear(
            MaintenanceScheduled(
                time=time,
                region=REGION,
                instance_id=instance_id,
                event_id="e",
                code="system-reboot",
                start_time=time + 60.0 * float(more[1]),
            )
        ),
        "cancelled": lambda: stage.hear(
            MaintenanceEnded(time=time, region=REGION, instance_id=instance_id, event_id="e", outcome="canceled")
        ),
        "killed": lambda: stage.at(time, stage.restart),
        "silence": lambda: stage.silence(time, float(more[0])),
    }
    happenings[word]()
