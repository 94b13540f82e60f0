"""Structured logs: for people on a terminal, JSON everywhere else."""

from __future__ import annotations

import logging
import sys
from typing import BinaryIO, cast

import structlog


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
        else structlog.processors.JSONRenderer()
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
        processors=[
            *shared,
            *exceptions,
            last,
            lambda _logger, _name, line: str(line).encode("utf-8", "backslashreplace"),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.BytesLoggerFactory(cast("BinaryIO", _StandardError())),
        cache_logger_on_first_use=True,
    )


class _StandardError:
    """Standard error, as it is when a line is written: whoever tests this process replaces it."""

    def write(self, line: bytes) -> int:
        return sys.stderr.buffer.write(line)

    def flush(self) -> None:
        sys.stderr.buffer.flush()
