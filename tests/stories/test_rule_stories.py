"""Stories of rules that an operator can read: what occurs at which moment, and which plugins Spotward then calls.

A story begins with comments, settings (`PLUGIN fails N times`, `refuses`, `hangs`, `takes N`) and its rules as YAML.
Then come moments, `MM:SS what happens`, and below each `----` the calls that follow until the next moment, with the
second at which they are asked, and what the journal says of it. They are played by the real core with the toy plugins
of `tests.rules`, at noon of a Monday in UTC.
"""

import re
from pathlib import Path

import pytest

from spotward.engine.words import action_words
from spotward.model.flow_event import FlowCancelled, FlowRetried
from tests.rules.made import NOON, alert, rules
from tests.rules.stage import Behaviour, Plugins, Stage, fails, hangs, refuses

STORIES = sorted((Path(__file__).parent / "rules").glob("*.story"))
SETTING = re.compile(r"([\w-]+) (fails (\d+) times?|refuses|hangs|takes (\d+))")
MOMENT = re.compile(r"(\d\d):(\d\d) (\S.*)")


@pytest.mark.parametrize("story", STORIES, ids=lambda story: story.stem)
def test_the_story_of_a_rule_goes_as_it_is_written(story: Path) -> None:
    text = story.read_text()
    assert told(text) == text, "the story went otherwise; if that is right, correct the file"


def told(text: str) -> str:
    """The story as it really goes."""
    head, *_ = re.split(r"^(?=\d\d:\d\d )", text, maxsplit=1, flags=re.MULTILINE)
    stage = Stage(rules(head[head.index("rules:") :]), _plugins(head), start=NOON)
    moments = [(int(m[1]) * 60 + int(m[2]), m[3]) for m in map(MOMENT.fullmatch, text.splitlines()) if m]
    written = [head.rstrip()]
    for at, (time, what) in enumerate(moments):
        end = moments[at + 1][0] if at + 1 < len(moments) else time + 3600
        seen, said = len(stage.plugins.calls), len(stage.words())
        stage.play(NOON + time - stage.time)
        _happen(stage, what)
        stage.play(NOON + end - stage.time - 0.01)
        calls = [
            f"{_clock(t)}  {action_words(call).replace(call.flow, call.rule)}" for t, call in stage.plugins.calls[seen:]
        ]
        notes = [f"       {_plain(each)}" for each in stage.words()[said:]]
        written += ["", f"{time // 60:02}:{time % 60:02} {what}", "----", *(calls or ["(nothing)"]), *notes]
    return "\n".join(written) + "\n"


def _clock(time: float) -> str:
    return f"{int(time - NOON) // 60:02}:{int(time - NOON) % 60:02}"


def _plain(words: str) -> str:
    """Without digests."""
    return re.sub(r"\.[0-9a-f]{12}\b", "", re.sub(r"\b[0-9a-f]{12}\b", "itself", words))


def _plugins(head: str) -> Plugins:
    behaviours: dict[str, Behaviour] = {}
    seconds: dict[str, float] = {}
    for m in SETTING.finditer(head.split("rules:", maxsplit=1)[0]):
        if m[4]:
            seconds[m[1]] = float(m[4])
        else:
            behaviours[m[1]] = fails(int(m[3])) if m[3] else refuses if m[2] == "refuses" else hangs
    return Plugins(behaviours, seconds)


def _happen(stage: Stage, what: str) -> None:
    """`alert NAME [resolved] [number N] [label=value ...]`, `killed`, `cancel`, `retry`."""
    word, *rest = what.split()
    match word:
        case "alert":
            labels = dict(each.split("=") for each in rest if "=" in each)
            number = int(rest[rest.index("number") + 1]) if "number" in rest else 1
            stage.hear(alert(rest[0], number=number, resolved="resolved" in rest, **labels))
        case "killed":
            stage.restart()
        case "cancel":
            stage.step(FlowCancelled(time=stage.time, flow=stage.open[0].key, by="ops"))
        case "retry":
            stage.step(FlowRetried(time=stage.time, flow=stage.ended[-1], by="ops"))
        case _:
            raise AssertionError(f"no story knows `{word}`")
