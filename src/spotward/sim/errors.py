"""How the virtual cloud says no, in AWS's own codes and words.

An `ApiError` is an answer, not a fault of ours: the emulator writes it as the error document of the service's protocol,
so that a client sees what AWS would have said. It is therefore not part of the tree in `spotward.model.errors`, which
is for what Spotward itself cannot do.
"""

from __future__ import annotations


class ApiError(Exception):
    """An error answer: AWS's code, AWS's message, and the HTTP status that comes with it."""

    def __init__(self, code: str, message: str, status: int = 400) -> None:
        """`status` is the HTTP status; AWS answers most refusals with 400 and a lack of capacity with 500."""
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message
        self.status = status
