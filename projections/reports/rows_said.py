"""What the rows of an import's file say, as they stand in it: it is read once more, from first to last."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from msgspec.structs import replace

from application.ports import BlobMissing
from application.stored_files import StoredFile
from domain.files.file_rows import BrokenRow, FileRows
from domain.naming import collapsed, printable

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from application.ports import Blobs
    from domain.files.file_rows import Cell, FileRow
    from domain.problems import Problem
    from domain.roster import Limits
    from projections.import_list.read import ImportRow


def file_rows(row: ImportRow, blobs: Blobs, limits: Limits) -> FileRows:
    """Return the rows of an import's file, which could be read."""
    assert row.read is not None  # noqa: S101 - the caller's duty
    file = StoredFile(partial(blobs.chunk, row.subscription_id, "file", row.sha256), row.size_bytes)
    columns = max(limits.columns, len(row.read.header))  # it was read, whatever the limits are by now
    limits = replace(limits, file_bytes=max(limits.file_bytes, row.size_bytes), columns=columns)
    return FileRows(file, row.file_name, limits, row.read.encoding)


class SaidProblem(NamedTuple):
    """A problem, and the group and the user that its row names: the cell itself, and what else the row says.

    Several groups of a user, or users of a group, are listed. Both are empty for what is in no row.
    """

    problem: Problem
    group: str = ""
    user: str = ""


def said_problems(row: ImportRow, blobs: Blobs, limits: Limits, problems: Iterable[Problem]) -> Iterator[SaidProblem]:
    """Return problems, which come in the order of the file, with what their rows say; nothing if the file is gone."""
    rows: _Rows | None = None
    is_erased = False
    for problem in problems:
        if not problem.line or is_erased:
            yield SaidProblem(problem)
            continue
        said = "", ""
        try:
            rows = rows or _Rows(file_rows(row, blobs, limits))
            said = rows.group_and_user(problem)
        except BlobMissing:
            is_erased = True
        yield SaidProblem(problem, *said)


class _Rows:
    def __init__(self, file: FileRows) -> None:
        self._file = file
        self._rest = iter(file)
        self._row = next(self._rest, None)

    def group_and_user(self, problem: Problem) -> tuple[str, str]:
        while self._row is not None and self._row.last_line < problem.line:
            self._row = next(self._rest, None)
        if self._row is None or problem.line < self._row.line:
            return "", ""
        one, others = self._said(self._row, problem)
        return (others, one) if self._file.format == "user_based" else (one, others)

    def _said(self, row: FileRow | BrokenRow, problem: Problem) -> tuple[str, str]:
        """Return what the first cell says, and what a repeatable one does, or all of them."""
        repeatable = self._file.repeatable[0]
        if isinstance(row, BrokenRow):
            first = problem.value if problem.column == self._file.leading[0] else row.first
            return first, problem.value if problem.column >= repeatable else ""
        cells = [cell for cell in row.cells if cell.column >= repeatable and cell.text.strip()]
        return printable(row.cells[0].text), _listed([c for c in cells if c.column == problem.column] or cells)


def _listed(cells: Iterable[Cell]) -> str:
    return printable(", ".join(collapsed(cell.text) for cell in cells))
