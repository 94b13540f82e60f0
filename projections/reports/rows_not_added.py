"""The rows of a file that an import doesn't add, as a file that can be fixed and uploaded as it is.

It has the columns and the delimiter of the file, and a last column with the reason. A row of a user-based file keeps
the groups that the user doesn't join, one of a group-based file the users who don't. Names and addresses are those of
the review, where it has changed them. What somebody took out of the review on purpose is nothing to fix, so it isn't
there: users who were removed, and groups that were left out (docs/decisions/0039-rows-not-added.md).
"""

from __future__ import annotations

from functools import partial
from itertools import islice
from typing import TYPE_CHECKING, NamedTuple

from application.rosters import StoredRoster
from domain.edits import NOBODY
from domain.errors import NoRowsRead
from domain.files.file_rows import BrokenRow, with_reason
from domain.formulas import as_meant, without_formula, without_formulas
from domain.naming import collapsed, group_key
from projections.directory import read as directory
from projections.groups_added import read as groups_added
from projections.reports.file_licences import licensed_twins
from projections.reports.import_report import NOT_ADDED
from projections.reports.review_edits import edits_of
from projections.reports.rows_asked import AskedRow, AskedRows
from projections.reports.rows_said import file_rows

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

    from application.ports import Blobs
    from domain.edits import Plan
    from domain.files.file_rows import FileRows
    from domain.roster import Limits
    from projections.import_list.read import ImportRow
    from projections.reports.rows_asked import Membership, Wanted
    from projections.view import OpenViews, ViewCursor

HEADER = "Reason"
NO_LICENCE = "no licence"
STOPPED = NOT_ADDED["stopped"]
ROWS_AT_ONCE = 500


class NotAddedFile(NamedTuple):
    """The file: its header, its delimiter, and its rows as cells, or as text where a row can't be taken apart."""

    header: tuple[str, ...]
    delimiter: str
    rows: Iterator[tuple[str, ...] | str]


def rows_not_added(
    views: OpenViews, blobs: Blobs, row: ImportRow, limits: Limits, plan: Plan | None = None
) -> NotAddedFile:
    """Return the file for an import, as far as it has come; raises NoRowsRead.

    `plan` has the edits of an import that isn't recorded, those of a dry run.
    In a review, it has what adding the groups now would leave out. No connection is held between two rows, because the
    client that reads them may be slow.
    """
    if row.read is None:
        raise NoRowsRead
    source = file_rows(row, blobs, limits)
    roster = StoredRoster(partial(blobs.chunk, row.subscription_id, "roster", row.read.roster))
    with views() as cursor:
        plan, done = plan or edits_of(cursor, row.id), groups_added.last_done(cursor, row.id)
    asked = AskedRows(source, roster, plan, limits.private_domains)
    rows = _rows(views, _Reasons(row, roster, plan, done), asked, _Written(source))
    return NotAddedFile((*map(collapsed, source.header), HEADER), source.delimiter, rows)


def _rows(views: OpenViews, reasons: _Reasons, asked: AskedRows, written: _Written) -> Iterator[tuple[str, ...] | str]:
    rest = iter(asked)
    while some := list(islice(rest, ROWS_AT_ONCE)):
        memberships = {
            each.membership
            for row in some
            if isinstance(row, AskedRow)
            for each in row.wanted
            if each.membership[0] and not each.fault
        }
        with views() as cursor:
            found = reasons.why_not_added(cursor, memberships)
        for row in some:
            yield from written.rows(row, found)


class _Reasons:
    """Why users don't join groups: in a review by the licences that there are now, otherwise by what has happened."""

    def __init__(self, row: ImportRow, roster: StoredRoster, plan: Plan, done: int) -> None:
        self._row = row
        self._roster = roster
        self._plan = plan
        self._done = done

    def why_not_added(self, cursor: ViewCursor, memberships: Iterable[Membership]) -> dict[Membership, str]:
        """Return the reason for each of these memberships that isn't added; there is none for what was taken out."""
        removed, left_out = self._plan.removed, self._plan.left_out
        kept = {(at, email) for at, email in memberships if at not in left_out and email not in removed.get(at, NOBODY)}
        if self._row.state == "reviewing":
            later: dict[Membership, str] = {}
            unlicensed = directory.unlicensed_emails(cursor, self._row.subscription_id, {email for _, email in kept})
            without = {each for each in kept if each[1] in unlicensed}
        else:
            reason = NOT_ADDED.get(self._row.state, STOPPED)
            rest = {each for each in kept if each[0] > self._done}
            later = dict.fromkeys(rest - self._already_there(cursor, rest), reason)
            without = groups_added.left_out_among(cursor, self._row.id, kept - rest)
        meant = licensed_twins(cursor, self._row.subscription_id, {email for _, email in without})
        twins = {email: f"{NO_LICENCE}, but “{twin}” has one" for email, twin in meant.items()}
        return later | {each: twins.get(each[1], NO_LICENCE) for each in without}

    def _already_there(self, cursor: ViewCursor, memberships: Collection[Membership]) -> set[Membership]:
        """Return those of these memberships that exist, so that adding the groups would add nothing."""
        if not memberships:
            return set()
        numbers = sorted({at for at, _ in memberships})
        names = zip(numbers, self._roster.names_of_groups(numbers), strict=True)
        keys = {at: group_key(self._plan.names.get(at, name)) for at, name in names}
        ids = directory.group_ids_by_key(cursor, self._row.subscription_id, keys.values())
        emails = {email for _, email in memberships}
        there = directory.memberships_among(cursor, self._row.subscription_id, ids.values(), emails)
        return {(at, email) for at, email in memberships if (ids.get(keys[at]), email) in there}


class _Written:
    """Writes rows in the columns of a file, and none that is wider than its header."""

    def __init__(self, source: FileRows) -> None:
        self._width = len(source.header)
        self._repeatable = source.repeatable
        self._delimiter = source.delimiter

    def rows(self, row: AskedRow | BrokenRow, reasons: Mapping[Membership, str]) -> Iterator[tuple[str, ...] | str]:
        """Return what is written of a row: nothing if all of it is added."""
        if isinstance(row, BrokenRow):
            yield self._broken(row)
            return
        missing = [(each, reason) for each in row.wanted if (reason := each.fault or reasons.get(each.membership, ""))]
        if row.fault and not missing:
            yield self._row(row.cells, [], row.fault)
        width = len(self._repeatable)
        for start in range(0, len(missing), width):
            some = missing[start : start + width]
            yield self._row(row.cells, [each.text for each, _ in some], _told(some))

    def _row(self, cells: Mapping[int, str], repeated: Sequence[str], reason: str) -> tuple[str, ...]:
        written = dict(cells) | dict(zip(self._repeatable, repeated, strict=False))
        return (*(_writable(written.get(column, "")) for column in range(1, self._width + 1)), reason)

    def _broken(self, row: BrokenRow) -> str:
        lines = [without_formulas(line) for line in row.lines]
        return with_reason(row._replace(lines=lines), self._delimiter, without_formula(row.problem.message))


def _told(missing: Sequence[tuple[Wanted, str]]) -> str:
    """Return the reasons as sentences; if there are several, each says which cells it is about."""
    by_reason: dict[str, list[str]] = {}
    for each, reason in missing:
        by_reason.setdefault(reason, []).append(collapsed(each.text))
    faults = {each.fault for each, _ in missing}
    sentences = []
    for reason, texts in by_reason.items():
        if reason in faults:
            sentences.append(reason)
        else:
            about = f": {', '.join(texts)}" if len(by_reason) > 1 else ""
            sentences.append(f"{reason[0].upper()}{reason[1:]}{about}.")
    return " ".join(sentences)


def _writable(cell: str) -> str:
    """Return a cell so that it means the same once it was written with apostrophes before formulas, and read again."""
    text = cell.strip()
    return text if as_meant(without_formula(text)) == text else collapsed(text)
