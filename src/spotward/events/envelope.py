"""One bare envelope of EventBridge, and readers for its fields that say what is wrong with them."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from spotward.events.reading import INSTANCE_ID, REGION, iso_seconds, quoted
from spotward.model.errors import PayloadError

NEXT_STEP = "send the event as EventBridge writes it (a rule's target with no input transformer)"


@dataclass(frozen=True, kw_only=True, slots=True)
class Ignored:
    """A readable text that Spotward has no use for; `reason` is for a person."""

    detail_type: str
    reason: str


@dataclass(frozen=True, slots=True)
class Envelope:
    """One envelope. Every reader raises PayloadError that names the field and the next step."""

    detail_type: str
    fields: Mapping[str, object]
    detail: Mapping[str, object]
    received: float

    @property
    def time(self) -> float:
        """Unix seconds; never later than it was received, because clocks differ and time here only goes forward."""
        stated = self.fields.get("time")
        if stated is None:
            return self.received
        time = iso_seconds(stated)
        if time is None:
            raise self.wrong("time", stated, "a time such as 2026-11-22T14:05:09Z")
        return min(time, self.received)

    @property
    def region(self) -> str:
        """A region's name, safe to be put into a host name."""
        return self._matching(self.fields, "region", REGION, "a region such as us-east-1")

    def instance_id(self, field: str) -> str:
        """An instance id from the detail."""
        return self._matching(self.detail, field, INSTANCE_ID, "an instance id such as i-0123456789abcdef0")

    def text(self, field: str) -> str:
        """A text from the detail that is not empty."""
        value = self.detail.get(field)
        if not isinstance(value, str) or not value:
            raise self.wrong(f"detail.{field}", value, "a text")
        return value

    def wrong(self, field: str, value: object, what: str) -> PayloadError:
        """What to raise about a field that says something else than it should."""
        said = "is missing" if value is None else f"says {quoted(value)}"
        return PayloadError(f"{self.detail_type}: `{field}` {said} and should be {what}; {NEXT_STEP}")

    def _matching(self, fields: Mapping[str, object], field: str, pattern: re.Pattern[str], what: str) -> str:
        value = fields.get(field)
        if not isinstance(value, str) or pattern.fullmatch(value) is None:
            raise self.wrong(field, value, what)
        return value
