"""One request and one answer, read to their ends. Header names are in lower case."""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, kw_only=True, slots=True)
class Request:
    """What came in at a server's door."""

    method: str
    target: str
    """The path with the query, as it was sent."""
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    peer: str = ""
    """The client's address."""

    @property
    def path(self) -> str:
        """Without the query."""
        return self.target.partition("?")[0]


@dataclass(frozen=True, kw_only=True, slots=True)
class Answer:
    """What goes out of a server's door, or comes back to a client."""

    status: int
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)

    @property
    def text(self) -> str:
        """The body, whatever bytes it holds."""
        return self.body.decode("utf-8", "replace")


def text_answer(status: int, text: str, *, content_type: str = "text/plain; charset=utf-8") -> Answer:
    """An answer of text."""
    return Answer(status=status, body=text.encode(), headers={"content-type": content_type})
