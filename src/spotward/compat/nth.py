"""What was said to the Node Termination Handler, in our words.

Each thing that was said has one finding: what it became, or why it stands in the way. All that stands in the way is
found at once. Of several sources the first to speak of an option counts, and what a later one says otherwise is named.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from difflib import get_close_matches
from typing import Any

from spotward.compat.forms import read
from spotward.compat.nth_options import BY_ENV, BY_FLAG
from spotward.compat.option import (
    Answers,
    Finding,
    Option,
    Outcome,
    Program,
    Refusal,
    Said,
    Standing,
    Translation,
)

MODE = "enable-sqs-termination-draining"
"""The option that tells which of the two modes is meant."""

FAMILIES = re.compile(
    r"(ENABLE_\w+_DRAINING|ENABLE_REBALANCE_\w+|CHECK_\w+_BEFORE_DRAINING|MANAGED_(ASG_)?TAG\w*|\w+_TERMINATION_GRACE_PERIOD\w*"
    r"|WEBHOOK_(URL|PROXY|HEADERS|TEMPLATE)\w*|PROBES_SERVER_\w+|PROMETHEUS_SERVER_\w+|(CORDON|TAINT)_\w+|SQS_MSG_\w+)"
)
"""Variables that look as though they were meant for it."""

ALIKE = 0.9
"""Any other variable is held to be a slip of the pen from so much likeness on; the environment is full of strangers."""

IN_MODE = {
    Program.AGENT: "the Node Termination Handler reads it in its queue mode only, which is `spotward run` here",
    Program.RUN: "the Node Termination Handler reads it in its IMDS mode only, which is `spotward agent` here",
}


def translate(said: Iterable[Said], program: Program, *, strays: Sequence[Finding] = ()) -> Translation:
    """What was said, for one of our programs. said: whoever speaks first of an option counts. strays: found before."""
    heard, findings = _first(said)
    answers, unreadable = _answers(heard)
    findings = [*strays, *findings, *unreadable]
    here = {flag: value for flag, value in answers.items() if program in BY_FLAG[flag].programs}
    effects: dict[str, object] = {}
    for flag, each in heard.items():
        if flag in answers:
            finding, effect = _worked(each, answers[flag], here, program)
            findings.append(finding)
            effects.update(effect)
    return Translation(
        program=program,
        settings={target: value for target, value in effects.items() if not target.startswith(("$", "agent ", "run "))},
        options=_options(effects, program),
        environment={target[1:]: str(value) for target, value in effects.items() if target.startswith("$")},
        findings=tuple(findings),
    )


def program_for(said: Iterable[Said]) -> Program:
    """Which of our programs what was said is meant for."""
    answers, _ = _answers(_first(said)[0])
    return Program.RUN if answers.get(MODE) else Program.AGENT


def _options(effects: Mapping[str, object], program: Program) -> dict[str, str]:
    prefix = f"{program} "
    return {t.removeprefix(prefix): str(value) for t, value in effects.items() if t.startswith(prefix)}


# ---- who speaks first ------------------------------------------------------------------------------------------


def _first(said: Iterable[Said]) -> tuple[dict[str, Said], list[Finding]]:
    """Flag → who counts; and what is overruled. A deprecated name stands behind the one that took its place."""
    heard: dict[str, Said] = {}
    findings = []
    for each in sorted(filter(_speaks, said), key=lambda each: bool(each.option.now)):
        flag = each.option.now or each.option.flag
        first = heard.setdefault(flag, each)
        if first is not each and first.text.strip() != each.text.strip():
            findings.append(_finding(each, Outcome.UNUSED, f"`{first.name}` says otherwise, and counts"))
    return heard, findings


def _speaks(each: Said) -> bool:
    """Does it say anything? A mistake does."""
    try:
        return read(each.option.form, each.text) is not None
    except ValueError:
        return True


def _answers(heard: Mapping[str, Said]) -> tuple[Answers, list[Finding]]:
    answers: dict[str, Any] = {}
    wrong = []
    for flag, each in heard.items():
        try:
            answers[flag] = read(each.option.form, each.text)
        except ValueError:
            wrong.append(_finding(each, Outcome.WRONG, _mistake(each)))
    return answers, wrong


def _mistake(each: Said) -> str:
    shown = "its value" if each.option.secret else f"{each.text[:80]!r}"
    return f"{shown} cannot be read; {each.option.form.words}"


# ---- what becomes of it ----------------------------------------------------------------------------------------


def _worked(each: Said, value: Any, here: Answers, program: Program) -> tuple[Finding, Mapping[str, object]]:
    option = each.option
    if option.flag == MODE and value != (program is Program.RUN):
        return _finding(each, Outcome.REFUSED, _other_program(value)), {}
    if program not in option.programs:
        return _finding(each, Outcome.UNUSED, IN_MODE[program]), {}
    if option.beside and not here.get(option.beside):
        return _finding(each, Outcome.UNUSED, f"it says nothing without {option.beside}"), {}
    try:
        effect = option.working(value, here)
    except Refusal as refusal:
        return _finding(each, Outcome.REFUSED, str(refusal)), {}
    if option.standing is Standing.REFUSED:
        return _finding(each, Outcome.UNUSED, "it says what is usual"), {}
    mine = [target for target in effect if not target.startswith(("agent ", "run ")) or target.startswith(program)]
    outcome = Outcome.SUPPORTED if option.standing is Standing.SUPPORTED else Outcome.MAPPED
    words = option.note if outcome is Outcome.MAPPED else ""
    return _finding(each, outcome, words, tuple(mine)), effect


def _other_program(queue: bool) -> str:
    if queue:
        return "this is the queue mode, which is `spotward run`; leave it out for an agent, which may run beside it"
    return "this is the IMDS mode, which is `spotward agent`; leave it out for `spotward run`, which may run beside it"


def _finding(each: Said, outcome: Outcome, words: str, targets: tuple[str, ...] = ()) -> Finding:
    usual = each.text.strip().lower() == each.option.default.lower()
    return Finding(name=each.name, place=each.place, outcome=outcome, words=words, targets=targets, usual=usual)


# ---- where it was said -----------------------------------------------------------------------------------------


def in_environment(environment: Mapping[str, str]) -> tuple[list[Said], list[Finding]]:
    """What the environment says, and the variables that look like options and are none."""
    said = [Said(option=BY_ENV[name], text=text, name=name) for name, text in environment.items() if name in BY_ENV]
    strays = (_stray(name) for name, text in environment.items() if name not in BY_ENV and text.strip())
    return said, [stray for stray in strays if stray is not None]


def _stray(name: str) -> Finding | None:
    alike = get_close_matches(name, BY_ENV, n=1, cutoff=0.0 if FAMILIES.fullmatch(name) else ALIKE)
    if not alike or name.startswith("KUBERNETES_"):
        return None
    words = f"the Node Termination Handler has no such variable; did you mean {alike[0]}?"
    return Finding(name=name, outcome=Outcome.UNUSED, words=words)


def on_command_line(words: Sequence[str]) -> tuple[list[Said], list[Finding]]:
    """What options say, written with one dash or two, as `--name=value` or (where it is no switch) `--name value`."""
    said: list[Said] = []
    wrong: list[Finding] = []
    rest = list(words)
    while rest:
        word = rest.pop(0)
        name, equals, text = word.lstrip("-").partition("=")
        option = BY_FLAG.get(name)
        if option is None or not word.startswith("-"):
            wrong.append(_unknown(word.partition("=")[0]))
            continue
        if not equals:
            text = "true" if is_switch(option) else rest.pop(0) if rest else ""
        said.append(Said(option=option, text=text, name=f"--{name}"))
    return said, wrong


def set_apart(words: Sequence[str], program: Program) -> tuple[list[str], list[str]]:
    """Our words, and those of the other tool. An option that both have is ours, and means the same."""
    ours: list[str] = []
    theirs: list[str] = []
    rest = list(words)
    while rest:
        word = rest.pop(0)
        name, equals, text = word.lstrip("-").partition("=")
        option = BY_FLAG.get(name) if word.startswith("-") else None
        switch = option is not None and is_switch(option)
        if option is None:
            ours.append(word)
        elif f"{program} --{name}" not in option.targets:
            theirs.append(word)
            theirs += rest[:1] if not equals and not switch else []
            rest = rest[1:] if not equals and not switch else rest
        elif not switch:
            ours.append(f"--{name}{equals}{text}")
        elif option.form.read(text or "true"):
            ours.append(f"--{name}")
    return ours, theirs


def is_switch(option: Option) -> bool:
    """Does it stand alone for true?"""
    return option.default in ("true", "false")


def _unknown(word: str) -> Finding:
    if not word.startswith("-"):
        words = "it belongs to no option; a switch is given as --name or --name=false"
        return Finding(name=word, outcome=Outcome.WRONG, words=words)
    alike = get_close_matches(word.lstrip("-"), BY_FLAG, n=1)
    nearest = f"did you mean --{alike[0]}?" if alike else "docs/reference/nth.md lists all that there are"
    return Finding(
        name=word, outcome=Outcome.WRONG, words=f"neither Spotward nor the Node Termination Handler has it; {nearest}"
    )
