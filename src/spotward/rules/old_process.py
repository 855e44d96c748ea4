"""What old configurations say of the old process and not of what it does: where it listened, whom it let in, its log.

None of it is taken over by itself, for a door that opens without anybody having said so is no favour. Each setting is
named with what takes its place, so that nobody finds out by silence. A secret is never repeated.
"""

from collections.abc import Callable, Iterator, Mapping

from ruamel.yaml.nodes import ScalarNode

from spotward.rules.marks import Marks
from spotward.rules.old_yaml import Mend, Section, mend

Words = Callable[[str], str]
"""What becomes of a setting, by what was said there."""


def _listens(said: str) -> str:
    host, _, port = said.rpartition(":")
    there = f"doors: {{host: {host or '0.0.0.0'}, port: {port}, token_file: ...}}" if port.isdigit() else "doors"  # noqa: S104 - what they wrote
    return f"no door opens by itself: alerts come in where `{there}` says, at the same /api/v1/alerts and at /api/v2"


def _health(_: str) -> str:
    return "/healthz and /readyz are served where `web.host` and `web.port` say"


def _log(_: str) -> str:
    return "the log is that of the process: `spotward run --log json` or `text`"


def _buffer(_: str) -> str:
    return "none is to be sized: an alert is stored before it is answered, and who brings too many comes again"


def _jwt(_: str) -> str:
    return (
        "a token is compared and not taken apart: put the very token that Prometheus sends into the file of "
        "`doors.token_file`; labels `org_id` and `cluster_id` are not compared with it, so filter by them in a rule"
    )


SETTINGS: Mapping[str, Mapping[str, Words]] = {
    "global": {"bindaddr": _listens, "buffersize": _buffer},
    "log": {"format": _log, "level": _log, "nocolor": _log},
    "healthcheck": {"listenaddress": _health, "endpoint": _health},
    "promalert": {"listenaddress": _listens, "usejwtauth": _jwt, "jwtsigningkey": _jwt},
}
"""Section → setting, in lower case as they were read → what becomes of it."""

ABOUT_RULES = ("defaultactionflowconcurrency",)
"""Stands among them in `global`, and is about flows."""


def process_notes(top: Section, marks: Marks) -> Iterator[Mend]:
    """A note for each setting of the old process, and for each key that it never had. Settings alike share one."""
    for name, known in SETTINGS.items():
        child = top.node_of(name)
        if child is None:
            continue
        section = Section.of(child, marks, f"`{name}`")
        alike: dict[str, list[str]] = {}
        for key, words in known.items():
            if key in section.entries:
                spelled, _, value = section.entries[key]
                text = str(value.value) if isinstance(value, ScalarNode) else ""
                alike.setdefault(words(text), []).append(f"`{name}.{spelled}`")
        yield from (mend(child, f"{', '.join(names)}: {text}") for text, names in alike.items())
        yield from section.unknown(*ABOUT_RULES, *known)
