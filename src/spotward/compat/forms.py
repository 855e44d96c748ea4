"""How the value of an option is read: strictly, and a mistake is told with what would be right.

The other tool takes some mistakes for something else (an unknown taint effect for NoSchedule, say) and ends in a panic
at others. Neither is copied. What it reads as "not said" (an empty text, a negative number where it means that) is
None.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

TEXT_CHARACTERS_MAX = 65_536
"""No value is longer."""

_ADDRESS = re.compile(
    r"(?P<scheme>[a-z]+)://([!-.0-?A-~]*@)?(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)(:(?P<port>\d{1,5}))?([/?#][!-~]*)?"
)

_ANNOTATION = re.compile(
    r"([a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?/)?[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?", re.ASCII
)

TRUE, FALSE = ("1", "t", "true"), ("0", "f", "false")


class Form(Protocol):
    """What the values of an option look like."""

    @property
    def words(self) -> str:
        """What would be right: `give true or false`."""
        ...

    def read(self, text: str) -> Any:
        """The value; None is as though nothing was said. Raises ValueError where it is none."""
        ...


@dataclass(frozen=True, slots=True)
class Switch:
    """True or false."""

    words: str = "give true or false"

    def read(self, text: str) -> bool:
        """See Form."""
        word = text.strip().lower()
        if word not in TRUE + FALSE:
            raise ValueError
        return word in TRUE


@dataclass(frozen=True, slots=True)
class Number:
    """A whole number."""

    least: int
    most: int = 2**31 - 1
    negative_is_unsaid: bool = False

    @property
    def words(self) -> str:
        """See Form."""
        upwards = f"give a whole number from {self.least} to {self.most}"
        span = f"give a whole number from {self.least} up" if self.most >= 2**31 - 1 else upwards
        return span + (", or -1 for what is usual" if self.negative_is_unsaid else "")

    def read(self, text: str) -> int | None:
        """See Form. `1.728e+05` is what Helm makes of a large number, and is one."""
        value = float(text) if re.fullmatch(r"-?\d{1,15}(\.\d{1,15})?([eE][-+]?\d{1,2})?", text.strip()) else 0.5
        if not value.is_integer():
            raise ValueError
        if self.negative_is_unsaid and value < 0:
            return None
        if not self.least <= value <= self.most:
            raise ValueError
        return int(value)


@dataclass(frozen=True, slots=True)
class Word:
    """One of a few words, in capitals or not."""

    choices: tuple[str, ...]

    @property
    def words(self) -> str:
        """See Form."""
        return f"give one of {', '.join(self.choices)}"

    def read(self, text: str) -> str:
        """The word as the choices have it."""
        found = {choice.lower(): choice for choice in self.choices}.get(text.strip().lower())
        if found is None:
            raise ValueError
        return found


@dataclass(frozen=True, slots=True)
class Address:
    """A URL."""

    schemes: tuple[str, ...] = ("http", "https")
    example: str = "https://example.com/path"

    @property
    def words(self) -> str:
        """See Form."""
        return f"give an address such as {self.example}"

    def read(self, text: str) -> str:
        """See Form."""
        found = _ADDRESS.fullmatch(text.strip())
        if found is None or found["scheme"] not in self.schemes or not 1 <= int(found["port"] or 1) <= 65_535:
            raise ValueError
        return text.strip()


@dataclass(frozen=True, slots=True)
class Text:
    """Any text."""

    words: str = "give a text"

    def read(self, text: str) -> str:
        """See Form."""
        return text


@dataclass(frozen=True, slots=True)
class Fields:
    """A JSON object of texts."""

    words: str = 'give a JSON object of texts such as {"Authorization": "Bearer …"}'

    def read(self, text: str) -> Mapping[str, str]:
        """See Form."""
        try:
            found = json.loads(text)
        except RecursionError:
            raise ValueError from None
        if not isinstance(found, dict) or not all(isinstance(value, str) for value in found.values()):
            raise ValueError
        return found


@dataclass(frozen=True, slots=True)
class Pairs:
    """`key=value,key=value`, the keys such as annotations may have."""

    words: str = "give key=value, with commas in between, such as team=web,example.com/cost-centre=7"

    def read(self, text: str) -> Mapping[str, str]:
        """See Form."""
        parts = [part.partition("=") for part in text.split(",") if part.strip()]
        if not all(equals and _ANNOTATION.fullmatch(key.strip()) for key, equals, _ in parts):
            raise ValueError
        return {key.strip(): value.strip() for key, _, value in parts}


@dataclass(frozen=True, slots=True)
class Region:
    """A region of AWS."""

    words: str = "give a region such as eu-west-1"

    def read(self, text: str) -> str:
        """See Form."""
        if not re.fullmatch(r"[a-z]{2,}(-[a-z0-9]+)+-\d+", text.strip()):
            raise ValueError
        return text.strip()


def read(form: Form, text: str) -> Any:
    """The value, or None where nothing is said. Raises ValueError."""
    if not text.strip():
        return None
    if len(text) > TEXT_CHARACTERS_MAX:
        raise ValueError
    return form.read(text)
