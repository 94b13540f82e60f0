"""Reading a file: computation only, and little to import, so a process of its own can do it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, TypeAlias

from msgspec import Struct

from application.roster_chunks import to_chunks
from domain.files.roster_file import read_roster
from domain.import_session import FormatDetected
from domain.problems import FileProblems

if TYPE_CHECKING:
    from domain.files.text import Content
    from domain.roster import Limits, Roster


class ReadRoster(Struct, frozen=True):
    """How a file was read, and its roster as chunks to be stored. You can iterate over them more than once."""

    detected: FormatDetected
    chunks: Iterable[bytes]


ReadFile: TypeAlias = FileProblems | ReadRoster


def read_file(content: Content, name: str, limits: Limits, encoding: str = "", *, guessed: bool = False) -> ReadFile:
    """Read a file's bytes, in an encoding if one was chosen, or `guessed`.

    This is a pure function, so another process can run it.
    """
    read = read_roster(content, name, limits, encoding, guessed=guessed)
    return read if isinstance(read, FileProblems) else ReadRoster(detected(read, ""), to_chunks(read))


def detected(read: Roster, digest: str) -> FormatDetected:
    """Return the event that says how a file was read; `digest` is the SHA-256 that its roster is stored under."""
    return FormatDetected(
        format=read.format,
        encoding=read.encoding,
        delimiter=read.delimiter,
        header=read.header,
        rows=read.rows,
        groups=len(read.entries),
        users=len(read.users),
        memberships=read.memberships,
        problems=read.problem_counts,
        roster=digest,
        rows_not_read=read.rows_not_read,
    )
