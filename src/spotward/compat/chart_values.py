"""Reading the values of the chart: what is said of options, and of the rest, each with its line and column.

Everything that is wrong is found at once: a name that is none, with the nearest that is one; a value of a kind that it
cannot have; and whatever `nth` finds in the options.
"""

from collections.abc import Iterator
from dataclasses import replace
from difflib import get_close_matches
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from spotward.compat.nth import program_for, translate
from spotward.compat.nth_chart import (
    BY_NAME,
    EXTRA_ENV,
    TARGET_OS,
    TARGET_OS_NOTE,
    ChartValue,
)
from spotward.compat.nth_options import BY_CHART, BY_ENV
from spotward.compat.option import Finding, Option, Outcome, Program, Said, Standing, Translation
from spotward.model.errors import ConfigError

CHART = "aws-node-termination-handler"
"""Below this key its values stand in those of a chart that contains it."""

EVERY_NAME = (*BY_CHART, *BY_NAME, TARGET_OS, EXTRA_ENV)


def converted(text: str, *, file: str) -> Translation:
    """What the values say, in our words. Raises ConfigError where they are no mapping in YAML at all."""
    reading = _Reading(file)
    reading.read(text)
    # Kubernetes takes the last of two variables of one name, and the chart writes the extra ones last.
    said = [*reading.extra, *reading.said]
    program = program_for(said)
    whole = translate(said, program, strays=reading.findings)
    settings, findings = {**whole.settings, **reading.settings}, whole.findings
    if "webhook.url_file" in settings and settings.pop("webhook.url", None) is not None:
        findings = tuple(map(_not_the_address, findings))
    if program is Program.RUN and "queue" not in settings:
        words = "the queue mode hears nothing without a queue; give its URL"
        findings = (*findings, Finding(name="queueURL", place=file, outcome=Outcome.WRONG, words=words))
    return Translation(
        program=program,
        settings=settings,
        options=whole.options,
        environment=whole.environment,
        findings=tuple(sorted(findings, key=_position)),
    )


def _not_the_address(finding: Finding) -> Finding:
    """The chart takes the Secret's where there is one."""
    if "webhook.url" not in finding.targets:
        return finding
    return replace(finding, outcome=Outcome.UNUSED, targets=(), words="`webhookURLSecretName` counts")


def _position(finding: Finding) -> tuple[int, ...]:
    return tuple(int(part) for part in finding.place.rsplit(":", 2)[1:] if part.isdecimal())


class _Reading:
    def __init__(self, file: str) -> None:
        self._file = file
        self.said: list[Said] = []
        self.extra: list[Said] = []
        self.settings: dict[str, object] = {}
        self.findings: list[Finding] = []

    def read(self, text: str) -> None:
        root = _composed(text, self._file)
        if root is None:
            return
        entries = list(self._entries(root, ""))
        if len(entries) == 1 and entries[0][0] == CHART:
            entries = list(self._entries(entries[0][2], f"{CHART}."))
        for name, key, value in entries:
            self._value(name, key, value)

    def _entries(self, node: Node, prefix: str) -> Iterator[tuple[str, Node, Node]]:
        """Name, key and value; the second of two equal keys is wrong."""
        if not isinstance(node, MappingNode):
            what = f"`{prefix.rstrip('.')}`" if prefix else "the file"
            raise ConfigError(f"{what} must be a mapping of the chart's values", **self._mark(node))
        seen: set[str] = set()
        for key, value in node.value:
            name = str(key.value)
            if name in seen:
                self._found(f"{prefix}{name}", key, Outcome.WRONG, "it stands here twice; keep one of them")
            else:
                seen.add(name)
                yield name, key, value

    def _value(self, name: str, key: Node, value: Node) -> None:
        option, other = BY_CHART.get(name), BY_NAME.get(name)
        if option is not None:
            self._option(option, name, key, value)
        elif name == EXTRA_ENV:
            self._variables(value)
        elif name == TARGET_OS:
            self._systems(name, key, value)
        elif other is not None:
            self._other(other, key, value)
        else:
            self._found(name, key, Outcome.WRONG, f"the chart has no such value; {_nearest(name, EVERY_NAME)}")

    def _option(self, option: Option, name: str, key: Node, value: Node) -> None:
        text = _scalar(value)
        if text is None:
            self._found(name, key, Outcome.WRONG, f"it is no single value; {option.form.words}")
        else:
            self.said.append(Said(option=option, text=text, name=name, place=self._place(key)))

    def _other(self, known: ChartValue, key: Node, value: Node) -> None:
        if known.children and isinstance(value, MappingNode):
            for name, below, _ in self._entries(value, f"{known.name}."):
                if name not in known.children:
                    nearest = _nearest(name, known.children)
                    self._found(f"{known.name}.{name}", below, Outcome.WRONG, f"the chart has no such value; {nearest}")
        empty = _is_empty(value)
        if known.standing is Standing.REFUSED and not empty:
            self._found(known.name, key, Outcome.REFUSED, known.note)
            return
        settings = {} if empty else dict(known.settings)
        self.settings.update(settings)
        outcome = Outcome.MAPPED if settings else Outcome.UNUSED
        self._found(known.name, key, outcome, "it says nothing" if empty else known.note, tuple(settings))

    def _systems(self, name: str, key: Node, value: Node) -> None:
        systems = (_scalar(value) or "").split()
        if "windows" in systems:
            words = "there is no agent for Windows; give `linux`, and keep the other handler on those nodes"
            self._found(name, key, Outcome.REFUSED, words)
        elif systems not in ([], ["linux"]):
            self._found(name, key, Outcome.WRONG, f"it is {' '.join(systems)[:80]!r}; give linux")
        else:
            self._found(name, key, Outcome.UNUSED, TARGET_OS_NOTE)

    def _variables(self, value: Node) -> None:
        """A list of name and value, as a container has it."""
        if not isinstance(value, SequenceNode):
            if not _is_empty(value):
                self._found(EXTRA_ENV, value, Outcome.WRONG, "give a list of name and value")
            return
        for item in value.value:
            parts = {str(k.value): v for k, v in item.value} if isinstance(item, MappingNode) else {}
            name, text = _scalar(parts.get("name")), _scalar(parts.get("value"))
            if not name:
                self._found(EXTRA_ENV, item, Outcome.WRONG, "give each variable as name and value")
            elif name not in BY_ENV:
                alike = get_close_matches(name, BY_ENV, n=1, cutoff=0.8)
                meant = f"; did you mean {alike[0]}?" if alike else ": give it to Spotward's own pods if it still holds"
                words = f"it is no variable of the Node Termination Handler{meant}"
                self._found(f"{EXTRA_ENV} {name}", item, Outcome.UNUSED, words)
            elif text is None:
                words = "its value comes from elsewhere and is not seen here; give it as a setting"
                self._found(f"{EXTRA_ENV} {name}", item, Outcome.REFUSED, words)
            else:
                place = self._place(item)
                self.extra.append(Said(option=BY_ENV[name], text=text, name=f"{EXTRA_ENV} {name}", place=place))

    def _found(self, name: str, node: Node, outcome: Outcome, words: str, targets: tuple[str, ...] = ()) -> None:
        place = self._place(node)
        self.findings.append(Finding(name=name, place=place, outcome=outcome, words=words, targets=targets))

    def _place(self, node: Node) -> str:
        return ":".join(str(part) for part in self._mark(node).values())

    def _mark(self, node: Node) -> dict[str, Any]:
        return {"file": self._file, "line": node.start_mark.line + 1, "column": node.start_mark.column + 1}


def _composed(text: str, file: str) -> Node | None:
    yaml = YAML(typ="safe", pure=True)
    yaml.composer.warn_double_anchors = False  # bad taste, not a mistake
    try:
        node: Node | None = yaml.compose(text)
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line, column = (mark.line + 1, mark.column + 1) if mark else (None, None)
        problem = error.problem or error.context or "unreadable"
        words = f"this is not YAML: {problem}; check indentation, brackets and quotes here"
        raise ConfigError(words, file=file, line=line, column=column) from error
    except YAMLError as error:
        problem = str(error).splitlines()[0]
        raise ConfigError(f"this is not YAML: {problem}; check the file's characters", file=file) from error
    except RecursionError as error:
        raise ConfigError("brackets are nested too deeply; write it flatter", file=file) from error
    return None if node is None or _is_null(node) else node


def _scalar(node: Node | None) -> str | None:
    """The text of a single value, empty for null; None for anything else."""
    if not isinstance(node, ScalarNode):
        return None
    return "" if _is_null(node) else str(node.value)


def _is_null(node: Node) -> bool:
    return isinstance(node, ScalarNode) and str(node.tag).endswith(":null")


def _is_empty(node: Node) -> bool:
    """What Helm takes for nothing: null, false, 0, and whatever holds nothing."""
    if not isinstance(node, ScalarNode):
        return not node.value
    return _is_null(node) or not node.value or (not node.style and str(node.value).lower() in ("false", "0"))


def _nearest(name: str, known: tuple[str, ...]) -> str:
    alike = {each.lower(): each for each in known}
    near = get_close_matches(name.lower(), alike, n=1)
    if near:
        return f"did you mean `{alike[near[0]]}`?"
    return "docs/reference/nth.md lists all that there are"
