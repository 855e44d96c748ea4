"""`spotward demo`: the main job, seen from a chair.

An embedded cloud is started with three groups, then Spotward as its user would start it (`spotward run`, a process of
its own, over HTTP). The demonstration only looks on, scales a group out, interrupts a pool, and in the end holds what
became of it against what must never happen. Figures are the cloud's own, not Spotward's.
"""

import os
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from rich.console import Console
from rich.markup import escape

from spotward.cli.demo_figures import REGION, Row, at_rest, member_ids, outcome_table, reading, spot_pools, watched
from spotward.cli.exits import Exit
from spotward.emulator.server import Emulator
from spotward.emulator.settings import EmulatorSettings
from spotward.emulator.site import Site
from spotward.emulator.stage import DEMO_GROUPS, Stage, StageHand, set_stage
from spotward.engine.clock import SystemClock
from spotward.model.errors import SpotwardError
from spotward.model.units import counted, listed
from spotward.sim.checks import Watch
from spotward.sim.cloud import Cloud

SPEED = 20.0
"""Virtual seconds in one of ours: a boot of half a minute takes little more than one."""

WALL_SECONDS_MAX = 75.0
"""Whatever happens, the demonstration ends by itself in time."""

LOOK_SECONDS = 0.25
"""How often it is looked how far things have come, in wall seconds."""

GROWING = "web"
GROWTH = 10
SPOTWARD_ACCESS_KEY = "AKIASPOTWARDATWORK00"


class TooSlow(SpotwardError):  # noqa: N818 - it is what happened
    """A step of the demonstration did not come to its end in time."""


def demonstrated(*, keep: bool, seed: int) -> int:
    """Run it. Exit code 0 when every invariant held."""
    console = Console(soft_wrap=True, highlight=False)
    console.print(
        "[bold]An embedded cloud is being set up:[/bold] AWS's API on this machine, with a moving Spot market."
    )
    with Emulator(EmulatorSettings(seed=seed, speed=SPEED)) as cloud:
        try:
            return Demonstration(cloud, console).run(keep=keep)
        except TooSlow as error:
            console.print(f"[red]{escape(str(error))}[/red]")
            return Exit.BROKEN


class Demonstration:
    """The acts, in order."""

    def __init__(self, cloud: Emulator, console: Console) -> None:
        self._cloud, self._console = cloud, console
        self._clock = SystemClock()
        self._began = self._clock.now()
        self._pause = threading.Event()
        self._rows: dict[str, Row] = {}
        self._warned: set[str] = set()
        """Instances that EC2 was told to take."""

    def run(self, *, keep: bool) -> int:
        """All of it."""
        stage = set_stage(self._cloud.url, region=REGION)
        site = self._cloud.sites.site(REGION)
        watch = site.look(Watch)
        for plan in DEMO_GROUPS:
            self._rows[plan.name] = Row(before=reading(site, plan.name))
            site.look(partial(watched, watch=watch, plan=plan))
        self._introduce()
        with tempfile.TemporaryDirectory(prefix="spotward-demo-") as directory:
            with self._spotward(Path(directory)) as process:
                self._act("moving", site, process, "Spotward is started; it moves what has opted in.", lambda: None)
                grown = self._grow(stage)
                self._act(
                    "growing", site, process, f"{GROWING} is scaled out by ten: on-demand, as it always was.", grown
                )
                self._act("interrupted", site, process, "EC2 takes back a whole pool.", lambda: self._interrupt(site))
                calls = self._cloud.calls.count(SPOTWARD_ACCESS_KEY)
                if keep:
                    self._keep(Path(directory))
            self._show(site, dict(calls))
        return self._judge(site, watch)

    # ---- the acts ------------------------------------------------------------------------------------------------

    def _introduce(self) -> None:
        for plan in DEMO_GROUPS:
            shape = "a launch configuration" if plan.with_configuration else "a launch template"
            behind = ", behind a target group" if plan.balanced else ""
            scope = "" if plan.opted_in else " [yellow](not opted in)[/yellow]"
            words = f"{plan.size} × {plan.instance_type} on demand, from {shape}{behind}"
            self._console.print(f"  [bold]{plan.name}[/bold]{scope}: {words}")
        self._console.print(f"Time passes {SPEED:g} times as fast; everything else is as in AWS.\n")

    def _act(
        self, name: str, site: Site, process: "subprocess.Popen[bytes]", words: str, begin: Callable[[], None]
    ) -> None:
        """Begin something, and wait until every group is as it should be again."""
        self._console.print(f"[bold]{escape(words)}[/bold]")
        before = dict(site.usage().shortfall_instance_seconds)
        begin()
        while not site.look(self._settled):
            if process.poll() is not None:
                raise TooSlow(
                    f"Spotward ended with exit code {process.returncode} in the act `{name}`; see its lines above"
                )
            if self._clock.now() - self._began > WALL_SECONDS_MAX:
                raise TooSlow(f"the act `{name}` was not over after {WALL_SECONDS_MAX:g} s; is this machine very busy?")
            self._pause.wait(LOOK_SECONDS)
        after = site.usage().shortfall_instance_seconds
        for group, row in self._rows.items():
            row.shortfall[name] = after.get(group, 0.0) - before.get(group, 0.0)
        self._console.print()

    def _settled(self, cloud: Cloud) -> bool:
        """Is every group that opted in whole, on Spot, and as its owner set it?"""
        opted_in = [plan.name for plan in DEMO_GROUPS if plan.opted_in]
        return all(at_rest(cloud, name, self._warned) for name in opted_in)

    def _grow(self, stage: Stage) -> Callable[[], None]:
        hand = StageHand(self._cloud.url, region=stage.region)

        def begin() -> None:
            size = next(plan.size for plan in DEMO_GROUPS if plan.name == GROWING) + GROWTH
            hand.autoscaling.set_desired_capacity(AutoScalingGroupName=GROWING, DesiredCapacity=size)

        return begin

    def _interrupt(self, site: Site) -> None:
        pools: dict[str, int] = {}
        for one in site.look(spot_pools):
            pools[one] = pools.get(one, 0) + 1
        fullest = max(pools, key=lambda pool: (pools[pool], pool))
        warned = site.interrupt_pool(pool=fullest, group="*", count=None)
        self._warned |= set(warned)
        by_id = {plan.name: site.look(partial(member_ids, group=plan.name)) for plan in DEMO_GROUPS}
        for name, ids in by_id.items():
            self._rows[name].interrupted += len(ids & set(warned))
        self._console.print(f"  two minutes' notice for {counted(len(warned), 'instance')} in {fullest}")

    # ---- Spotward ------------------------------------------------------------------------------------------------

    @contextmanager
    def _spotward(self, directory: Path) -> Iterator["subprocess.Popen[bytes]"]:
        """The program, as its user starts it; its lines come through as they are."""
        environment = os.environ | self._cloud.environment(region=REGION, access_key=SPOTWARD_ACCESS_KEY)
        environment |= {"FORCE_COLOR": "1"} if self._console.is_terminal else {}
        command = [sys.executable, "-m", "spotward", "run", "--region", REGION, "--queue", "spotward", "--log", "text"]
        command += ["--state", str(directory), "--port", "0"]
        process = subprocess.Popen(command, env=environment)  # noqa: S603 - our own program with our own options
        try:
            yield process
        finally:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(timeout=10)
            except subprocess.TimeoutExpired:
                process.kill()

    def _keep(self, directory: Path) -> None:
        self._console.print("[bold]All of it stays up until Ctrl-C.[/bold] In another shell:")
        for name, value in self._cloud.environment(region=REGION).items():
            self._console.print(f"  export {name}={value}", markup=False)
        self._console.print(f"  export SPOTWARD_STATE={directory}", markup=False)
        self._console.print(f"  spotward plan; spotward status; spotward explain {GROWING}", markup=False)
        try:
            self._pause.wait()
        except KeyboardInterrupt:
            self._console.print()

    # ---- the end -------------------------------------------------------------------------------------------------

    def _show(self, site: Site, calls: dict[str, int]) -> None:
        for name, row in self._rows.items():
            row.after = reading(site, name)
        self._console.print(outcome_table(self._rows))
        self._tell(
            "before, after: members on demand + Spot; USD/h: on demand → now; interruptions: survived; shortfall: "
            "instance-seconds below the owner's capacity; *: not opted in"
        )
        growing = self._rows[GROWING].shortfall.get("growing", 0.0)
        self._tell(
            f"While {GROWING} grew, its own new instances took {growing:.0f} instance-seconds to come into service; "
            "that is no doing of Spotward's and not in the table."
        )
        most = listed([f"{n} {name}" for name, n in sorted(calls.items(), key=lambda c: -c[1])], most=4)
        self._tell(f"AWS calls made by Spotward: {sum(calls.values())} ({most})")

    def _tell(self, words: str) -> None:
        """Prose, folded between words."""
        self._console.print(words, soft_wrap=False)

    def _judge(self, site: Site, watch: Watch) -> int:
        breaches = site.look(lambda _: watch.look_at_rest())
        wrong = [str(each) for each in breaches if GROWING not in each.subject or "DesiredCapacity" not in each.words]
        for words in wrong:
            self._console.print(f"[red]broken: {escape(words)}[/red]")
        if wrong:
            return Exit.BROKEN
        took = self._clock.now() - self._began
        self._tell(
            f"[green]Every invariant held[/green] ({took:.0f} s): no group fell below its owner's size by our doing, "
            "sizes and processes are as their owners set them, what did not opt in is untouched, nothing is left over."
        )
        return Exit.DONE
