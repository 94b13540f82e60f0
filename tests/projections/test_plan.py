"""The rows of a review and the plan in total say the same, whatever page of the review one looks at."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from application import planning
from application.importing import plan_at, stored_roster
from domain.plan import GroupTotals, MembershipTotals
from projections.directory import read as directory
from projections.import_list import read as import_list
from projections.reports import file_licences, plan_facts
from projections.reports.plan_facts import import_plan
from projections.reports.unlicensed import unlicensed_of
from projections.review import read as review
from projections.review.read import GroupFilter
from tests.conftest import advance_views, subscribed
from tests.contracts.test_plans import CHANGES, EDITS, FILES, NAMES, NEW, USERS, change, imported

if TYPE_CHECKING:
    from adapters.composition import Rollcall
    from application.planning import ImportPlan
    from application.records import Origin
    from projections.review.read import ReviewedGroup

pytestmark = pytest.mark.database


MANY_GROUPS = (
    ((directory, "KEYS_LOOKED_UP", 0), (plan_facts, "GROUPS_AT_ONCE", 1)),
    ((plan_facts, "USERS_READ", -1), (plan_facts, "TIMES_READ", 0)),
)
"""What makes a plan look up a few existing groups as it does many, or groups with many more users than the file has."""


def pages(rollcall: Rollcall, importing: Origin, size: int, wanted: GroupFilter) -> list[ReviewedGroup]:
    """Return all groups of a review, read in pages of this size."""
    assert importing.import_id
    found: list[ReviewedGroup] = []
    with rollcall.views() as cursor:
        row = import_list.find_import(cursor, importing.import_id)
        assert row
        assert row.read
        roster = rollcall.rosters.open(row.subscription_id, row.read.roster)
        where = (cursor, importing.subscription_id, importing.import_id, roster, wanted)
        while page := review.groups(*where, after=found[-1].number if found else 0, limit=size):
            found += page
    return found


def total(rows: list[ReviewedGroup]) -> tuple[GroupTotals, MembershipTotals]:
    memberships = [sum(getattr(row, name) for row in rows) for name in MembershipTotals.__struct_fields__]
    return GroupTotals(**Counter[str](row.outcome for row in rows)), MembershipTotals(*memberships)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(licensed=st.sets(st.sampled_from([*USERS, NEW])), before=CHANGES, groups=FILES, edits=EDITS)
def test_every_page_of_the_review_agrees_with_the_plan(
    unattended: Rollcall,
    licensed: set[str],
    before: list[tuple[str, str, Any]],
    groups: list[set[str]],
    edits: list[tuple[str, int, str]],
) -> None:
    origin = subscribed(unattended, *sorted(licensed))
    for each in before:
        change(unattended, origin, *each)
    importing = imported(unattended, origin, groups, edits)
    advance_views(unattended)
    assert importing.import_id
    version = unattended.events.versions([importing.import_id])[importing.import_id]
    plan = plan_at(unattended, importing.import_id, version)
    assert plan
    rows = pages(unattended, importing, len(NAMES), GroupFilter())
    for size in (1, 2):
        assert pages(unattended, importing, size, GroupFilter()) == rows
        assert pages(unattended, importing, size, GroupFilter(plan=plan)) == rows
    planned = unattended.plans.current(origin.subscription_id, plan)
    assert total(rows) == (planned.totals.groups, planned.totals.memberships)
    assert_unlicensed_are_those_left_out(unattended, importing, rows, planned)
    for ways in MANY_GROUPS:
        with pytest.MonkeyPatch.context() as patched, unattended.views() as cursor:
            for module, name, value in ways:
                patched.setattr(module, name, value)
            uncached = stored_roster(unattended, origin.subscription_id, plan.roster)
            assert import_plan(cursor, origin.subscription_id, uncached, plan) == planned, ways


def assert_unlicensed_are_those_left_out(
    rollcall: Rollcall, importing: Origin, rows: list[ReviewedGroup], planned: ImportPlan
) -> None:
    assert importing.import_id
    with rollcall.views() as cursor:
        row = import_list.find_import(cursor, importing.import_id)
        assert row
        assert row.read
        roster = rollcall.rosters.open(row.subscription_id, row.read.roster)
        unlicensed = unlicensed_of(cursor, row.subscription_id, row.id, roster)
        assert unlicensed.count == planned.totals.users.not_licensed
        page = unlicensed.page(limit=2)
        assert [user for user, _ in page + unlicensed.page(after=page[-1][0] + 1 if page else 0, limit=9)] == [
            *unlicensed.users()
        ]
        everybody = {user.email for user in unlicensed.chosen()}
        by_group = {each.number: unlicensed.chosen(group=each.number) for each in rows}
        assert {number: len(users) for number, users in by_group.items()} == {
            each.number: each.not_licensed for each in rows
        }
        assert everybody == {user.email for users in by_group.values() for user in users}
        problem = unlicensed.problem()
        assert (problem.count if problem else 0) == len(everybody)
        shown = {each.value for each in problem.examples} or {problem.value} if problem else set()
        assert shown == everybody


def test_a_plan_is_worked_out_once_until_the_subscription_changes(
    unattended: Rollcall, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Other subscriptions don't count, nor do other imports."""
    worked_out = list[int]()
    plan_import = planning.plan_import

    def counted(*args: Any, **options: Any) -> ImportPlan:
        worked_out.append(1)
        return plan_import(*args, **options)

    monkeypatch.setattr(plan_facts, "plan_import", counted)
    origin = subscribed(unattended, *USERS)
    importing = imported(unattended, origin, [{USERS[0]}], [])
    advance_views(unattended)
    assert importing.import_id
    plan = plan_at(unattended, importing.import_id, 2)
    assert plan

    def look() -> int:
        advance_views(unattended)
        unattended.plans.current(origin.subscription_id, plan)
        return len(worked_out)

    assert [look(), look()] == [1, 1]
    change(unattended, subscribed(unattended, *USERS), "create", "Sales", {USERS[0]})
    imported(unattended, origin, [{USERS[1]}], [])
    assert look() == 1
    change(unattended, origin, "revoke", USERS[4], "")
    assert look() == 2


def test_a_change_in_the_middle_of_working_out_a_plan_is_noticed(
    unattended: Rollcall, monkeypatch: pytest.MonkeyPatch
) -> None:
    origin = subscribed(unattended, *USERS)
    importing = imported(unattended, origin, [{USERS[0]}], [])
    advance_views(unattended)
    unlicensed_users = file_licences.unlicensed_users

    def revoked_meanwhile(*args: Any) -> Any:
        found = unlicensed_users(*args)
        monkeypatch.undo()
        change(unattended, origin, "revoke", USERS[0], "")
        advance_views(unattended)
        return found

    monkeypatch.setattr(plan_facts, "unlicensed_users", revoked_meanwhile)
    assert importing.import_id
    plan = plan_at(unattended, importing.import_id, 2)
    assert plan
    with unattended.views() as cursor:
        roster = unattended.rosters.open(origin.subscription_id, plan.roster)
        found = import_plan(cursor, origin.subscription_id, roster, plan)
    assert (found.totals.groups.creates, found.totals.groups.nobody_to_add) == (0, 1)
