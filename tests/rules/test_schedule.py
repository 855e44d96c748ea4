"""What a clock begins: neither lost nor doubled by a restart, and missed ones as the file says."""

import pytest

from spotward.model.errors import ConfigErrors
from spotward.model.units import timestamp
from spotward.rules.remembering import TURNS_MAX, forgettable
from spotward.rules.rulebook import Rules
from tests.rules.made import NOON, occurrence, rules
from tests.rules.stage import Stage


def hourly(schedule: str = "every: 1h", events: str = "schedule.*") -> Rules:
    return rules(f"""
        schedule:
          tidy: {{{schedule}}}
        rules:
          - name: r
            events: "{events}"
            steps: [{{plugin: drain}}]
    """)


def played(book: Rules) -> Stage:
    stage = Stage(book)
    stage.restart()
    return stage


def strokes(stage: Stage) -> list[str]:
    return [call.occurrence.id for _, call in stage.plugins.calls]


def down(stage: Stage, seconds: float, book: Rules | None = None) -> Stage:
    """Nobody runs for so long; then the process begins again."""
    stage.time += seconds
    stage.restart(book)
    return stage


def test_it_strikes_at_each_moment_once() -> None:
    stage = played(hourly()).play(3 * 3600 + 60)
    assert strokes(stage) == ["2026-11-23T13:00:00Z", "2026-11-23T14:00:00Z", "2026-11-23T15:00:00Z"]
    event = stage.plugins.calls[0][1].occurrence
    assert (event.type, event.source, event.subject, event.time) == (
        "schedule.tidy",
        "/schedule/tidy",
        "tidy",
        NOON + 3600,
    )
    assert event.data == {"schedule": "tidy", "due": "2026-11-23T13:00:00Z"}


def test_a_cron_expression_goes_by_the_clocks_of_its_place() -> None:
    stage = played(hourly('cron: "30 14 * * *", zone: Europe/Berlin, data: {scope: all}')).play(2 * 86_400)
    assert strokes(stage) == ["2026-11-23T13:30:00Z", "2026-11-24T13:30:00Z"]
    assert stage.plugins.calls[0][1].occurrence.labels["scope"] == "all"


def test_the_start_itself_is_no_stroke_and_a_restart_doubles_none() -> None:
    stage = played(hourly()).play(1800)
    assert strokes(stage) == []
    stage.play(1800 + 10)
    for _ in range(3):
        down(stage, 1.0).play(1)
    assert strokes(stage) == ["2026-11-23T13:00:00Z"]


def test_one_that_was_due_a_moment_ago_is_not_missed() -> None:
    stage = down(played(hourly()).play(3590), 40)
    assert strokes(stage.play(60)) == ["2026-11-23T13:00:00Z"]


def test_what_was_missed_is_skipped_and_that_is_said() -> None:
    stage = down(played(hourly()).play(1800), 3 * 3600).play(600)
    assert strokes(stage) == []
    assert "the stroke of 2026-11-23 15:00:00Z was missed while nobody ran, and is skipped" in stage.words()
    assert strokes(stage.play(3600)) == ["2026-11-23T16:00:00Z"]


def test_what_was_missed_is_run_once_where_the_file_says_so() -> None:
    stage = down(played(hourly("every: 1h, missed: run")).play(1800), 3 * 3600).play(600)
    assert strokes(stage) == ["2026-11-23T15:00:00Z"]
    assert strokes(down(stage, 5).play(600)) == ["2026-11-23T15:00:00Z"]


def test_a_schedule_that_was_changed_begins_anew_and_one_that_is_gone_strikes_no_more() -> None:
    stage = down(played(hourly("every: 1h, missed: run")).play(1800), 7200, hourly('cron: "0 13 * * *", missed: run'))
    assert strokes(stage.play(600)) == []
    assert strokes(down(stage, 5, rules("rules: [{name: r, events: x, steps: [{plugin: drain}]}]")).play(86_400)) == []


def test_what_no_rule_takes_is_said_once() -> None:
    stage = played(hourly(events="other.*")).play(4 * 3600)
    assert [text for text in stage.words() if "no rule takes" in text] == ["no rule takes events of its type"]


def test_a_flood_of_others_does_not_make_it_forgotten() -> None:
    stage = played(hourly()).play(10)
    world = stage.world
    turn = world.turns["schedule: tidy"]
    for number in range(TURNS_MAX + 1):
        world = world.with_turn(f"r {number}", turn)
    forgotten = set(forgettable(world))
    assert len(forgotten) > 1
    assert "schedule: tidy" not in forgotten


def test_two_schedules_do_not_hold_each_other_up() -> None:
    book = rules("""
        schedule:
          a: {every: 10m}
          b: {cron: "*/15 * * * *"}
        rules: [{name: r, events: "schedule.*", steps: [{plugin: drain}]}]
    """)
    stage = played(book).hear(occurrence("schedule.c")).play(1805)
    assert sorted(strokes(stage)) == sorted(
        ["1", *(timestamp(NOON + 600 * n) for n in (1, 2, 3)), *(timestamp(NOON + 900 * n) for n in (1, 2))]
    )


@pytest.mark.parametrize(
    ("schedule", "mistake"),
    [
        ("missed: run", "the schedule `tidy` needs `cron` or `every`, one of both"),
        ('every: 1h, cron: "0 0 * * *"', "needs `cron` or `every`, one of both"),
        ('cron: "0 0 * *"', "this is no cron expression: it has 4 fields; write five"),
        ('cron: "0 0 * * *", zone: Europe/Berln', "unknown time zone `Europe/Berln`; did you mean `Europe/Berlin`?"),
        ("every: 10ms", "here must be a length of time from 1 s"),
        ("every: 1h, missed: maybe", "unknown word `maybe`"),
        ("evry: 1h", "unknown key `evry`; did you mean `every`?"),
    ],
)
def test_a_mistake_in_a_schedule_is_told_with_its_place(schedule: str, mistake: str) -> None:
    with pytest.raises(ConfigErrors, match=r"^rules.yaml:\d+:\d+: ") as raised:
        hourly(schedule)
    assert mistake in str(raised.value)
