"""A search for a person finds the groups that will have them, as the review was edited."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.memory.ports import memory_ports
from application.editing import Add, Correct, Remove, Restore, edit
from application.importing import plan_at, stored_roster, upload
from domain.errors import Refused
from domain.roster import Limits
from projections.reports.review_filters import groups_of_people
from tests.conftest import importing_as, subscribed

if TYPE_CHECKING:
    from application.editing import AskedEdit
    from application.rosters import StoredRoster
    from domain.edits import Plan

ANN, BEN, CEM, DAN, BROKEN = "ann@example.com", "ben@example.com", "cem@example.com", "dan@example.com", "cem(at)home"
FILE = f"""\
email,FirstName,LastName,Groupname,Groupname
{ANN},Ann,Lee,Sales,Support
{BEN},Benjamin,Low,Sales,
{CEM},,,Support,
"""
GROUPS = f"Groupname,Email,Email\nSales,{ANN},{BROKEN}\nSupport,{BEN},{CEM}\n"
SEARCHES = [ANN, BEN, CEM, DAN, "ann lee", "BENJAMIN", "low", "example", "nobody"]
NUMBERS, PEOPLE = st.integers(1, 2), st.sampled_from([ANN, BEN, CEM, DAN])
EDITS = st.one_of(
    st.builds(Remove, NUMBERS, PEOPLE),
    st.builds(Restore, NUMBERS, PEOPLE),
    st.builds(Add, NUMBERS, PEOPLE),
    st.builds(Correct, st.sampled_from([ANN, BEN, CEM, BROKEN]), PEOPLE, st.one_of(st.none(), NUMBERS)),
)


def reviewed(content: str, *edits: AskedEdit) -> tuple[StoredRoster, Plan]:
    """Return the roster of an uploaded file, and the plan after these edits, as far as they are possible."""
    ports = memory_ports()
    importing = importing_as(subscribed(ports))
    assert importing.import_id
    upload(ports, importing, "file.csv", "text/csv", content.encode(), Limits())
    for each in edits:
        with suppress(Refused):
            edit(ports, importing, [each], None)
    version = ports.events.versions([importing.import_id])[importing.import_id]
    plan = plan_at(ports, importing.import_id, version)
    assert plan
    return stored_roster(ports, importing.subscription_id, plan.roster), plan


def found_one_by_one(roster: StoredRoster, plan: Plan, search: str) -> list[int]:
    """Return what should be found, by looking at each user of each group."""
    wanted, found = search.lower(), []
    for group in roster.groups():
        names = {each.email: " ".join(roster.names([each.user])[0]).lower() for each in group.members}
        for user in plan.members(group):
            in_file = "" if user.at is None else names[user.in_file or user.email]
            if user.email not in plan.removed.get(group.number, ()) and (wanted in user.email or wanted in in_file):
                found.append(group.number)
                break
    return found


@settings(max_examples=300)
@given(st.sampled_from([FILE, GROUPS]), st.lists(EDITS, max_size=6))
def test_whoever_will_be_in_a_group_is_found_and_nobody_else(content: str, edits: list[AskedEdit]) -> None:
    roster, plan = reviewed(content, *edits)
    for search in SEARCHES:
        assert list(groups_of_people(roster, plan, search)) == found_one_by_one(roster, plan, search), search


@pytest.mark.parametrize(
    ("edits", "search", "groups"),
    [
        ([Remove(1, ANN)], "ann", [2]),
        ([Remove(1, ANN), Remove(2, ANN)], "lee", []),
        ([Remove(1, ANN), Restore(1, ANN)], "ann", [1, 2]),
        ([Correct(ANN, DAN)], "ann@", []),
        ([Correct(ANN, DAN)], "ann lee", [1, 2]),
        ([Correct(ANN, DAN), Remove(2, DAN)], "dan", [1]),
        ([Correct(ANN, DAN), Remove(2, DAN)], "lee", [1]),
        ([Add(1, CEM)], "cem", [1, 2]),
    ],
)
def test_edits_are_followed(edits: list[AskedEdit], search: str, groups: list[int]) -> None:
    assert list(groups_of_people(*reviewed(FILE, *edits), search)) == groups
