"""A drill without a script: what amazon-ec2-metadata-mock does, said by its words and options.

Its quirks are left out. A notice keeps its time; what it does not announce is `[]` or absent as in EC2, not 404
throughout; no client is left without a notice because others came first.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from spotward.emulator.imds.timeline import Advise, Aim, Interrupt, Maintain, Step
from spotward.events.imds import ACTIONS
from spotward.events.reading import dated_seconds, iso_seconds
from spotward.model.errors import ConfigError

KINDS = {
    "spot": "spot",
    "events": "events",
    "scheduledevents": "events",
    "se": "events",
    "asglifecycle": "asglifecycle",
    "autoscaling": "asglifecycle",
    "asg": "asglifecycle",
}
"""What may happen, by the names that it goes by."""

CODES = ("instance-reboot", "system-reboot", "system-maintenance", "instance-retirement", "instance-stop")
STATES = ("active", "completed", "canceled")

END_SECONDS, DEADLINE_SECONDS = 7 * 86_400.0, 9 * 86_400.0
"""How long after its start a scheduled event ends at the latest, and until when it may be moved, unless told."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Mock:
    """The options. Times are `2026-11-22T14:05:09Z` or `22 Nov 2026 14:05:09 GMT`; None leaves them to EC2's habits."""

    kinds: tuple[str, ...] = ()
    """What happens; none means all of it."""
    delay_seconds: float = 0.0
    """When the notice and the scheduled event come."""
    trigger_time: str | None = None
    """The same as a time; so too below."""
    rebalance_delay_seconds: float = 0.0
    rebalance_trigger_time: str | None = None
    termination_delay_seconds: float = 0.0
    """When Auto Scaling wants the instance Terminated."""
    termination_trigger_time: str | None = None
    action: str = "terminate"
    deadline: str | None = None
    advice_time: str | None = None
    code: str = "system-reboot"
    state: str = "active"
    not_before: str | None = None
    not_after: str | None = None
    not_before_deadline: str | None = None

    def steps(self, *, start_time: float) -> tuple[Step, ...]:
        """The drill, begun at `start_time` (Unix seconds). Raises ConfigError for an option that cannot be."""
        wanted = {_one_of(word.lower(), KINDS, "what happens") for word in self.kinds or KINDS}
        kinds = {KINDS[word] for word in wanted}
        found: list[Step] = []
        if "spot" in kinds:
            found += self._spot(start_time)
        if "events" in kinds:
            found.append(self._event(start_time))
        if "asglifecycle" in kinds:
            at = _at(self.termination_delay_seconds, self.termination_trigger_time, start_time)
            found.append(Aim(at_seconds=at, state="Terminated"))
        return tuple(found)

    def _spot(self, start_time: float) -> Sequence[Step]:
        notice = Interrupt(
            at_seconds=_at(self.delay_seconds, self.trigger_time, start_time),
            action=_one_of(self.action, ACTIONS, "--action"),
            deadline_time=_time(self.deadline),
        )
        advice = Advise(
            at_seconds=_at(self.rebalance_delay_seconds, self.rebalance_trigger_time, start_time),
            notice_time=_time(self.advice_time),
        )
        return (notice, advice)

    def _event(self, start_time: float) -> Step:
        at = _at(self.delay_seconds, self.trigger_time, start_time)
        now = start_time + at
        start = _or(_time(self.not_before), now)
        return Maintain(
            at_seconds=at,
            code=_one_of(self.code, CODES, "--code"),
            state=_one_of(self.state, STATES, "--state"),
            start_in_seconds=start - now,
            end_in_seconds=_or(_time(self.not_after), start + END_SECONDS) - now,
            deadline_in_seconds=_or(_time(self.not_before_deadline), start + DEADLINE_SECONDS) - now,
        )


def _at(delay_seconds: float, trigger_time: str | None, start_time: float) -> float:
    moment = _time(trigger_time)
    return delay_seconds if moment is None else max(0.0, moment - start_time)


def _or(time: float | None, other: float) -> float:
    return other if time is None else time


def _time(text: str | None) -> float | None:
    if text is None:
        return None
    seconds = iso_seconds(text)
    if seconds is None:
        seconds = dated_seconds(text)
    if seconds is None:
        raise ConfigError(f"{text!r} is no time; write it like 2026-11-22T14:05:09Z or 22 Nov 2026 14:05:09 GMT")
    return seconds


def _one_of(word: str, known: Iterable[str], what: str) -> str:
    if word not in known:
        raise ConfigError(f"{what} is {word!r}; give one of {', '.join(known)}")
    return word
