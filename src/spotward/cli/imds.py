"""`spotward imds`: an instance metadata service on this machine, for drills.

Without a script it does what the known mock of the service does, at the times that its options give; with one it
follows the script. Words and options are those of amazon-ec2-metadata-mock where that has them.
"""

import asyncio
import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from spotward.cli.exits import Exit
from spotward.cli.light_log import set_up_light
from spotward.model.errors import ConfigError

if TYPE_CHECKING:
    from spotward.emulator.imds.script import Script
    from spotward.emulator.imds.timeline import Step, Timeline

PORT = 9092

WORDS = "Serve an instance metadata service on this machine: interruption, advice, maintenance, for drills."


def run(words: Sequence[str]) -> int:
    """Serves until it is stopped. Raises ConfigError."""
    told = parser().parse_args(words)
    if told.script is not None and told.kinds:
        raise ConfigError("a script says all that happens; leave out what stands beside --script")
    set_up_light()
    asyncio.run(_serve(told))
    return Exit.DONE


def parser() -> ArgumentParser:
    """The options."""
    whole = ArgumentParser(
        "spotward imds",
        description=WORDS,
        epilog="TIME is like 2026-11-22T14:05:09Z, or '22 Nov 2026 14:05:09 GMT'.",
        allow_abbrev=False,
    )
    whole.add_argument(
        "kinds", nargs="*", metavar="KIND", help="What happens: spot, events, asglifecycle. None means all of it."
    )
    serving = whole.add_argument_group("where and whose")
    serving.add_argument("-n", "--host", "--hostname", default="127.0.0.1", help="Default: %(default)s")
    serving.add_argument("-p", "--port", default=PORT, type=int, help="0 takes a free one. Default: %(default)s")
    serving.add_argument("-I", "--imdsv2", action="store_true", help="Answer nobody without a token.")
    serving.add_argument("--instance-id", metavar="ID", help="Whose metadata it is.")
    serving.add_argument("--script", metavar="FILE", type=Path, help="Follow a drill (docs/reference/drill.md).")
    _add_times(whole)
    _add_what_is_said(whole)
    return whole


def _add_times(whole: ArgumentParser) -> None:
    """When things happen: as seconds from the start, or as a time."""
    group = whole.add_argument_group("when")
    for short, name, words in (
        ("-d", "mock", "the notice and the scheduled event come"),
        (None, "rebalance", "the advice comes"),
        (None, "asg-termination", "Auto Scaling wants the instance Terminated"),
    ):
        flags = [f"--{name}-delay-sec"] if short is None else [short, f"--{name}-delay-sec"]
        group.add_argument(*flags, type=float, default=0.0, metavar="SECONDS", help=f"When {words}. Default: 0")
        group.add_argument(f"--{name}-trigger-time", metavar="TIME", help="The same as a time.")


def _add_what_is_said(whole: ArgumentParser) -> None:
    spot = whole.add_argument_group("spot")
    spot.add_argument("-a", "--action", default="terminate", help="terminate, stop or hibernate. Default: %(default)s")
    spot.add_argument("-t", "--time", metavar="TIME", help="The deadline; without it, two minutes after the notice.")
    spot.add_argument("-r", "--rebalance-rec-time", metavar="TIME", help="The time that the advice tells.")
    events = whole.add_argument_group("events")
    events.add_argument("-o", "--code", default="system-reboot", help="What is scheduled. Default: %(default)s")
    events.add_argument("--state", default="active", help="active, completed or canceled. Default: %(default)s")
    events.add_argument("-b", "--not-before", metavar="TIME", help="The earliest start; without it, at once.")
    events.add_argument("--not-after", metavar="TIME", help="The latest end.")
    events.add_argument("-l", "--not-before-deadline", metavar="TIME", help="The latest start.")


async def _serve(told: Namespace) -> None:
    from spotward.cli.until_stopped import until_stopped
    from spotward.emulator.imds.door import serving_metadata
    from spotward.emulator.imds.service import MetadataService
    from spotward.engine.clock import clock_from_environment

    clock = clock_from_environment()
    timeline = _timeline(told, clock.now())
    service = MetadataService(machines=timeline, drill=timeline, v1=not told.imdsv2)
    async with serving_metadata(service, clock, host=told.host, port=told.port) as door:
        sys.stdout.write(f"{door.url}/latest/meta-data/\n")
        sys.stdout.flush()
        await until_stopped()


def _timeline(told: Namespace, start_time: float) -> "Timeline":
    script = _script(told.script)
    if told.instance_id is not None:
        script = script.about(told.instance_id)
    timeline = script.timeline(start_time=start_time)
    return timeline if told.script is not None else timeline.adding(_mocked(told, start_time))


def _script(file: Path | None) -> "Script":
    from spotward.emulator.imds.script import Script, parse_script

    if file is None:
        return Script()
    try:
        return parse_script(file.read_text(encoding="utf-8"), file=str(file))
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"cannot be read ({error}); give a file with a drill", file=str(file)) from error


def _mocked(told: Namespace, start_time: float) -> "tuple[Step, ...]":
    from spotward.emulator.imds.mock import Mock

    mock = Mock(
        kinds=tuple(told.kinds),
        delay_seconds=told.mock_delay_sec,
        trigger_time=told.mock_trigger_time,
        rebalance_delay_seconds=told.rebalance_delay_sec,
        rebalance_trigger_time=told.rebalance_trigger_time,
        termination_delay_seconds=told.asg_termination_delay_sec,
        termination_trigger_time=told.asg_termination_trigger_time,
        action=told.action,
        deadline=told.time,
        advice_time=told.rebalance_rec_time,
        code=told.code,
        state=told.state,
        not_before=told.not_before,
        not_after=told.not_after,
        not_before_deadline=told.not_before_deadline,
    )
    return mock.steps(start_time=start_time)
