"""Is Spotward alive, and is it up to date? Two questions that lead to different deeds.

Not alive means that a restart is the only help. Not ready means that what is known of the cloud is missing or old, or
that nothing can be written: a restart would not help, but a roll-out should stop, and somebody should look. Both
answers come from a `Look` alone.
"""

from dataclasses import dataclass

from spotward.model.units import listed, span
from spotward.web.view import Look

TURN_SECONDS_MAX = 90.0
"""A turn of the loop that shows no sign of life for so long is stuck.

Many times the longest pause between two tries to write the journal, and the longest such try: a full disk or an API
server that is away is waited out and is no reason to restart; and no turn thinks for that long.
"""

OBSERVATIONS_MISSED_MAX = 3
"""A region whose last observation is older than so many times `observe_seconds` is out of date. One may fail, and the
next may be slow."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Health:
    """Does the loop turn?"""

    reason: str | None
    """Why it is not alive, or None."""
    last_turn_age_seconds: float | None
    """By Spotward's clock; None before the first turn."""

    @property
    def alive(self) -> bool:
        """Would a restart help nothing?"""
        return self.reason is None


@dataclass(frozen=True, kw_only=True, slots=True)
class Readiness:
    """Is what is known up to date?"""

    reasons: tuple[str, ...]
    """Why not; empty when it is."""
    warnings: tuple[str, ...]
    """What is wrong besides, although Spotward does its work."""
    standby: str | None
    """Who acts, while this process only waits to take over; None when it acts itself."""
    observation_age_seconds: dict[str, float | None]
    """Region → age of its last observation; None for never."""

    @property
    def ready(self) -> bool:
        """Is there no reason against it?"""
        return not self.reasons


def health(look: Look) -> Health:
    """Does the loop turn?"""
    busy = look.shell.busy_seconds
    stuck = f"the loop has been stuck in one turn for {span(busy)}; restart it, the journal knows how to go on"
    last = look.last_turn_time
    return Health(
        reason=stuck if busy > TURN_SECONDS_MAX else None,
        last_turn_age_seconds=None if last is None else max(0.0, look.time - last),
    )


def readiness(look: Look) -> Readiness:
    """Is what is known up to date? Whoever stands by knows nothing, and is ready if it can see who acts."""
    if look.shell.standby is not None:
        trouble = look.shell.lease_trouble
        reasons = [] if trouble is None else [f"this process stands by and cannot see who acts: {trouble}"]
        return Readiness(reasons=tuple(reasons), warnings=(), standby=look.shell.standby, observation_age_seconds={})
    ages = {region: _age(look, region) for region in look.regions}
    reasons = [reason for region, age in ages.items() if (reason := _out_of_date(look, region, age)) is not None]
    if (since := look.world.cluster.silent_since) is not None:
        ago, why = span(max(0.0, look.time - since)), look.world.cluster.silent_reason
        reasons.append(f"nothing was heard of the cluster {look.world.cluster.name} for {ago}: {why}")
    if look.shell.store_trouble is not None:
        reasons.append(f"nothing is done until the journal can be written: {look.shell.store_trouble}")
    if not look.shell.acting:
        why = look.shell.lease_trouble or "it was not renewed in time"
        reasons.append(f"nothing is begun until the lease on the journal is certain again: {why}")
    unheard = look.shell.sources_unheard
    warnings = [f"cannot hear {listed(unheard)}; the log says why"] if unheard else []
    return Readiness(reasons=tuple(reasons), warnings=tuple(warnings), standby=None, observation_age_seconds=ages)


def _age(look: Look, region: str) -> float | None:
    observed = look.world.observed.get(region)
    return None if observed is None else max(0.0, look.time - observed)


def _out_of_date(look: Look, region: str, age: float | None) -> str | None:
    if age is None:
        return f"{region} was not observed yet"
    if 0 < look.observe_seconds * OBSERVATIONS_MISSED_MAX < age:
        return f"{region} was last observed {span(age)} ago, and should be every {span(look.observe_seconds)}"
    return None
