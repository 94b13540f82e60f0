"""What is exported is everything, and a groups export that is imported again changes nothing."""

from __future__ import annotations

import csv
import io
from contextlib import suppress
from typing import TYPE_CHECKING, get_args
from uuid import uuid4

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from msgspec import json

from adapters.exports import ExportKind, ExportName, export, export_users, width_of_rows
from application.grouping import create_group
from application.importing import plan_at, upload
from application.licensing import allocate_licences, create_subscription
from application.records import Origin
from domain.errors import Refused
from domain.files.roster_file import read_roster
from domain.naming import group_key, parse_group_name
from domain.plan import GroupTotals
from domain.roster import Limits, Roster
from domain.subscription import User
from projections.directory import read as directory
from projections.reports import exports
from tests.conftest import ANN, advance_views, importing_as

if TYPE_CHECKING:
    from collections.abc import Iterable

    from adapters.composition import Rollcall

pytestmark = pytest.mark.database

USERS = [
    User("ann@example.com", "Ann", "Lee"),
    User("+ben@example.com", "=Ben()", 'O"Neil; =1'),
    User("o'hara@example.com", "NA", ""),
    User("'-dee@example.com"),
    User("zoe@münchen.de", "Zoë", "Smith, Jr."),
]
CHARACTERS = st.one_of(st.sampled_from("=+-@＝'\",;|\\ aA1é\u200b"), st.characters(exclude_categories=("Cc", "Cs")))
FORMATS: tuple[ExportName, ...] = ("groups-user-based", "groups-group-based")


def is_name(text: str) -> bool:
    with suppress(Refused):
        return bool(parse_group_name(text))
    return False


NAMES = st.text(CHARACTERS, min_size=1, max_size=12).filter(is_name)
GROUPS = st.lists(
    st.tuples(NAMES, st.sets(st.sampled_from(range(len(USERS))))), max_size=6, unique_by=lambda g: group_key(g[0])
)


def subscription(rollcall: Rollcall, groups: Iterable[tuple[str, set[int]]]) -> tuple[Origin, dict[str, set[str]]]:
    """Return a subscription with these groups, and the groups as they are kept, with the addresses in them."""
    origin = Origin(uuid4(), ANN, "test")
    create_subscription(rollcall, origin, "Contoso", 100)
    allocate_licences(rollcall, origin, USERS)
    made = {parse_group_name(name): {USERS[each].email for each in users} for name, users in groups}
    for name, emails in made.items():
        create_group(rollcall, origin, uuid4(), name, sorted(emails))
    advance_views(rollcall)
    return origin, made


def written(rollcall: Rollcall, origin: Origin, name: ExportName, kind: ExportKind = "csv") -> bytes:
    return b"".join(export(rollcall.views, origin.subscription_id, name, kind))


def groups_of(roster: Roster) -> dict[str, set[str]]:
    return {
        group.name: {member.email for member in group.members}
        for group in map(roster.group, range(1, len(roster.entries) + 1))
    }


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(groups=GROUPS)
@example(groups=[("=1+1", {0}), ("'=1+1", {1}), ('"@a";=b', {0, 1, 2, 3, 4}), ("Groupname", {0}), ("007", set())])
def test_a_groups_export_that_is_imported_again_changes_nothing(
    unattended: Rollcall, monkeypatch: pytest.MonkeyPatch, groups: list[tuple[str, set[int]]]
) -> None:
    """In any name, whatever a spreadsheet would make of it; and imported elsewhere it makes the same groups."""
    for limit, value in (("WIDEST", 2), ("ROWS_AT_ONCE", 2), ("MEMBERSHIPS_AT_ONCE", 3)):
        monkeypatch.setattr(exports, limit, value)
    origin, made = subscription(unattended, groups)
    for name in FORMATS:
        expected = {group: users for group, users in made.items() if users or name == "groups-group-based"}
        if not expected:
            continue
        content = written(unattended, origin, name)
        assert len(set(map(len, csv.reader(io.StringIO(content.decode("utf-8-sig")))))) == 1
        roster = read_roster(content, "groups.csv", Limits())
        assert isinstance(roster, Roster)
        assert groups_of(roster) == expected
        wrong = [each.code for each in roster.problems if each.severity == "error"]
        empty = sum(not users for users in expected.values())
        assert wrong == ["email-missing"] * empty
        importing = importing_as(origin)
        upload(unattended, importing, "groups.csv", "text/csv", content, Limits())
        advance_views(unattended)
        assert importing.import_id
        plan = plan_at(unattended, importing.import_id, 2)
        assert plan
        totals = unattended.plans.current(origin.subscription_id, plan).totals.groups
        assert totals == GroupTotals(unchanged=len(expected) - empty, nobody_to_add=empty)


@pytest.mark.parametrize(
    ("extent", "width"),
    [
        (exports.Extent(0, 0, 0), 1),
        (exports.Extent(3, 0, 0), 1),
        (exports.Extent(1_000, 6_000, 800), 800),
        (exports.Extent(1_000, 6_000, 1_001), 1_000),
        (exports.Extent(100_000, 300_000, 900), 100),
        (exports.Extent(1_000_000, 12_000_000, 12), 12),
        (exports.Extent(1_000_000, 12_000_000, 900), 48),
        (exports.Extent(20_000_000, 20, 9), 4),
    ],
)
def test_a_few_large_groups_dont_fill_an_export_with_empty_cells(extent: exports.Extent, width: int) -> None:
    assert width_of_rows(extent) == width


def test_users_and_groups_are_exported_as_lines_of_json_and_in_the_columns_of_a_licence_file(
    unattended: Rollcall,
) -> None:
    origin, _ = subscription(unattended, [("Sales", {0, 1}), ("Empty", set())])
    lines = {name: written(unattended, origin, name, "ndjson").splitlines() for name in get_args(ExportName)}
    assert [json.decode(line) for line in lines["groups-group-based"]] == [
        {"name": "Empty", "users": []},
        {"name": "Sales", "users": ["+ben@example.com", "ann@example.com"]},
    ]
    assert json.decode(lines["groups-user-based"][-1])["groups"] == ["Sales"]
    assert len(lines["users"]) == len(USERS)
    assert json.decode(lines["audit"][0])["type"] == "GroupCreated"
    file = written(unattended, origin, "users")
    assert file.startswith(b'\xef\xbb\xbfemail,"FirstName","LastName"')
    _, *rows = csv.reader(io.StringIO(file.decode("utf-8-sig")))
    assert ["'+ben@example.com", "'=Ben()", "O\"Neil;' =1"] in rows
    with unattended.views() as cursor:
        (_, sales) = directory.groups(cursor, origin.subscription_id)
    members = exports.users_of_group(unattended.views, origin.subscription_id, sales.id)
    assert list(csv.reader(io.StringIO(b"".join(export_users(members)).decode("utf-8-sig"))))[1:] == [
        each for each in rows if each[0] in {"'+ben@example.com", "ann@example.com"}
    ]


def test_the_audit_log_is_exported_change_by_change(unattended: Rollcall, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exports, "ROWS_AT_ONCE", 2)
    origin, _ = subscription(unattended, [("Sales", {0}), ("Asia", {1})])
    header, *rows = csv.reader(io.StringIO(written(unattended, origin, "audit").decode("utf-8-sig")))
    assert header[:6] == ["at", "actor_kind", "actor_id", "actor_name", "type", "text"]
    assert [row[4] for row in rows] == ["GroupCreated"] * 2 + ["LicencesAllocated"] * 5 + ["SubscriptionCreated"]
    assert {row[2] for row in rows} == {"ann"}
