"""Where the doors are, once they are open."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True, slots=True)
class OpenDoors:
    """Where people can come in."""

    http: str | None = None
    """A URL; None where that door is not open."""
    grpc: str | None = None
    """HOST:PORT; None where that door is not open."""
