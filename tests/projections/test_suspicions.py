"""What existing groups make suspicious about the names of a file's groups."""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import uuid4

import pytest

from application import grouping
from application.editing import rename_group
from application.roster_chunks import to_chunks
from application.rosters import StoredRoster
from domain.edits import Plan
from domain.files.roster_file import read_roster
from domain.roster import Roster
from projections.import_list import read as import_list
from projections.reports.preview import preview
from projections.reports.review_problems import count_problems, problems, problems_of_group
from projections.reports.suspicions import suspicions
from projections.review import read as review
from projections.review.read import GroupFilter
from tests.conftest import subscribed
from tests.histories import uploaded
from tests.projections.test_queries import caught_up

if TYPE_CHECKING:
    from collections.abc import Iterable
    from uuid import UUID

    from adapters.composition import Rollcall
    from application.records import Origin

pytestmark = pytest.mark.database

CONTENT = """\
Groupname,Email
7,ann@example.com
Sales; Support,ann@example.com
Équipe,ann@example.com
1-Mar,ann@example.com
"""


class Reviewed:
    """An import of `CONTENT` where some groups exist."""

    def __init__(self, rollcall: Rollcall, *existing: str) -> None:
        self.rollcall = rollcall
        self.origin = subscribed(rollcall, "ann@example.com")
        self.ids = {name: self.create(name) for name in existing}
        self.importing: Origin = uploaded(rollcall, self.origin, "groups.csv", CONTENT)
        caught_up(rollcall)

    def create(self, name: str) -> UUID:
        return grouping.create_group(self.rollcall, self.origin, uuid4(), name).id

    def found(self) -> list[tuple[str, str, int]]:
        """Return the problems that every query of the review tells alike."""
        caught_up(self.rollcall)
        import_id = self.importing.import_id
        assert import_id
        with self.rollcall.views() as cursor:
            row = import_list.find_import(cursor, import_id)
            assert row
            assert row.read
            roster = self.rollcall.rosters.open(row.subscription_id, row.read.roster)
            where = (cursor, row.subscription_id, row.id, roster)
            listed = problems(*where)
            paged: list[tuple[int, object]] = []
            while more := problems(*where, after=paged[-1][0] if paged else 0, limit=1):
                paged += more
            assert paged == listed
            assert count_problems(*where) == len(listed)
            groups = review.groups(*where)
            for group in groups:
                of_group = [each for each in listed if group.number in each[1].groups]
                assert problems_of_group(*where, group.number) == of_group
                assert group.problems == len(of_group)
            assert review.groups(*where, GroupFilter(only_problems=True)) == [each for each in groups if each.problems]
        return [(problem.code, problem.value, problem.line) for _, problem in listed]


SEVERAL, SEVEN, MARCH = (
    ("looks-like-several", "Sales; Support", 3),
    ("looks-changed", "7", 2),
    ("looks-changed", "1-Mar", 5),
)


def codes(found: Iterable[tuple[str, str, int]]) -> list[tuple[str, str, int]]:
    return sorted(found)


def test_a_name_that_differs_from_an_existing_one_as_spreadsheets_change_names_is_pointed_out(
    unattended: Rollcall,
) -> None:
    reviewed = Reviewed(unattended, "007", "Sales")
    assert codes(reviewed.found()) == codes([MARCH, SEVEN])


def test_a_name_that_lists_existing_groups_is_pointed_out(unattended: Rollcall) -> None:
    assert codes(Reviewed(unattended, "SALES", "Support").found()) == codes([MARCH, SEVERAL])


def test_a_group_that_exists_is_not(unattended: Rollcall) -> None:
    assert Reviewed(unattended, "007", "7", "Sales", "Support", "Sales; support").found() == [MARCH]


def test_what_is_suspicious_follows_the_existing_groups(unattended: Rollcall) -> None:
    reviewed = Reviewed(unattended, "007")
    assert SEVEN in reviewed.found()
    grouping.rename_group(unattended, reviewed.origin, reviewed.ids["007"], "Bond", None)
    assert SEVEN not in reviewed.found()
    again, _ = reviewed.create("0007"), reviewed.create("March 1")
    assert codes(reviewed.found()) == codes([MARCH, SEVEN, MARCH])
    grouping.delete_group(unattended, reviewed.origin, again, None)
    assert SEVEN not in reviewed.found()


def test_a_group_that_was_renamed_in_the_review_is_not(unattended: Rollcall) -> None:
    reviewed = Reviewed(unattended, "007")
    rename_group(unattended, reviewed.importing, 1, "Seven", None)
    assert reviewed.found() == [MARCH]


def test_another_subscription_s_groups_count_for_nothing(unattended: Rollcall) -> None:
    Reviewed(unattended, "007", "Sales", "Support")
    assert Reviewed(unattended).found() == [MARCH]


def test_a_dry_run_tells_the_same(unattended: Rollcall) -> None:
    reviewed = Reviewed(unattended, "007")
    read = read_roster(CONTENT.encode(), "groups.csv")
    assert isinstance(read, Roster)
    roster = StoredRoster(to_chunks(read).__getitem__)
    with unattended.views() as cursor:
        (found,) = suspicions(cursor, reviewed.origin.subscription_id, roster).values()
        groups = preview(cursor, reviewed.origin.subscription_id, roster, Plan("", len(roster)))
    assert found.message == (
        "“7” may once have been another name: there is a group “007”, and programs turn one into the other."
    )
    assert [group.problems for group in groups] == [1, 0, 0, 1]


def test_a_roster_stored_without_a_note_of_such_names_tells_the_same(
    unattended: Rollcall, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("application.roster_chunks.comparable", lambda _: None)
    assert codes(Reviewed(unattended, "007", "Sales", "Support").found()) == codes([MARCH, SEVEN, SEVERAL])
