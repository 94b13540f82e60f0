"""Structured logs: for people on a terminal, JSON everywhere else."""

from __future__ import annotations

import json
import logging
import sys
from contextlib import suppress
from threading import Lock
from typing import TYPE_CHECKING, Any

import msgspec
import structlog

if TYPE_CHECKING:
    from collections.abc import Callable


class Lines:
    """Writes lines to stderr. As with the standard library, a line that can't be written stops nobody."""

    _lock = Lock()

    def __init__(self, name: str) -> None:
        self.name = name

    def msg(self, line: str) -> None:
        """Write a line."""
        with self._lock, suppress(OSError, ValueError):
            sys.stderr.write(line + "\n")
            sys.stderr.flush()

    debug = info = warning = error = critical = exception = msg


def ascii_json(fields: object, *, default: Callable[[Any], Any]) -> str:
    """Return fields in JSON that is pure ASCII; `default` makes what JSON doesn't have into what it has.

    Most are ASCII as they are, and msgspec takes a tenth of the time.
    """
    with suppress(ValueError):  # a text that isn't Unicode
        line = msgspec.json.encode(fields, enc_hook=default).decode()
        if line.isascii():
            return line
    return json.dumps(fields, default=default)


def configure(process: str, *, debug: bool = False) -> None:
    """Log to stderr, for Rollcall and its libraries alike.

    Each line says which process it is from, and has the fields that its request has bound. Our own lines don't pass
    through the standard library, which would take five times as long.

    JSON is pure ASCII, so that what a stranger puts into a path can neither break a line nor control a terminal.
    """
    level = logging.DEBUG if debug else logging.INFO
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.PositionalArgumentsFormatter(),
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        lambda _logger, _name, fields: {**fields, "process": process},
    ]
    for_people = sys.stderr.isatty()
    last: structlog.typing.Processor = (
        # The rich traceback would show local variables, including tokens.
        structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)
        if for_people
        else structlog.processors.JSONRenderer(ascii_json)
    )
    exceptions: list[structlog.typing.Processor] = [] if for_people else [structlog.processors.format_exc_info]
    formatter = structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=shared,
        processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *exceptions, last],
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(formatter)
    logging.basicConfig(handlers=[handler], level=level, force=True)
    structlog.configure(
        processors=[*shared, *exceptions, last],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=Lines,
        cache_logger_on_first_use=True,
    )
