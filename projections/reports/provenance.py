"""Where memberships come from: who brought a user into a group, when, and from which cell of which file."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, TypeAlias
from uuid import UUID

from msgspec import UNSET, Struct, UnsetType

from application.records import Actor
from domain.edits import AddressCorrected, UserAdded
from projections.import_list import read as import_list
from projections.log import records_at, records_of_review
from projections.reports.review_edits import edits_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from application.records import Record
    from application.rosters import Rosters, StoredRoster
    from domain.edits import EditedUser, Plan
    from domain.roster import RosterGroup
    from projections.import_list.read import ImportRow
    from projections.view import ViewCursor

Membership: TypeAlias = tuple[UUID, str]
"""The id of a group, and the address of a user in it."""


class FileSource(Struct, frozen=True):
    """The import that brought a user into a group, and what its file says.

    `group` is the number of the group in the file; `line` and `column` are the cell that put the user there, None if
    the review added the user, and `row` the row as a spreadsheet counts it, unless that is the line. `in_file` is what
    the file says in place of an address that was corrected; `edited_by` and `edited_at` tell who corrected the address
    or added the user in the review.
    """

    import_id: UUID
    file_name: str
    group: int | None
    line: int | None = None
    column: int | None = None
    in_file: str = ""
    edited_by: Actor | None = None
    edited_at: datetime | None = None
    row: int | UnsetType = UNSET

    @property
    def place(self) -> str:
        """Return `line 3, column 2`, with the row of a spreadsheet if that is another number; or nothing."""
        row = f" (row {self.row:,})" if isinstance(self.row, int) else ""
        return f"line {self.line:,}{row}, column {self.column:,}" if self.line and self.column else ""


class Provenance(Struct, frozen=True):
    """When a user joined a group and who did that: the person who added them, or who started the import (`source`)."""

    at: datetime
    actor: Actor
    source: FileSource | None = None

    @property
    def text(self) -> str:
        """Return `groups.csv, line 3, column 2`, and what the review did; or `by hand`."""
        if (source := self.source) is None:
            return "by hand"
        parts = [source.file_name, source.place]
        if source.edited_by and not source.line and not source.in_file:
            parts.append(f"added in the review by {source.edited_by.name}")
        elif source.in_file:
            by = f" by {source.edited_by.name}" if source.edited_by else ""
            parts.append(f"corrected from “{source.in_file}”{by}")
        return ", ".join(filter(None, parts))


UNKNOWN = Provenance(datetime.min.replace(tzinfo=UTC), Actor("system", "", ""))
"""Where a membership comes from whose event the log has lost: the view is about to be rebuilt."""


def provenance(
    cursor: ViewCursor, subscription_id: UUID, rosters: Rosters, joined: Mapping[Membership, int]
) -> dict[Membership, Provenance]:
    """Return where memberships come from, by the positions of the events since which they hold."""
    records = records_at(cursor, {(subscription_id, position) for position in joined.values()})
    found = {each: records[position] for each, position in joined.items() if position in records}
    imports = import_list.find_imports(cursor, [r.origin.import_id for r in found.values() if r.origin.import_id])
    sources: dict[tuple[UUID, int], _GroupOfFile] = {}
    result = dict.fromkeys(joined, UNKNOWN)
    for each, record in found.items():
        source = None
        if row := imports.get(record.origin.import_id) if record.origin.import_id else None:
            source = FileSource(row.id, row.file_name, record.import_group)
            if record.import_group and row.read:
                key = (row.id, record.import_group)
                if key not in sources:
                    roster = rosters.open(subscription_id, row.read.roster)
                    sources[key] = _GroupOfFile(cursor, row, roster, record.import_group)
                source = sources[key].source(each[1])
        result[each] = Provenance(record.at, record.origin.actor, source)
    return result


class _GroupOfFile:
    """The users of a group of an import's file as they were added, with their places."""

    def __init__(self, cursor: ViewCursor, row: ImportRow, roster: StoredRoster, number: int) -> None:
        self._row = row
        self._roster = roster
        self._plan: Plan = edits_of(cursor, row.id, [number])
        self._group: RosterGroup = roster.group(number)
        self._users: Mapping[str, EditedUser] = {user.email: user for user in self._plan.members(self._group)}
        brought = self._plan.brings_users(number)
        self._edits = records_of_review(cursor, row.id, (AddressCorrected, UserAdded)) if brought else []

    def source(self, email: str) -> FileSource:
        """Return where in the file a user of the group is, and who corrected or added the address in the review."""
        number, user = self._group.number, self._users.get(email)
        source = FileSource(self._row.id, self._row.file_name, number)
        if user is None:
            return source
        line, column = self._place(user)
        edit = self._edit(email) if user.at is None or user.in_file else None
        return FileSource(
            self._row.id,
            self._row.file_name,
            number,
            line,
            column,
            user.in_file,
            edit.origin.actor if edit else None,
            edit.at if edit else None,
            (self._roster.sheet_row(line) if line else 0) or UNSET,
        )

    def _place(self, user: EditedUser) -> tuple[int | None, int | None]:
        if user.at is not None:
            member = self._group.members[user.at]
            return member.line, member.column
        for problem in self._roster.problems() if user.in_file else ():
            number = self._group.number
            if problem.value == user.in_file and number in problem.groups and self._plan.solves(problem, number):
                return problem.line, problem.column
        return None, None

    def _edit(self, email: str) -> Record | None:
        """Return the last edit that brought an address into the group."""
        number = self._group.number
        for record in reversed(self._edits):
            match record.event:
                case UserAdded(group, added) if (group, added) == (number, email):
                    return record
                case AddressCorrected(new=new, groups=groups) if new == email and number in groups:
                    return record
        return None
