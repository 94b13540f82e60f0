"""The users of a group under review, put together from the stored roster, the review and the directory."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, TypeAlias

from msgspec import UNSET, Struct, UnsetType

from domain.edits import NOBODY
from domain.naming import group_key
from projections.directory import read as directory
from projections.reports.file_licences import licensed_twins
from projections.reports.review_edits import edits_of
from projections.review.read import groups_before

if TYPE_CHECKING:
    from uuid import UUID

    from application.rosters import StoredRoster
    from projections.view import ViewCursor

UserStatus: TypeAlias = Literal["to_add", "already_in_group", "not_licensed", "removed"]


class ReviewedUser(Struct, frozen=True):
    """A user of a group as they would be added, with their place in the file: None for one whom the review added.

    `in_file` is what the file says in place of an address that was corrected; where that is no address, there is no
    place either. `licensed_as` is the address that is probably meant if this one has no licence: it has one, and
    differs in its apostrophe only. `row` is the row as a spreadsheet counts it, unless that is the line.
    """

    email: str
    first_name: str
    last_name: str
    status: UserStatus
    line: int | None
    column: int | None
    licensed_as: str = ""
    in_file: str = ""
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
    group, plan = roster.group(number), edits_of(cursor, import_id, [number])
    key = group_key(plan.name(group))
    users = plan.members(group)[after : after + limit if limit is not None else None]
    emails = [user.email for user in users]
    removed = plan.removed.get(number, NOBODY)
    unlicensed = directory.unlicensed_emails(cursor, subscription_id, emails)
    existing = directory.group_ids_by_key(cursor, subscription_id, [key])
    already_in_group = directory.members_among(cursor, subscription_id, existing.values(), emails)
    already_in_group |= _added_before(cursor, import_id, roster, number, key)

    def status(email: str) -> UserStatus:
        if email in removed:
            return "removed"
        if email in unlicensed:
            return "not_licensed"
        return "already_in_group" if email in already_in_group else "to_add"

    licensed_as = licensed_twins(cursor, subscription_id, unlicensed)
    places = [None if user.at is None else group.members[user.at] for user in users]
    in_file = [place.user for place in places if place]
    names = dict(zip(in_file, roster.names(in_file), strict=True))
    return [
        ReviewedUser(
            user.email,
            *(names[place.user] if place else ("", "")),
            status(user.email),
            place.line if place else None,
            place.column if place else None,
            licensed_as.get(user.email, ""),
            user.in_file,
            (place and roster.sheet_row(place.line)) or UNSET,
        )
        for user, place in zip(users, places, strict=True)
    ]


def _added_before(cursor: ViewCursor, import_id: UUID, roster: StoredRoster, number: int, key: str) -> set[str]:
    """Return the users of the groups of the file that come before one and that it joins: they are there already."""
    before = groups_before(cursor, import_id, roster, number, key)
    plan = edits_of(cursor, import_id, before)
    return {email for each in before for email in plan.users(roster.group(each))}
