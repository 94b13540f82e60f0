"""What happens to some groups of a file, such as a page of the review: their share of the plan, without the rest."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from functools import partial
from itertools import islice
from typing import TYPE_CHECKING, NamedTuple, TypeVar
from uuid import UUID

from msgspec import Struct

from domain.plan import ExistingGroup, Facts, FileGroup, Outcome, plan_groups
from projections.directory import read as directory

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from application.rosters import StoredRoster
    from projections.view import ViewCursor

T = TypeVar("T")

EMAILS_AT_ONCE = 5_000
BYTES_OF_AN_OUTCOME = 200


class EditedGroup(Struct, frozen=True):
    """A group of the file with the edits made to it, the key of its name, and the id of the group that has the name.

    `addresses` are those of its users after corrections and additions, those included who were removed; None if they
    are as in the file.
    """

    number: int
    name: str
    name_in_file: str
    key: str
    existing: UUID | None
    users: int
    problems: int
    removed: Collection[str] = ()
    left_out: bool = False
    addresses: tuple[str, ...] | None = None


class GroupOutcome(NamedTuple):
    """What happens to a group (see `domain.plan`), the group of the file that it joins, and what to its users."""

    outcome: Outcome
    joins: int | None
    to_add: int
    already_there: int
    not_licensed: int
    removed: int


def outcomes(
    cursor: ViewCursor,
    subscription_id: UUID,
    roster: StoredRoster,
    groups: Iterable[EditedGroup],
    known: directory.Mark,
) -> dict[int, GroupOutcome]:
    """Return what happens to these groups by number, at a mark of the directory.

    Of groups with the same name, all that come before the last must be among them.
    """
    given = tuple(sorted(groups, key=lambda each: each.number))
    edits = tuple(
        (each.number, each.key, each.existing, each.left_out, frozenset(each.removed), each.addresses) for each in given
    )
    look_up = partial(_outcomes, cursor, subscription_id, roster, given)
    return roster.cached(("outcomes", known, edits), look_up)


def _outcomes(
    cursor: ViewCursor, subscription_id: UUID, roster: StoredRoster, groups: Sequence[EditedGroup]
) -> tuple[dict[int, GroupOutcome], int]:
    index: dict[str, int] = {}
    emails = {each.number: _addresses(roster, each) for each in groups}
    users = {number: [index.setdefault(email, len(index)) for email in some] for number, some in emails.items()}
    to_decide = [(each, emails[each.number]) for each in groups if not each.left_out]
    facts = _facts(cursor, subscription_id, to_decide, index)
    keys = Counter(each.key for each in groups)
    planned = plan_groups(
        (
            FileGroup(
                each.number,
                each.key,
                users[each.number],
                frozenset(index[email] for email in each.removed if email in index),
                each.left_out,
            )
            for each in groups
        ),
        {key for key, count in keys.items() if count > 1},
        facts,
    )
    found = {
        number: GroupOutcome(
            what, joins or None, *map(len, (users.to_add, users.already_there, users.not_licensed, users.removed))
        )
        for number, what, joins, _, users in planned
    }
    return found, BYTES_OF_AN_OUTCOME * len(found)


def _addresses(roster: StoredRoster, group: EditedGroup) -> Sequence[str]:
    if group.addresses is not None:
        return group.addresses
    return [member.email for member in roster.group(group.number).members]


def _facts(
    cursor: ViewCursor,
    subscription_id: UUID,
    groups: Sequence[tuple[EditedGroup, Sequence[str]]],
    index: Mapping[str, int],
) -> Facts:
    members = {each.key: set[int]() for each, _ in groups}
    unlicensed = set[int]()
    everybody = ((each, email) for each, emails in groups for email in emails)
    for some in _portions(everybody, EMAILS_AT_ONCE):
        emails = {email for _, email in some}
        unlicensed.update(map(index.__getitem__, directory.unlicensed_emails(cursor, subscription_id, emails)))
        ids = {each.existing for each, _ in some if each.existing}
        there = directory.memberships_among(cursor, subscription_id, ids, emails) if ids else set[tuple[UUID, str]]()
        for each, email in some:
            if (each.existing, email) in there:
                members[each.key].add(index[email])
    existing = {each.key: ExistingGroup(each.existing, members[each.key]) for each, _ in groups if each.existing}
    return Facts(unlicensed.intersection, existing)


def _portions(items: Iterable[T], size: int) -> Iterator[list[T]]:
    rest = iter(items)
    while some := list(islice(rest, size)):
        yield some
