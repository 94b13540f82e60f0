"""Every membership names the cell of the file that it came from, or the person who added it."""

from __future__ import annotations

import csv
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid4

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from application.editing import Add, Correct, Rename, edit
from application.grouping import add_users, create_group, remove_users
from application.importing import upload
from application.records import Actor, Origin
from domain.errors import NothingToAdd
from domain.roster import Limits
from projections.directory import read as directory
from projections.reports.provenance import FileSource, Provenance, provenance
from tests.conftest import ANN, advance_views, importing_as, subscribed
from tests.contracts.test_plans import CHANGES, EDITS, FILES, NEW, USERS, change, imported
from tests.histories import existing_group, run_commit

if TYPE_CHECKING:
    from adapters.composition import Rollcall

pytestmark = pytest.mark.database

BEA = Actor("administrator", "bea", "Bea")


def memberships(rollcall: Rollcall, origin: Origin) -> dict[tuple[str, str], Provenance]:
    """Return where each membership comes from, by the names of groups and the addresses of users."""
    found: dict[tuple[str, str], Provenance] = {}
    with rollcall.views() as cursor:
        for group in directory.groups(cursor, origin.subscription_id):
            users = directory.users_of_group(cursor, origin.subscription_id, group.id)
            joined = {(group.id, user.email): user.since for user in users}
            told = provenance(cursor, origin.subscription_id, rollcall.rosters, joined)
            found |= {(group.name, email): each for (_, email), each in told.items()}
    return found


def by(origin: Origin, actor: Actor) -> Origin:
    return Origin(origin.subscription_id, actor, "test", origin.import_id)


def test_a_membership_names_the_cell_or_the_person(unattended: Rollcall) -> None:
    ann, ben, cem, dan, eve = (f"{name}@example.com" for name in ("ann", "ben", "cem", "dan", "eve"))
    origin = subscribed(unattended, ann, ben, cem, dan, eve)
    existing = uuid4()
    create_group(unattended, by(origin, BEA), existing, "Sales", [ann])
    importing = importing_as(origin)
    file = f"Groupname,Email,Email,Email\n\n\nsales,{ann},{ben},cem@@example.com\nAsia,x@example.com,,\n"
    upload(unattended, importing, "wrong.csv", "text/csv", file.encode(), Limits())
    edit(unattended, by(importing, BEA), [Correct("cem@@example.com", cem), Correct("x@example.com", dan)], None)
    edit(unattended, importing, [Add(2, eve), Rename(2, "Oceania")], None)
    run_commit(unattended, importing)
    add_users(unattended, by(origin, BEA), existing_group(unattended, origin, "Oceania"), [ann])
    advance_views(unattended)
    found = memberships(unattended, origin)
    assert importing.import_id

    def source(email: str, group: str) -> Any:
        each = found[group, email].source
        return each and (each.group, each.line, each.column, each.in_file, each.edited_by)

    assert {each.source.import_id for each in found.values() if each.source} == {importing.import_id}
    assert source(ann, "Sales") is None
    assert found["Sales", ann].actor == BEA
    assert source(ben, "Sales") == (1, 4, 3, "", None)
    assert found["Sales", ben].actor == ANN
    assert source(cem, "Sales") == (1, 4, 4, "cem@@example.com", BEA)
    assert source(dan, "Oceania") == (2, 5, 2, "x@example.com", BEA)
    assert source(eve, "Oceania") == (2, None, None, "", ANN)
    assert source(ann, "Oceania") is None
    texts = {email: found["Oceania", email].text for email in (ann, dan, eve)}
    assert texts == {
        ann: "by hand",
        dan: "wrong.csv, line 5, column 2, corrected from “x@example.com” by Bea",
        eve: "wrong.csv, added in the review by Ann",
    }

    remove_users(unattended, origin, existing, [ben])
    add_users(unattended, by(origin, BEA), existing, [ben])
    advance_views(unattended)
    assert memberships(unattended, origin)["Sales", ben].text == "by hand", "what counts is the last time"


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(licensed=st.sets(st.sampled_from([*USERS, NEW])), before=CHANGES, groups=FILES, edits=EDITS)
def test_the_cell_holds_the_address_or_what_was_corrected(
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
    by_hand = set(memberships(unattended, origin))
    try:
        run_commit(unattended, importing)
    except NothingToAdd:
        return
    advance_views(unattended)
    assert importing.import_id
    cells = list(csv.reader(file_of(unattended, importing.subscription_id, importing.import_id).splitlines()))
    for (name, email), found in memberships(unattended, origin).items():
        if (source := found.source) is None:
            assert (name, email) in by_hand
        elif source.line and source.column:
            assert cells[source.line - 1][source.column - 1] == (source.in_file or email)
            assert bool(source.in_file) == bool(source.edited_by)
        else:
            assert source.edited_by, "added in the review"
            assert email not in cells[source.group or 0]


def file_of(rollcall: Rollcall, subscription_id: UUID, import_id: UUID) -> str:
    for record in rollcall.events.history(import_id, limit=1):
        digest = getattr(record.event, "sha256", "")
        return rollcall.blobs.chunk(subscription_id, "file", digest, 0).decode()
    raise AssertionError


def test_a_source_says_where_it_is() -> None:
    assert FileSource(UUID(int=1), "a.csv", 1, 1_234, 2, row=1_200).place == "line 1,234 (row 1,200), column 2"
    assert FileSource(UUID(int=1), "a.csv", 1).place == ""
