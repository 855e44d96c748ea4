"""The log of a process that must weigh little: the lines of `spotward.engine.log`, without its library.

For what runs on every node. The same keys as JSON, words for a terminal.
"""

import json
import logging
import sys
from datetime import UTC, datetime
from typing import TextIO


def set_up_light(*, level: str = "INFO", as_json: bool | None = None, stream: TextIO | None = None) -> None:
    """Configure logging for the process; by default words where the stream is a terminal, and JSON where not.

    level: a name of the standard library's, in capitals.
    """
    stream = stream or sys.stderr
    as_json = not stream.isatty() if as_json is None else as_json
    handler = logging.StreamHandler(stream)
    handler.setFormatter(_Json() if as_json else _Words())
    logging.basicConfig(handlers=[handler], level=logging.WARNING, force=True)
    logging.getLogger("spotward").setLevel(level)


def _moment(record: logging.LogRecord) -> str:
    return datetime.fromtimestamp(record.created, UTC).isoformat().replace("+00:00", "Z")


class _Words(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        trace = "\n" + self.formatException(record.exc_info) if record.exc_info else ""
        return f"{_moment(record)} [{record.levelname.lower()}] {record.getMessage()}{trace}"


class _Json(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        line = {
            "event": record.getMessage(),
            "level": record.levelname.lower(),
            "logger": record.name,
            "timestamp": _moment(record),
        }
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line)
