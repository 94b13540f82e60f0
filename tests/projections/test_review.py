"""Every query of the review says the same about each group."""

from __future__ import annotations

from functools import partial
from itertools import product
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest

from application.editing import leave_group_out, remove_user, rename_group, take_group_in
from application.grouping import create_group
from application.importing import plan_at
from application.licensing import allocate_licences
from application.rosters import Rosters
from domain.edits import Plan
from domain.naming import group_key
from domain.subscription import LicencesRevoked, User
from projections.directory import read as directory
from projections.import_list import read as import_list
from projections.reports import file_licences
from projections.reports.plan_facts import import_plan
from projections.review import read as review
from projections.review.read import NO_FILTER, GroupFilter
from projections.then import CursorThen
from tests.conftest import advance_views, subscribed
from tests.histories import in_one_append, uploaded
from tests.projections.test_queries import caught_up

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from uuid import UUID

    from adapters.composition import Rollcall
    from application.records import Origin
    from application.rosters import StoredRoster
    from domain.plan import PlanTotals
    from projections.view import ViewCursor

pytestmark = pytest.mark.database

GROUPS = 40
LICENSED = [f"user{number}@example.com" for number in range(GROUPS) if number % 3]


def file() -> str:
    """Return groups of two users each; every fifth has an unusable address, every third a user without a licence."""
    rows = (
        f"Team {number},user{number}@example.com,{'nobody' if number % 5 == 4 else f'user{number + 1}@example.com'}"
        for number in range(GROUPS)
    )
    return "\n".join(("Groupname,Email,Email", *rows))


class ReviewedImport:
    def __init__(self, rollcall: Rollcall) -> None:
        self.rollcall = rollcall
        self.origin = subscribed(rollcall, *LICENSED)
        self.importing: Origin = uploaded(rollcall, self.origin, "teams.csv", file())
        caught_up(rollcall)

    def groups(self, wanted: GroupFilter = NO_FILTER, *, after: int = 0, limit: int = GROUPS) -> list[int]:
        return [group.number for group in self.rows(wanted, after=after, limit=limit)]

    def rows(self, wanted: GroupFilter, *, after: int = 0, limit: int = GROUPS) -> list[review.ReviewedGroup]:
        origin = self.importing
        assert origin.import_id
        with self.rollcall.views() as cursor:
            roster = self.roster()
            return review.groups(
                cursor, origin.subscription_id, origin.import_id, roster, wanted, after=after, limit=limit
            )

    def roster(self, rosters: Rosters | None = None) -> StoredRoster:
        with self.rollcall.views() as cursor:
            row = import_list.find_import(cursor, self.importing.import_id) if self.importing.import_id else None
        assert row
        assert row.read
        return (rosters or self.rollcall.rosters).open(row.subscription_id, row.read.roster)


@pytest.fixture
def reviewed(unattended: Rollcall) -> ReviewedImport:
    return ReviewedImport(unattended)


def test_every_filter_and_page_agrees_with_the_full_list(reviewed: ReviewedImport) -> None:
    ports, origin = reviewed.rollcall, reviewed.importing
    assert origin.import_id
    for number, name in ((2, "Crew 1"), (7, "crew 12"), (7, "Team 2")):
        rename_group(ports, origin, number, name, None)
    for number in (1, 4, 10):  # each the only user of the group without a licence
        remove_user(ports, origin, number, f"user{number - 1}@example.com", None)
    caught_up(reviewed.rollcall)
    plans = [None, plan_at(ports, origin.import_id, 2), plan_at(ports, origin.import_id, 5)]
    for search, plan in product(("", "2", "team 1", "CREW", "none of them"), plans):
        everything = [row for row in reviewed.rows(GroupFilter(plan=plan)) if group_key(search) in group_key(row.name)]
        with_problems = [row for row in everything if row.problems or row.not_licensed]
        for after, limit in ((0, GROUPS), (0, 3), (11, 1), (38, 5), (GROUPS, 5), (2**62, 5)):
            asked = f"{search!r} {after} {limit}"
            rows = reviewed.rows(GroupFilter(search, plan=plan), after=after, limit=limit)
            assert rows == [row for row in everything if row.number > after][:limit], asked
            rows = reviewed.rows(GroupFilter(search, only_problems=True, plan=plan), after=after, limit=limit)
            assert rows == [row for row in with_problems if row.number > after][:limit], asked


def test_remembered_licences_are_looked_up_again_when_they_change(reviewed: ReviewedImport) -> None:
    """Changes by other processes count, too, because the view's position decides."""
    origin, wanted = reviewed.origin, GroupFilter(only_problems=True)
    before = reviewed.groups(wanted)
    assert reviewed.groups(wanted) == before
    assert 2 not in before
    in_one_append(reviewed.rollcall, origin, (origin.subscription_id, LicencesRevoked(("user2@example.com",))))
    assert reviewed.groups(wanted) == before, "the view has not caught up yet"
    caught_up(reviewed.rollcall)
    assert reviewed.groups(wanted) == sorted([*before, 2])
    unlicensed = [row.not_licensed for row in reviewed.rows(NO_FILTER, limit=3)]
    assert unlicensed == [1, 1, 2]
    allocate_licences(reviewed.rollcall, origin, [User(f"user{number}@example.com") for number in (0, 3)])
    caught_up(reviewed.rollcall)
    assert reviewed.groups(wanted, limit=3) == [2, 3, 5]


def test_a_repeated_page_reads_no_chunk_and_looks_up_no_licence(
    reviewed: ReviewedImport, monkeypatch: pytest.MonkeyPatch
) -> None:
    pages = [reviewed.rows(GroupFilter(only_problems=only), limit=7) for only in (False, True)]

    def asked(*_: object) -> None:
        pytest.fail("it was looked up again")

    monkeypatch.setattr(reviewed.rollcall.blobs, "chunk", asked)
    monkeypatch.setattr("projections.directory.read.unlicensed_emails", asked)
    monkeypatch.setattr("projections.directory.read.group_ids_by_key", asked)
    assert [reviewed.rows(GroupFilter(only_problems=only), limit=7) for only in (False, True)] == pages


def test_a_remembered_page_shows_each_edit_as_soon_as_the_review_does(reviewed: ReviewedImport) -> None:
    """Here the directory comes first, so it is the same before and after the review has caught up."""
    ports, importing = reviewed.rollcall, reviewed.importing
    others = [each.view.name for each in ports.projectors if each.view.name != "review"]
    edits: list[Callable[[], object]] = [
        partial(leave_group_out, ports, importing, 2, None),
        partial(remove_user, ports, importing, 3, "user2@example.com", None),
        partial(take_group_in, ports, importing, 2, None),
        partial(rename_group, ports, importing, 4, "Crew", None),
        partial(leave_group_out, ports, importing, 4, None),
    ]
    for edit in edits:
        before = reviewed.rows(NO_FILTER, limit=7)
        edit()
        advance_views(ports, *others)
        assert reviewed.rows(NO_FILTER, limit=7) == before
        advance_views(ports)
        after = reviewed.rows(NO_FILTER, limit=7)
        assert sum(one != other for one, other in zip(before, after, strict=True)) == 1


def test_what_is_remembered_of_a_damaged_directory_is_looked_up_again_once_it_is_rebuilt(
    reviewed: ReviewedImport,
) -> None:
    """The directory has the same bookmark before and after."""
    ports, origin = reviewed.rollcall, reviewed.origin
    create_group(ports, origin, uuid4(), "Team 3")
    caught_up(ports)
    (projector,) = (each for each in ports.projectors if each.view.name == directory.NAME)

    def shown() -> tuple[list[int], list[int], int, int]:
        """Return the groups that exist, those with problems, and how many users without a licence by page and file."""
        rows, problems = reviewed.rows(NO_FILTER), reviewed.groups(GroupFilter(only_problems=True))
        with ports.views() as cursor:
            unlicensed = file_licences.unlicensed_users(cursor, origin.subscription_id, reviewed.roster()).count
        existing = [row.number for row in rows if row.status == "existing"]
        return existing, problems, sum(row.not_licensed for row in rows), unlicensed

    with ports.datastore.one_connection():
        right = shown()
        create_group(ports, origin, uuid4(), "Team 30")
        caught_up(ports)
        with ports.views() as cursor:
            cursor.execute("DELETE FROM directory_licences")
            cursor.execute("DELETE FROM directory_groups")
        bookmark = projector.bookmark()
        damaged = [shown() for _ in range(10)]  # by then, the statements are prepared
        assert damaged[-1] == ([], [*range(1, GROUPS + 1)], 2 * GROUPS - GROUPS // 5, GROUPS)
        projector.rebuild()
        assert projector.bookmark() == bookmark
        assert shown() == ([4, 31], *right[1:])


def test_what_is_remembered_of_a_directory_that_was_changing_is_not_what_was_before(
    reviewed: ReviewedImport, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A look-up that is overtaken finds what is newer than the change under which it is remembered."""
    ports, origin = reviewed.rollcall, reviewed.origin
    look_up = directory.unlicensed_emails

    def overtaken(*asked: Any) -> set[str]:
        monkeypatch.setattr(directory, "unlicensed_emails", look_up)
        in_one_append(ports, origin, (origin.subscription_id, LicencesRevoked(tuple(LICENSED))))
        create_group(ports, origin, uuid4(), "Team 1")
        caught_up(ports)
        return look_up(*asked)

    def found(cursor: ViewCursor, rosters: Rosters) -> tuple[int, PlanTotals]:
        roster = reviewed.roster(rosters)
        planned = import_plan(cursor, origin.subscription_id, roster, Plan("", GROUPS))
        return file_licences.unlicensed_users(cursor, origin.subscription_id, roster).count, planned.totals

    with ports.views() as cursor:
        (position,) = {each.position() for each in ports.projectors if each.view.name == directory.NAME}
        before = found(cursor, Rosters(ports.blobs))
        monkeypatch.setattr(directory, "unlicensed_emails", overtaken)
        now = found(cursor, ports.rosters)
        assert now[0] == GROUPS != before[0]
        assert found(CursorThen(cursor.connection, position), ports.rosters) == before
        assert found(cursor, ports.rosters) == now


def test_the_unlicensed_users_of_a_file_are_found(reviewed: ReviewedImport) -> None:
    subscription = reviewed.origin.subscription_id
    with reviewed.rollcall.views() as cursor:
        found = file_licences.unlicensed_users(cursor, subscription, reviewed.roster())
    unlicensed = {f"user{number}@example.com" for number in range(0, GROUPS, 3)}
    emails = [email for some in reviewed.roster().emails() for email in some]
    assert {email for email, mark in zip(emails, found.marks, strict=True) if mark} == unlicensed
    assert found.count == len(unlicensed)


def test_no_more_than_some_thousand_users_without_a_licence_are_held_at_once(
    unattended: Rollcall, monkeypatch: pytest.MonkeyPatch
) -> None:
    origin = subscribed(unattended, "ann@example.com")
    users = ",".join(f"user{number}@example.com" for number in range(9_999))
    header = ",".join(["Groupname", *["Email"] * 9_999])
    importing = uploaded(unattended, origin, "large.csv", f"{header}\nLarge,{users}\nSmall,ann@example.com\n")
    remove_user(unattended, importing, 1, "user7@example.com", None)
    caught_up(unattended)
    found, look_up = list[int](), directory.unlicensed_emails

    def counted(cursor: ViewCursor, subscription_id: UUID, emails: Iterable[str]) -> set[str]:
        found.append(len(some := look_up(cursor, subscription_id, emails)))
        return some

    monkeypatch.setattr("projections.directory.read.unlicensed_emails", counted)
    assert importing.import_id
    with unattended.views() as cursor:
        row = import_list.find_import(cursor, importing.import_id)
        assert row
        assert row.read
        roster = unattended.rosters.open(row.subscription_id, row.read.roster)
        where = (cursor, row.subscription_id, row.id, roster)
        (large,) = review.groups(*where, GroupFilter(only_problems=True))
        assert review.groups(*where) == [
            large,
            review.ReviewedGroup(2, "Small", "Small", "new", 1, 0, "creates", to_add=1),
        ]
    assert (large.name, large.users, large.not_licensed) == ("Large", 9_998, 9_998)
    assert max(found) <= 5_000
