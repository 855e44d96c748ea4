"""A translation as people and programs read it: our configuration with comments, or a report as JSON."""

import json
from collections.abc import Mapping, Sequence
from shlex import quote
from typing import Any

from spotward.compat.nth_options import OPTIONS
from spotward.compat.option import BAD, Finding, Outcome, Translation
from spotward.compat.yaml_text import comment, plain, quoted

REPORT_VERSION = 1
"""Counts up when a field of the report changes its meaning or goes."""


def as_yaml(translation: Translation, *, source: str) -> str:
    """A file for `--config`. source: what it was made from, for its first line."""
    words = [f"{option} {quote(text)}" if text else option for option, text in translation.options.items()]
    lines = [
        f"# Written by `spotward convert nth` from {plain(source)}.",
        f"# It is for: {plain(' '.join(['spotward', translation.program, '--config FILE', *words]))}",
    ]
    if translation.environment:
        said = " ".join(f"{name}={quote(text)}" for name, text in translation.environment.items())
        lines += [f"# with, in its environment: {plain(said)}"]
    lines += ["", *_tree(translation.tree, _causes(translation), "", "")]
    return "\n".join([*lines, *_rest(translation)]) + "\n"


def as_report(translation: Translation) -> str:
    """The same for programs. A value that may be a secret stands in `settings` alone."""
    document = {
        "version": REPORT_VERSION,
        "program": translation.program.value,
        "settings": translation.tree,
        "options": dict(translation.options),
        "environment": dict(translation.environment),
        "findings": [_entry(finding) for finding in translation.findings],
        "differs_unsaid": list(unsaid(translation)),
        "bad": len(translation.bad),
    }
    return json.dumps(document, indent=2)


def _entry(finding: Finding) -> dict[str, Any]:
    parts = finding.place.rsplit(":", 2)
    line, column = (int(parts[1]), int(parts[2])) if len(parts) == 3 else (None, None)
    return {
        "name": finding.name,
        "line": line,
        "column": column,
        "outcome": finding.outcome.value,
        "targets": list(finding.targets),
        "words": finding.words,
    }


def unsaid(translation: Translation) -> tuple[str, ...]:
    """What holds here, and did not there, because nothing was said of it."""
    counts = [finding for finding in translation.findings if finding.outcome is not Outcome.UNUSED]
    said = {target for finding in counts for target in finding.targets} | {finding.name for finding in counts}
    return tuple(
        option.unsaid
        for option in OPTIONS
        if option.unsaid
        and translation.program in option.unsaid_in
        and not said & {*option.targets, option.chart, option.env, f"--{option.flag}"}
    )


# ---- YAML ------------------------------------------------------------------------------------------------------


def _causes(translation: Translation) -> dict[str, list[str]]:
    """Setting → why it is there; the whole reason stands once."""
    causes: dict[str, list[str]] = {name: [] for name in translation.settings}
    for finding in translation.findings:
        targets = [target for target in finding.targets if target in causes and finding.outcome not in BAD]
        for target in targets:
            causes[target].append(_why(finding) if target == targets[0] else finding.name)
    return causes


def _why(finding: Finding) -> str:
    return f"{finding.name}: {finding.words}" if finding.words else finding.name


def _tree(tree: Mapping[str, Any], causes: Mapping[str, Sequence[str]], path: str, indent: str) -> list[str]:
    lines = []
    for name, value in tree.items():
        full = f"{path}{name}"
        lines += [line for why in causes.get(full, ()) for line in comment(why, indent)]
        if full not in causes:
            lines += [f"{indent}{name}:", *_tree(value, causes, f"{full}.", f"{indent}  ")]
        else:
            lines += [f"{indent}{name}: {quoted(value)}"]
    return lines


def _rest(translation: Translation) -> list[str]:
    """What is in no setting, as comments."""
    left = [f for f in translation.findings if not f.targets or f.outcome in BAD]
    bad = [_why(f) for f in left if f.outcome in BAD]
    carried = [_why(f) for f in left if f.outcome in (Outcome.MAPPED, Outcome.SUPPORTED) and f.words]
    unused = [_why(f) for f in left if f.outcome is Outcome.UNUSED]
    return [
        *_list("NOT carried over; see to each of these:", bad),
        *_list("Always so here, without a setting:", carried),
        *_list("Of no use to Spotward itself:", unused),
        *_list("What differs where nothing was said:", unsaid(translation)),
    ]


def _list(title: str, entries: Sequence[str]) -> list[str]:
    if not entries:
        return []
    return ["", f"# {title}", *(line for entry in entries for line in comment(entry, "", first="  - ", other="    "))]
