"""What happens to a machine in a drill, and when: steps in seconds from the start.

Everything is worked out from the steps and the time, so the same question at the same time has the same answer, and a
notice keeps the time with which it was given however often it is read.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase

from spotward.emulator.imds.metadata import Host, Metadata, Standing
from spotward.events.eventbridge import notice_seconds
from spotward.model.event import MaintenanceScheduled

TOKEN = "token"  # noqa: S105 - the name of a path, not a secret
"""How a fault names the token's own address, which is not among the metadata."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Interrupt:
    """EC2 says that it will take the machine."""

    at_seconds: float
    action: str = "terminate"
    in_seconds: float | None = None
    """How long after the notice; None: as EC2 does, two minutes, or at once for hibernation."""
    deadline_time: float | None = None
    """Unix seconds, instead."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Advise:
    """EC2 advises to move away."""

    at_seconds: float
    notice_time: float | None = None
    """Unix seconds that the advice tells; None: when it is given."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Maintain:
    """EC2 schedules maintenance, or changes what it has scheduled under the same id."""

    at_seconds: float
    event_id: str = "instance-event-00000000000000000"
    code: str = "system-reboot"
    state: str = "active"
    start_in_seconds: float | None = None
    """From this step on; None: what was said before, or at once."""
    end_in_seconds: float | None = None
    deadline_in_seconds: float | None = None
    description: str = "scheduled by a drill"


@dataclass(frozen=True, kw_only=True, slots=True)
class Aim:
    """Auto Scaling begins to take the machine to another state; None: it is in no group."""

    at_seconds: float
    state: str | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Cancel:
    """What was said is said no more."""

    at_seconds: float
    what: str
    """interruption, rebalance, or the id of scheduled maintenance, which is then canceled"""


@dataclass(frozen=True, kw_only=True, slots=True)
class ForgetTokens:
    """No token given so far is good any more: the service was restarted, or changed its key."""

    at_seconds: float


@dataclass(frozen=True, kw_only=True, slots=True)
class Fail:
    """The service fails in one way. The first of several that fit counts."""

    at_seconds: float
    until_seconds: float | None = None
    path: str = "*"
    """A glob over paths below meta-data, or over `token`."""
    status: int | None = None
    """Answers with this status."""
    hang: bool = False
    """Never answers."""
    malformed: bool = False
    """Answers 200 with a page that no metadata service would send."""
    garbage: bool = False
    """Says something that is no HTTP."""
    delay_seconds: float = 0.0
    """Answers rightly, and late."""
    times: int | None = None
    """Only for so many requests; None: for all."""

    def fits(self, path: str, seconds: float) -> bool:
        """Does it apply to a request for `path`, so many seconds after the start?"""
        over = self.until_seconds is not None and seconds >= self.until_seconds
        return seconds >= self.at_seconds and not over and fnmatchcase(path, self.path)


Step = Interrupt | Advise | Maintain | Aim | Cancel | ForgetTokens | Fail


def later(step: Step, seconds: float) -> Step:
    """The same step, so much later."""
    moved = replace(step, at_seconds=step.at_seconds + seconds)
    if isinstance(moved, Fail) and moved.until_seconds is not None:
        return replace(moved, until_seconds=moved.until_seconds + seconds)
    return moved


@dataclass(frozen=True, kw_only=True, slots=True)
class Timeline:
    """A drill: it is a `Machines` in which every machine has the same fate."""

    host: Host
    start_time: float
    """Unix seconds of second 0."""
    steps: tuple[Step, ...] = ()
    first: Standing = field(default_factory=Standing)
    """How the machine stands before the first step."""

    def metadata(self, instance_id: str | None, *, time: float) -> Metadata:
        """Any id is that of a machine like the host, but for the id."""
        host = self.host
        if instance_id is not None and instance_id != host.machine.instance_id:
            host = replace(host, machine=replace(host.machine, instance_id=instance_id))
        standing = self.first
        for step in self._due(time):
            standing = _after(standing, step, host, self.start_time + step.at_seconds)
        return Metadata(host=host, standing=standing)

    def fails(self, path: str, *, time: float) -> list[Fail]:
        """The ways in which a request may fail now, the one that was scripted first at the front."""
        seconds = time - self.start_time
        return [step for step in self.steps if isinstance(step, Fail) and step.fits(path, seconds)]

    def keys_changed(self, *, time: float) -> int:
        """How often the tokens were forgotten so far."""
        return sum(isinstance(step, ForgetTokens) for step in self._due(time))

    def adding(self, steps: Iterable[Step]) -> Timeline:
        """With more steps."""
        every = sorted((*self.steps, *steps), key=lambda step: step.at_seconds)
        return replace(self, steps=tuple(every))

    def _due(self, time: float) -> list[Step]:
        return [step for step in self.steps if self.start_time + step.at_seconds <= time]


def _after(standing: Standing, step: Step, host: Host, time: float) -> Standing:
    match step:
        case Interrupt():
            return replace(standing, action=step.action, deadline_time=_deadline(step, time))
        case Advise():
            return replace(standing, advice_time=time if step.notice_time is None else step.notice_time)
        case Maintain():
            return _maintained(standing, step, host, time)
        case Aim():
            return replace(standing, target_state=step.state)
        case Cancel(what="interruption"):
            return replace(standing, action=None, deadline_time=None)
        case Cancel(what="rebalance"):
            return replace(standing, advice_time=None)
        case Cancel():
            return _canceled(standing, step.what)
        case ForgetTokens() | Fail():
            return standing


def _deadline(step: Interrupt, time: float) -> float:
    if step.deadline_time is not None:
        return step.deadline_time
    return time + (notice_seconds(step.action) if step.in_seconds is None else step.in_seconds)


def _maintained(standing: Standing, step: Maintain, host: Host, time: float) -> Standing:
    before = {event.event_id: event for event, _ in standing.maintenance}.get(step.event_id)

    def moment(seconds: float | None, told: float | None) -> float | None:
        return told if seconds is None else time + seconds

    start = moment(step.start_in_seconds, before.start_time if before else time)
    event = MaintenanceScheduled(
        time=time,
        region=host.machine.region,
        instance_id=host.machine.instance_id,
        event_id=step.event_id,
        code=step.code,
        start_time=time if start is None else start,
        end_time=moment(step.end_in_seconds, before.end_time if before else None),
        deadline_time=moment(step.deadline_in_seconds, before.deadline_time if before else None),
        description=step.description,
    )
    others = [each for each in standing.maintenance if each[0].event_id != step.event_id]
    return replace(standing, maintenance=(*others, (event, step.state)))


def _canceled(standing: Standing, event_id: str) -> Standing:
    entries = ((event, "canceled" if event.event_id == event_id else state) for event, state in standing.maintenance)
    return replace(standing, maintenance=tuple(entries))
