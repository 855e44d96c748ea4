"""Stories that an operator can read: what happens at which moment, and what Spotward then does.

A story begins with comments and its setting, one `key: value` a line. Then come moments, `MM:SS what happens`, and
below each `----` the deeds that follow until the next moment, in the words of the journal, or `(nothing)`. They are
played by the real core in the toy cloud of `tests.groups`, in which a boot takes 20 seconds and nothing is left to
chance.
"""

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from spotward.engine.words import action_words
from spotward.model.cloud import GroupDetails, Lifecycle, LifecycleHook, Pool
from spotward.model.event import InterruptionNoticed, RebalanceAdvised
from tests.groups.stage import Stage
from tests.groups.toy_cloud import AZS, REGION, SOURCE, ToyCloud

STORIES = sorted(Path(__file__).parent.glob("*.story"))
SETTING = re.compile(r"(members|max|tags|capacity rebalancing|instance refresh|launch hooks): (.+)")
MOMENT = re.compile(r"(\d\d):(\d\d) (.+)")


@pytest.mark.parametrize("story", STORIES, ids=lambda story: story.stem)
def test_the_story_goes_as_it_is_written(story: Path) -> None:
    text = story.read_text()
    assert told(text) == text, "the story went otherwise; if that is right, correct the file"


def told(text: str) -> str:
    """The story as it really goes."""
    lines = [line for line in text.splitlines() if not line.startswith("#")]
    setting = {m[1]: m[2] for line in lines if (m := SETTING.fullmatch(line))}
    stage = Stage(_the_cloud(setting))
    moments = [(int(m[1]) * 60 + int(m[2]), m[3]) for line in lines if (m := MOMENT.fullmatch(line))]
    written = [line for line in text.splitlines() if line.startswith("#") or SETTING.fullmatch(line)]
    for at, (time, what) in enumerate(moments):
        end = moments[at + 1][0] if at + 1 < len(moments) else time + 600
        seen = len(stage.asked)
        _happen(stage, float(time), what)
        stage.play_on(until=float(end) - 0.01)
        deeds = [action_words(a.action) for _, a in stage.asked[seen:] if a.action.mutates]
        written += ["", f"{time // 60:02}:{time % 60:02} {what}", "----", *(deeds or ["(nothing)"])]
        reason = stage.world.verdicts.get("us-east-1/web")
        if not deeds and reason:
            written.append(f"because {reason}")
    return "\n".join(written) + "\n"


def _the_cloud(setting: dict[str, str]) -> ToyCloud:
    cloud = ToyCloud(boot_seconds=lambda: 20.0, service_seconds=lambda: 10.0)
    number, kind, lifecycle = setting["members"].split()
    more = {name: True for name in ("capacity_rebalance",) if setting.get("capacity rebalancing") == "on"}
    hooks = tuple(
        LifecycleHook(name=name, transition="autoscaling:EC2_INSTANCE_LAUNCHING", heartbeat_timeout_seconds=300)
        for name in setting.get("launch hooks", "").split()
    )
    azs = AZS[: min(int(number), len(AZS))]
    details = GroupDetails(
        subnets={f"subnet-{az[-1]}": az for az in azs},
        hooks=hooks,
        refresh_in_progress=setting.get("instance refresh") == "running",
    )
    cloud.set_up(
        "web",
        members=[(kind, azs[n % len(azs)], Lifecycle(lifecycle)) for n in range(int(number))],
        max_size=int(setting.get("max", str(2 * int(number)))),
        tags=dict(tag.split("=") for tag in setting.get("tags", "spotward:enabled=true").split()),
        details=details,
        **more,
    )
    assert cloud.groups["web"].about.launch == SOURCE
    return cloud


def _happen(stage: Stage, time: float, what: str) -> None:
    word, _, rest = what.partition(" ")
    happenings: dict[str, Callable[[], None]] = {
        "look": lambda: stage.tick(time),
        "restart": lambda: stage.at(time, stage.restart),
        "interruption": lambda: stage.hear(
            InterruptionNoticed(time=time, region=REGION, instance_id=rest, deadline=time + 120)
        ),
        "advice": lambda: stage.hear(RebalanceAdvised(time=time, region=REGION, instance_id=rest)),
        "drought": lambda: _dry(stage.cloud, rest.split()),
        "delete": lambda: stage.at(time, lambda: _deleted(stage, time)),
        "node": lambda: _node(stage.cloud, rest),
        "owner": lambda: stage.at(time, lambda: _by_its_owner(stage, time, rest)),
    }
    happenings[word]()


def _dry(cloud: ToyCloud, types: list[str]) -> None:
    cloud.dry = {Pool(instance_type=t, az=z): "InsufficientInstanceCapacity" for t in types for z in AZS}


def _deleted(stage: Stage, time: float) -> None:
    stage.cloud.owner_deletes("web")
    stage.tick(time)


def _by_its_owner(stage: Stage, time: float, what: str) -> None:
    """`sets desired 10 max 12`, `tags spotward:enabled=false`, `protects i-1`; and it is seen at once."""
    word, *rest = what.split()
    cloud = stage.cloud
    if word == "sets":
        names = {"desired": "desired", "max": "max_size", "min": "min_size"}
        pairs = zip(rest[::2], rest[1::2], strict=True)
        cloud.owner_sets("web", **{names[name]: int(size) for name, size in pairs})
    elif word == "tags":
        cloud.owner_tags("web", **dict(tag.split("=") for tag in rest))
    else:
        cloud.owner_marks("web", rest[0], protected=True)
    stage.tick(time)


def _node(cloud: ToyCloud, instance_id: str) -> None:
    cloud.instances[instance_id] = replace(cloud.instances[instance_id], cluster="prod")
