"""A drill as a file: who the machine is, and what happens to it.

    machine: {instance_id: i-0123456789abcdef0, region: eu-west-1, az: eu-west-1b}
    steps:
      - {at: 0, rebalance: now}
      - {at: 30s, interruption: terminate}
      - {at: 1m, target_state: Terminated}

docs/reference/drill.md tells all of it. What cannot be is refused with file, line and column.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field, replace

from spotward.emulator.imds.metadata import Host, Standing
from spotward.emulator.imds.timeline import (
    Advise,
    Aim,
    Cancel,
    Fail,
    ForgetTokens,
    Interrupt,
    Maintain,
    Step,
    Timeline,
)
from spotward.events.imds import ACTIONS, Machine
from spotward.events.reading import INSTANCE_ID, REGION
from spotward.model.errors import ConfigError
from spotward.sim.marked_yaml import Marked, read_marked

AT_SECONDS_MAX = 30 * 86_400.0
"""No drill is longer than a month."""

AHEAD_SECONDS_MAX = 366 * 86_400.0
"""Maintenance is not announced more than a year ahead."""

STEPS_MAX = 10_000

STATUS_CODES = range(400, 600)

DEFAULT_MACHINE = Machine(
    instance_id="i-1234567890abcdef0",
    region="us-east-1",
    az="us-east-1a",
    instance_type="m5.large",
    account="123456789012",
    image_id="ami-0123456789abcdef0",
    private_ip="10.0.7.10",
    architecture="x86_64",
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Script:
    """What a file says."""

    host: Host = field(default_factory=lambda: Host(machine=DEFAULT_MACHINE))
    steps: tuple[Step, ...] = ()
    first: Standing = field(default_factory=Standing)

    def about(self, instance_id: str) -> Script:
        """The same drill for another machine. Raises ConfigError for an id that is none."""
        if not INSTANCE_ID.fullmatch(instance_id):
            raise ConfigError(f"{instance_id!r} is no instance id; give one such as i-0123456789abcdef0")
        machine = replace(self.host.machine, instance_id=instance_id)
        return replace(self, host=replace(self.host, machine=machine))

    def timeline(self, *, start_time: float) -> Timeline:
        """The drill, begun at `start_time` (Unix seconds)."""
        host = replace(self.host, launch_time=start_time)
        return Timeline(host=host, start_time=start_time, first=self.first).adding(self.steps)


def parse_script(text: str, *, file: str) -> Script:
    """The script in `text`. Raises ConfigError naming the place, what was read and what would be right."""
    document = read_marked(text, file=file)
    if document is None:
        return Script()
    parts = document.fields(("machine", "steps"), "a drill")
    host, first = _machine(parts["machine"]) if "machine" in parts else (Host(machine=DEFAULT_MACHINE), Standing())
    return Script(host=host, first=first, steps=_steps(parts["steps"]) if "steps" in parts else ())


def parse_steps(text: str, *, file: str) -> tuple[Step, ...]:
    """A list of steps alone. Raises ConfigError as `parse_script` does."""
    document = read_marked(text, file=file)
    return () if document is None else _steps(document)


# ---- the machine -----------------------------------------------------------------------------------------------------

_MACHINE = ("instance_id", "region", "az", "instance_type", "account", "image_id", "private_ip", "architecture")
_HOST = ("life_cycle", "public_ip", "mac", "profile", "user_data")

_Fields = Mapping[str, Marked]


def _machine(value: Marked) -> tuple[Host, Standing]:
    fields = value.fields((*_MACHINE, *_HOST, "tags", "target_state"), "`machine`")
    told = _texts(fields, _MACHINE)
    for name, pattern, example in (
        ("instance_id", INSTANCE_ID, "i-0123456789abcdef0"),
        ("region", REGION, "eu-west-1"),
    ):
        if name in told and not pattern.fullmatch(told[name]):
            raise fields[name].error(f"`{name}` must be one such as {example}, but here is `{told[name]}`")
    if "region" in told:
        told.setdefault("az", told["region"] + "a")
    tags = _tags(fields["tags"]) if "tags" in fields else {}
    host = Host(machine=replace(DEFAULT_MACHINE, **told), tags=tags)
    for name, text in _texts(fields, _HOST).items():
        host = replace(host, **{name: text})  # type: ignore[arg-type] # the names are those of Host's texts
    state = _state(fields["target_state"]) if "target_state" in fields else "InService"
    return host, Standing(target_state=state)


def _texts(fields: _Fields, names: Collection[str]) -> dict[str, str]:
    return {name: each.text(f"`{name}`") for name, each in fields.items() if name in names}


def _tags(value: Marked) -> Mapping[str, str]:
    tags = {}
    for entry in value.items("`tags`"):
        key, equals, text = entry.text("a tag").partition("=")
        if not equals:
            raise entry.error(f"`{key}` is not a tag; write it like Name=web")
        tags[key] = text
    return tags


# ---- steps -----------------------------------------------------------------------------------------------------------

_WINDOW = ("until", "for")


def _steps(value: Marked) -> tuple[Step, ...]:
    entries = value.items("`steps`")
    if len(entries) > STEPS_MAX:
        raise entries[STEPS_MAX].error(f"a drill has at most {STEPS_MAX} steps; shorten it from here on")
    return tuple(_step(entry) for entry in entries)


def _step(entry: Marked) -> Step:
    fields = entry.fields(("at", *_WINDOW, *_KINDS), "a step")
    kinds = [name for name in fields if name in _KINDS]
    if len(kinds) != 1:
        found = " and ".join(f"`{kind}`" for kind in kinds) or "nothing that happens"
        raise entry.error(f"a step says one thing of {', '.join(_KINDS)}, but here is {found}")
    if "at" not in fields:
        raise entry.error("this step does not say when; add `at: 30s` (from the start)")
    if kinds[0] != "fail" and (window := next((name for name in _WINDOW if name in fields), None)):
        raise fields[window].error(
            f"only `fail` lasts; delete `{window}`, and end `{kinds[0]}` by a step with `cancel`"
        )
    return _KINDS[kinds[0]](fields, fields["at"].seconds("`at`", most=AT_SECONDS_MAX))


def _interrupt(fields: _Fields, at: float) -> Step:
    value = fields["interruption"]
    if not value.is_mapping:
        return Interrupt(at_seconds=at, action=_one_of(value, ACTIONS, "action"))
    inside = value.fields(("action", "in"), "`interruption`")
    action = _one_of(inside["action"], ACTIONS, "action") if "action" in inside else "terminate"
    lead = inside["in"].seconds("`in`", most=AT_SECONDS_MAX) if "in" in inside else None
    return Interrupt(at_seconds=at, action=action, in_seconds=lead)


def _advise(fields: _Fields, at: float) -> Step:
    _one_of(fields["rebalance"], ("now",), "moment")
    return Advise(at_seconds=at)


_CODES = ("instance-reboot", "system-reboot", "system-maintenance", "instance-retirement", "instance-stop")
_STATES = ("active", "completed", "canceled")
_TIMES = ("not_before", "not_after", "deadline")


def _maintain(fields: _Fields, at: float) -> Step:
    inside = fields["maintenance"].fields(("id", "code", "state", *_TIMES, "description"), "`maintenance`")
    step = Maintain(at_seconds=at)
    if "id" in inside:
        step = replace(step, event_id=inside["id"].text("`id`"))
    if "code" in inside:
        step = replace(step, code=_one_of(inside["code"], _CODES, "code"))
    if "state" in inside:
        step = replace(step, state=_one_of(inside["state"], _STATES, "state"))
    if "description" in inside:
        step = replace(step, description=inside["description"].text("`description`"))
    return replace(
        step,
        start_in_seconds=_ahead(inside, "not_before"),
        end_in_seconds=_ahead(inside, "not_after"),
        deadline_in_seconds=_ahead(inside, "deadline"),
    )


def _ahead(inside: _Fields, name: str) -> float | None:
    return inside[name].seconds(f"`{name}`", most=AHEAD_SECONDS_MAX) if name in inside else None


def _aim(fields: _Fields, at: float) -> Step:
    return Aim(at_seconds=at, state=_state(fields["target_state"]))


def _cancel(fields: _Fields, at: float) -> Step:
    return Cancel(at_seconds=at, what=fields["cancel"].text("`cancel`"))


def _forget(fields: _Fields, at: float) -> Step:
    if not fields["forget_tokens"].truth("`forget_tokens`"):
        raise fields["forget_tokens"].error("`forget_tokens: false` does nothing; delete this step")
    return ForgetTokens(at_seconds=at)


_WAYS = ("status", "hang", "malformed", "garbage", "delay")


def _fail(fields: _Fields, at: float) -> Step:
    value = fields["fail"]
    inside = value.fields((*_WAYS, "path", "times"), "`fail`")
    if len([name for name in inside if name in _WAYS]) != 1:
        raise value.error(f"`fail` happens in one way; give one of {', '.join(_WAYS)}")
    return Fail(
        at_seconds=at,
        until_seconds=_end(fields, at),
        path=inside["path"].text("`path`") if "path" in inside else "*",
        status=_status(inside["status"]) if "status" in inside else None,
        hang=_yes(inside, "hang"),
        malformed=_yes(inside, "malformed"),
        garbage=_yes(inside, "garbage"),
        delay_seconds=inside["delay"].seconds("`delay`", most=AT_SECONDS_MAX) if "delay" in inside else 0.0,
        times=inside["times"].whole("`times`", least=1) if "times" in inside else None,
    )


def _end(fields: _Fields, at: float) -> float | None:
    if "until" in fields and "for" in fields:
        raise fields["until"].error("`until` and `for` both say when it ends; keep one of them")
    if "for" in fields:
        return at + fields["for"].seconds("`for`", most=AT_SECONDS_MAX)
    if "until" not in fields:
        return None
    until = fields["until"].seconds("`until`", most=AT_SECONDS_MAX)
    if until <= at:
        raise fields["until"].error(f"`until` is at {until:g} s, but the step begins at {at:g} s; make it later")
    return until


def _status(value: Marked) -> int:
    status = value.whole("`status`", least=STATUS_CODES.start)
    if status not in STATUS_CODES:
        raise value.error(f"`status` is {status}; give the status of a failure, 400 to 599")
    return status


def _yes(inside: _Fields, name: str) -> bool:
    return name in inside and inside[name].truth(f"`{name}`")


_KINDS: Mapping[str, Callable[[_Fields, float], Step]] = {
    "interruption": _interrupt,
    "rebalance": _advise,
    "maintenance": _maintain,
    "target_state": _aim,
    "cancel": _cancel,
    "forget_tokens": _forget,
    "fail": _fail,
}
"""What can happen, and who reads it."""


def _one_of(value: Marked, known: Collection[str], kind: str) -> str:
    word = value.text(f"the {kind}")
    if word not in known:
        raise value.unknown(word, known, kind)
    return word


_STATE = re.compile(r"[A-Z][A-Za-z]*(:[A-Z][A-Za-z]*)?")


def _state(value: Marked) -> str | None:
    """A target state; `none` is that of a machine in no group."""
    word = value.text("`target_state`")
    if word == "none":
        return None
    if _STATE.fullmatch(word) is None:
        raise value.error(f"`{word}` is not a state of Auto Scaling; write it like Terminated, or none for no group")
    return word
