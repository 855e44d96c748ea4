"""What every reader of the wire needs: JSON that cannot crash it, AWS's two ways to write a time, and words to quote.

All of it raises PayloadError, and nothing else whatever the text.
"""

import json
import re
from datetime import UTC, datetime

from spotward.model.errors import PayloadError

QUOTED_MAX = 80
"""No message quotes more characters of what was sent than this."""

INSTANCE_ID = re.compile(r"i-[0-9A-Za-z-]{1,40}")

REGION = re.compile(r"[a-z]{2,}(-[a-z0-9]{1,20}){1,4}")
"""A region's name, safe to be put into a host name."""

_ISO_TIME = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(\.\d{1,9})?(Z|[+-]\d\d:\d\d)")
_DATED_TIME = re.compile(r"(\d{1,2}) ([A-Z][a-z]{2}) (\d{4}) (\d\d):(\d\d):(\d\d) GMT")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
"""As AWS writes them, whatever the machine's language."""


def json_value(text: str, *, next_step: str) -> object:
    """What a text says. Raises PayloadError that ends with the next step."""
    try:
        return json.loads(text)
    except RecursionError:
        raise PayloadError(f"the text is JSON nested too deeply to be an event; {next_step}") from None
    except ValueError as error:
        raise PayloadError(f"the text is not JSON ({error}): {quoted(text)}; {next_step}") from None


def iso_seconds(stated: object) -> float | None:
    """`2026-11-22T14:05:09Z`, with a fraction or another zone too, in Unix seconds; None for anything else."""
    found = _ISO_TIME.fullmatch(stated) if isinstance(stated, str) else None
    if found is None:
        return None
    try:
        return datetime.fromisoformat(found[1] + found[3]).timestamp() + float(found[2] or 0)
    except (ValueError, OverflowError):
        return None


def dated_seconds(stated: object) -> float | None:
    """`21 Jan 2019 09:00:43 GMT` in Unix seconds; None for anything else."""
    found = _DATED_TIME.fullmatch(stated) if isinstance(stated, str) else None
    if found is None or found[2] not in _MONTHS:
        return None
    day, year, hour, minute, second = (int(found[at]) for at in (1, 3, 4, 5, 6))
    try:
        return datetime(year, _MONTHS.index(found[2]) + 1, day, hour, minute, second, tzinfo=UTC).timestamp()
    except (ValueError, OverflowError):
        return None


def iso(time: float) -> str:
    """`2026-11-22T14:05:09Z`; microseconds where there is a fraction."""
    moment = datetime.fromtimestamp(time, UTC)
    fraction = f".{moment.microsecond:06d}" if moment.microsecond else ""
    return f"{moment:%Y-%m-%dT%H:%M:%S}{fraction}Z"


def dated(time: float) -> str:
    """`21 Jan 2019 09:00:43 GMT`, to the second."""
    moment = datetime.fromtimestamp(time, UTC)
    return f"{moment.day} {_MONTHS[moment.month - 1]} {moment:%Y %H:%M:%S} GMT"


def kind(value: object) -> str:
    """What JSON calls it."""
    names = {
        dict: "an object",
        list: "an array",
        str: "a text",
        bool: "a truth value",
        int: "a number",
        float: "a number",
    }
    return "null" if value is None else names.get(type(value), type(value).__name__)


def quoted(value: object) -> str:
    """As much of it as a message may hold, in ASCII."""
    try:
        text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=True)
    except RecursionError:
        return "something nested very deeply"
    shown = text if len(text) <= QUOTED_MAX else text[:QUOTED_MAX] + "…"
    return ascii(shown) if isinstance(value, str) else shown
