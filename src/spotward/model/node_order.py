"""What the user's rules may order of a node."""

from dataclasses import dataclass
from typing import Literal

from spotward.model.units import clock


@dataclass(frozen=True, kw_only=True, slots=True)
class DrainWanted:
    """That a node is emptied."""

    kind: Literal["drain"] = "drain"
    region: str
    instance_id: str
    node: str
    goes_time: float | None = None
    """When its machine is taken; None where nobody takes it."""

    @property
    def subject(self) -> str:
        """Whom it is about."""
        return self.instance_id

    @property
    def words(self) -> str:
        """What is wanted, in words."""
        return f"empty {self.node}" + (f" by {clock(self.goes_time)}" if self.goes_time is not None else "")


@dataclass(frozen=True, kw_only=True, slots=True)
class ReturnWanted:
    """That a node that rules had emptied takes pods again."""

    kind: Literal["return"] = "return"
    region: str
    instance_id: str
    node: str

    @property
    def subject(self) -> str:
        """Whom it is about."""
        return self.instance_id

    @property
    def words(self) -> str:
        """What is wanted, in words."""
        return f"let {self.node} take pods again"


NodeWanted = DrainWanted | ReturnWanted
