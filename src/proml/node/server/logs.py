"""Structured logs: one JSON object a line on standard error, and no secret in any of them.

What is logged is chosen field by field: never a header, a body, a query or a token.
"""

from __future__ import annotations

import json
import logging
import sys
import time
from typing import Any

LEVELS = ("debug", "info", "warning", "error")
_ORDINARY = frozenset(logging.makeLogRecord({}).__dict__) | {
    "message",
    "asctime",
    "taskName",
    "color_message",
}


class JsonLines(logging.Formatter):
    """A record as one line of JSON: time, level, message, and what was given as `extra`."""

    def format(self, record: logging.LogRecord) -> str:
        """The line; newlines in what is said are escaped by JSON, so no entry can be forged."""
        content: dict[str, Any] = {
            "time": time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created))
            + f".{int(record.msecs):03d}Z",
            "level": record.levelname.lower(),
            "message": record.getMessage(),
        }
        content |= {name: value for name, value in record.__dict__.items() if name not in _ORDINARY}
        if record.exc_info:
            content["traceback"] = self.formatException(record.exc_info)
        return json.dumps(content, default=str)


def log_to_standard_error(level: str) -> None:
    """Send what ProML and the web server say to standard error, from `level` (one of `LEVELS`) on."""
    output = logging.StreamHandler(sys.stderr)
    output.setFormatter(JsonLines())
    for name, least in (("proml", level.upper()), ("uvicorn", "WARNING")):
        logger = logging.getLogger(name)
        logger.handlers = [output]
        logger.setLevel(least)
        logger.propagate = False
