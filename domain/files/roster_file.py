"""An import file, from its bytes to a `Roster`: what the cells of the two formats mean.

A file that can't be read is refused as a whole (`FileProblems`). Any other problem affects its own row or cell, and the
rest of the file is used. Every cell ends up in the roster or in a problem, unless it is blank:

- A row is lost if it has an unclosed quotation mark (`quote-unclosed`), more cells than any file may have columns
  (`row-shifted`), or no usable first cell: the address in a user-based file, the group name in a group-based one. If
  only the address of a user-based row is unusable, the groups it names keep their numbers. Groups named only in a row
  that is lost otherwise are not in the roster, because its cells may be shifted.
- Cells beyond the header are read like those of its last column, with one warning (`row-too-long`).
- A user whose group cells are all unusable is one of the roster's users, in no group.
- First and last names are kept without control characters. If that removes anything, `looks-alike` says so.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from domain.files.group_based import GroupBasedReader
from domain.files.header import check_header, check_unnamed, open_text
from domain.files.text import Unreadable
from domain.files.user_based import UserBasedReader
from domain.problems import FileProblems, with_rows
from domain.roster import Limits, Roster

if TYPE_CHECKING:
    from domain.files.header import DelimitedText, Header
    from domain.files.rows import Rows
    from domain.files.text import Content
    from domain.problems import Problem


def read_roster(
    content: Content,
    file_name: str,
    limits: Limits = Limits(),  # noqa: B008 - frozen
    encoding: str = "",
    *,
    guessed: bool = False,
) -> Roster | FileProblems:
    """Return the groups, users and cell problems of a file, or the reasons to refuse it as a whole.

    `encoding` is the one that somebody chose (see `encodings.ENCODINGS`); without it, it is found out or guessed. If
    it is `guessed` by what else is known, the roster says so. This is a pure function that raises nothing, whatever the
    bytes. Its memory is proportional to roster and problems.
    """
    try:
        return _read(open_text(content, file_name, limits, encoding, guessed=guessed), limits)
    except Unreadable as refusal:
        return FileProblems(refusal.problems)


def _read(text: DelimitedText, limits: Limits) -> Roster:
    rows = text.rows(limits.columns, limits.cell_bytes)
    try:
        header = check_header(rows.first(), limits)
        numbered = check_unnamed(header, text.again(limits))
        rows = text.rows(limits.columns, limits.cell_bytes, header.picked)
        return _read_rows(text, header, rows, limits, numbered)
    except Unreadable as refusal:
        raise Unreadable(*with_rows(refusal.problems, rows.sheet_rows)) from refusal


def _read_rows(text: DelimitedText, header: Header, rows: Rows, limits: Limits, numbered: Problem | None) -> Roster:
    next(iter(rows))
    reader = (UserBasedReader if header.format == "user_based" else GroupBasedReader)(text, header, limits)
    if text.guessed:
        reader.report_guess(text.encoding)
    if numbered:
        reader.note(numbered)
    reader.read_all(rows)
    return reader.roster()
