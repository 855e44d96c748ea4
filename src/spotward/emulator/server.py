"""The embedded cloud as a whole: a virtual account that speaks AWS's API on a port of this machine.

moto keeps its state in the process, so there is one embedded cloud at a time in it; when it is stopped the next may be
started, and finds nothing of the former.
"""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self, TextIO

from spotward.emulator import world
from spotward.emulator.calls import CallLog, OnCall
from spotward.emulator.dialect import load_model
from spotward.emulator.front import Front
from spotward.emulator.http_door import HttpDoor
from spotward.emulator.moto_door import MotoDoor
from spotward.emulator.pages import PREFIX, Pages
from spotward.emulator.settings import EmulatorSettings
from spotward.emulator.site import Circumstances, PriceFile
from spotward.emulator.sites import Sites
from spotward.emulator.ticker import Ticker
from spotward.emulator.wire import Reply, Request
from spotward.engine.clock import CLOCK_VARIABLE, ScaledClock, SystemClock
from spotward.model.errors import ConfigError
from spotward.sim.cloud import Cloud
from spotward.sim.price_file import read_price_file
from spotward.sim.scenario import Scenario, Vocabulary, parse_scenario

ACCESS_KEY = "AKIASPOTWARDEMULATED"
"""What `Emulator.environment` gives to programs. Any other is let in too; the call log tells them apart."""

DEFAULT_REGION = "us-east-1"

_ONE = threading.Lock()
"""Held by the embedded cloud that is running in this process."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Running:
    """The parts of a started embedded cloud."""

    clock: ScaledClock
    sites: Sites
    door: HttpDoor
    ticker: Ticker


class Emulator:
    """The embedded cloud. A context manager: within it the cloud is running."""

    def __init__(self, settings: EmulatorSettings | None = None, *, on_call: OnCall | None = None) -> None:
        """Nothing is started yet. `on_call`: see `spotward.emulator.calls.OnCall`."""
        self.settings = settings or EmulatorSettings()
        self.calls = CallLog(on_call)
        self._running: _Running | None = None

    def start(self) -> str:
        """Starts, and answers with the endpoint's URL.

        Raises ConfigError for an unreadable scenario or price file, or for an address that cannot be had, and
        RuntimeError if another embedded cloud is running in this process.
        """
        scenario, prices = _scenario(self.settings), _prices(self.settings)
        if not _ONE.acquire(blocking=False):
            raise RuntimeError("an embedded cloud is running in this process already; stop it, or start a process")
        try:
            self._running = self._assemble(scenario, prices)
        except BaseException:
            _ONE.release()
            raise
        self._running.ticker.start()
        self._running.door.start()
        return self._running.door.url

    def stop(self) -> None:
        """Stops; waiting receivers get nothing, open connections are closed. Does nothing if it is not running."""
        running, self._running = self._running, None
        if running is None:
            return
        running.ticker.stop()
        running.sites.close()
        running.door.stop()
        _ONE.release()

    def __enter__(self) -> Self:
        """Starts it."""
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stops it."""
        self.stop()

    @property
    def url(self) -> str:
        """The endpoint's URL."""
        return self._now_running.door.url

    @property
    def clock(self) -> ScaledClock:
        """Virtual time."""
        return self._now_running.clock

    @property
    def sites(self) -> Sites:
        """The regions, for tests and demonstrations that look behind the API."""
        return self._now_running.sites

    @property
    def clouds(self) -> Mapping[str, Cloud]:
        """The virtual clouds of the regions that have been used so far; not safe to touch while calls come in."""
        return {region: site.cloud for region, site in self.sites.made().items()}

    def environment(self, *, region: str = DEFAULT_REGION, access_key: str = ACCESS_KEY) -> dict[str, str]:
        """What a program needs in its environment to find this cloud and share its time."""
        clock = self.clock
        return {
            "AWS_ENDPOINT_URL": self.url,
            "AWS_ACCESS_KEY_ID": access_key,
            "AWS_SECRET_ACCESS_KEY": "emulated",
            "AWS_DEFAULT_REGION": region,
            "AWS_REGION": region,  # one that stands in the environment already would win over the other
            CLOCK_VARIABLE: f"{clock.start!r}:{clock.wall0!r}:{clock.speed!r}",
        }

    @property
    def _now_running(self) -> _Running:
        if self._running is None:
            raise RuntimeError("the embedded cloud is not running; call start() first")
        return self._running

    def _assemble(self, scenario: Scenario, prices: PriceFile | None) -> _Running:
        wall = SystemClock().now()
        start_time = wall if self.settings.start_time is None else self.settings.start_time
        clock = ScaledClock(start=start_time, wall0=wall, speed=self.settings.speed)
        moto = MotoDoor(self.settings.account)
        sites = Sites(
            Circumstances(
                account=self.settings.account,
                seed=self.settings.seed,
                start_time=start_time,
                now=clock.now,
                waits=SystemClock().now,
                scenario=scenario,
                prices=prices,
                throttling=self.settings.throttling,
            )
        )
        ticker = Ticker(sites.tick, now=clock.now, speed=clock.speed)
        front = Front(
            sites=sites,
            moto=moto,
            calls=self.calls,
            now=clock.now,
            seed=self.settings.seed,
            on_due=ticker.nudge,
        )
        pages = Pages(sites=sites, calls=self.calls, clock=clock, on_change=lambda: ticker.nudge(clock.now()))

        def answer(request: Request, environ: Callable[[], dict[str, Any]]) -> Reply:
            return pages.answer(request) if request.path.startswith(PREFIX) else front.answer(request, environ)

        return _Running(clock=clock, sites=sites, door=_door(self.settings, answer), ticker=ticker)


def serve(settings: EmulatorSettings, *, out: TextIO = sys.stdout) -> None:
    """Runs an embedded cloud until SIGINT or SIGTERM; writes first what a shell must export to use it.

    To be called in the main thread. Raises as `Emulator.start` does.
    """
    stopping = threading.Event()
    with Emulator(settings) as emulator:
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda *_: stopping.set())
        out.writelines(f"export {name}={value}\n" for name, value in emulator.environment().items())
        out.write("# These lines lead another shell to the embedded cloud, which is there until Ctrl-C.\n")
        out.flush()
        stopping.wait()


def _door(settings: EmulatorSettings, answer: Callable[[Request, Callable[[], dict[str, Any]]], Reply]) -> HttpDoor:
    try:
        return HttpDoor(settings.host, settings.port, answer)
    except OSError as error:
        place = f"{settings.host}:{settings.port}"
        raise ConfigError(f"cannot listen on {place}: {error.strerror}; choose another --host or --port") from error


def _scenario(settings: EmulatorSettings) -> Scenario:
    if settings.scenario is None:
        return Scenario()
    content = _content(settings.scenario.read_bytes, str(settings.scenario))
    try:
        text = content.decode()
    except UnicodeDecodeError as error:
        raise ConfigError("is not UTF-8 text; give a YAML file", file=str(settings.scenario)) from error
    return parse_scenario(text, file=str(settings.scenario), vocabulary=_vocabulary())


def _prices(settings: EmulatorSettings) -> PriceFile | None:
    if settings.prices_file is None:
        return None
    name = str(settings.prices_file)
    content = _content(settings.prices_file.read_bytes, name)
    read_price_file(content, file=name)  # now, and not when the first region is asked for its prices
    return PriceFile(name=name, content=content)


def _content(read: Callable[[], bytes], name: str) -> bytes:
    try:
        return read()
    except OSError as error:
        raise ConfigError(f"cannot be read: {error.strerror}; give a file that can", file=name) from error


def _vocabulary() -> Vocabulary:
    """What a scenario can name in this cloud."""
    services = ("autoscaling", "ec2", "elbv2", "events", "pricing", "sqs")
    return Vocabulary(
        operations={f"{service}.{name}" for service in services for name in load_model(service).operation_names},
        instance_types=world.INSTANCE_TYPES_BY_NAME.keys(),
        zones={zone for region in world.REGIONS for zone in world.zone_ids(region)},
    )
