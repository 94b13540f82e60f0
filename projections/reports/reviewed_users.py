"""The users of a group under review, put together from the stored roster, the review and the directory."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, TypeAlias

from msgspec import UNSET, Struct, UnsetType

from domain.naming import group_key
from projections.directory import read as directory
from projections.reports.file_licences import licensed_twins
from projections.review import read as review

if TYPE_CHECKING:
    from collections.abc import Sequence
    from uuid import UUID

    from application.rosters import StoredRoster
    from projections.view import ViewCursor

UserStatus: TypeAlias = Literal["to_add", "already_in_group", "not_licensed", "removed"]


class ReviewedUser(Struct, frozen=True):
    """A user of a group as they would be added, with their place in the file.

    `licensed_as` is the address that is probably meant if this one has no licence: it has one, and differs in its
    apostrophe only. `row` is the row as a spreadsheet counts it, unless that is the line.
    """

    email: str
    first_name: str
    last_name: str
    status: UserStatus
    line: int
    column: int
    licensed_as: str = ""
    row: int | UnsetType = UNSET


def reviewed_users(
    cursor: ViewCursor,
    subscription_id: UUID,
    import_id: UUID,
    roster: StoredRoster,
    number: int,
    *,
    after: int = 0,
    limit: int | None = None,
) -> list[ReviewedUser]:
    """Return a page of the users of a group of an import, in the order of the file, without the first `after` users.

    Raises NotFound.
    """
    members = roster.group(number).members[after : after + limit if limit is not None else None]
    emails = [member.email for member in members]
    removed = {email for _, email in review.removals(cursor, import_id, [number])}
    unlicensed = directory.unlicensed_emails(cursor, subscription_id, emails)
    already_in_group = _already_in_group(cursor, subscription_id, import_id, roster, number, emails)

    def status(email: str) -> UserStatus:
        if email in removed:
            return "removed"
        if email in unlicensed:
            return "not_licensed"
        return "already_in_group" if email in already_in_group else "to_add"

    licensed_as = licensed_twins(cursor, subscription_id, unlicensed)
    names = roster.names(member.user for member in members)
    return [
        ReviewedUser(
            m.email,
            first_name,
            last_name,
            status(m.email),
            m.line,
            m.column,
            licensed_as.get(m.email, ""),
            roster.sheet_row(m.line) or UNSET,
        )
        for m, (first_name, last_name) in zip(members, names, strict=True)
    ]


def _already_in_group(
    cursor: ViewCursor, subscription_id: UUID, import_id: UUID, roster: StoredRoster, number: int, emails: Sequence[str]
) -> set[str]:
    new_names = review.new_names(cursor, import_id, range(number, number + 1))
    name = new_names.get(number) or roster.group_name(number)
    existing = directory.group_ids_by_key(cursor, subscription_id, [group_key(name)])
    return directory.members_among(cursor, subscription_id, existing.values(), emails)
