"""What the directory was at a position of the log is what the events up to there come to."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, NamedTuple
from uuid import UUID, uuid4

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from adapters.memory.ports import AlwaysReadable
from application.records import NewRecord, Origin
from domain.group import GroupCreated, GroupDeleted, GroupNameChanged, UsersAddedToGroup, UsersRemovedFromGroup
from domain.naming import group_key
from domain.spreadsheets import sheet_values
from domain.subscription import LicencesAllocated, LicencesRevoked, User
from projections.directory import read as directory
from projections.directory.read import FIND_SUBSCRIPTION
from projections.import_list.read import FIND
from projections.reports.group_list import GroupFilter, group_list
from projections.reports.overview import users_in_no_group
from projections.reports.plan_facts import members_joined, members_read
from projections.then import RELATIONS, CursorThen, position_at
from tests.conftest import ANN, Compose, advance_views, subscribed
from tests.histories import USERS, everything_happens, in_one_append

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from adapters.composition import Rollcall
    from application.records import Event
    from projections.view import ViewCursor

pytestmark = pytest.mark.database

PEOPLE = [f"user{number}@example.com" for number in range(4)]
NAMES = ["Sales", "sales ", "007", "7", "Ünits", "1/2"]
VALUES = sorted(value for name in NAMES for value in sheet_values(name))


def test_what_is_found_by_packed_statements_is_shown_as_it_is_now() -> None:
    for found in (FIND, FIND_SUBSCRIPTION):  # they pass by the cursor that would ask for what was then
        assert not any(re.search(rf"(FROM|JOIN) +{name}\b", found.query.decode()) for name in RELATIONS)


def test_what_was_is_not_asked_by_prepared_statements(rollcall: Rollcall) -> None:
    """One would fail for ever after a newer release has changed a column's type, and each position is a new one."""
    with rollcall.views() as cursor:
        then = CursorThen(cursor.connection, 0)
        for _ in range(7):
            directory.existing_groups(then, uuid4(), ["sales"])
        then.execute("SELECT email FROM directory_licences WHERE email = %s", ("ann@example.com",), prepare=True)
        cursor.execute("SELECT statement FROM pg_prepared_statements")
        assert not [row["statement"] for row in cursor if "NOT MATERIALIZED" in row["statement"]]


class Model:
    """A subscription's licences, and its groups with their names and users."""

    def __init__(self) -> None:
        self.licences: dict[str, User] = {}
        self.names: dict[UUID, str] = {}
        self.users: dict[UUID, set[str]] = {}

    def add(self, stream: UUID, event: object) -> None:
        match event:
            case LicencesAllocated(users):
                self.licences |= {user.email: user for user in users}
            case LicencesRevoked(emails):
                for email in emails:
                    del self.licences[email]
            case GroupCreated(name, users):
                self.names[stream], self.users[stream] = name, set(users)
            case UsersAddedToGroup(users):
                self.users[stream] |= {*users}
            case UsersRemovedFromGroup(users):
                self.users[stream] -= {*users}
            case GroupNameChanged(new=name):
                self.names[stream] = name
            case GroupDeleted():
                del self.names[stream], self.users[stream]

    def by_name(self, groups: Iterable[UUID]) -> list[tuple[UUID, str, int]]:
        ordered = sorted(groups, key=lambda group: (group_key(self.names[group]), group))
        return [(group, self.names[group], len(self.users[group])) for group in ordered]


def rows(found: Sequence[directory.GroupRow]) -> list[tuple[UUID, str, int]]:
    return [(row.id, row.name, row.users) for row in found]


def assert_is(cursor: ViewCursor, subscription: UUID, model: Model) -> None:
    """Ask the directory for everything that it knows, and compare that with the model."""
    assert rows(directory.groups(cursor, subscription)) == model.by_name(model.names)
    assert directory.count_groups(cursor, subscription) == len(model.names)
    largest = group_list(cursor, subscription, GroupFilter(least=1), "-users")
    assert [row.users for row in largest] == sorted(
        (len(users) for users in model.users.values() if users), reverse=True
    )
    licences = directory.licences(cursor, subscription)
    assert [(row.email, row.first_name, row.last_name) for row in licences] == [
        (email, user.first_name, user.last_name) for email, user in sorted(model.licences.items())
    ]
    outside = {*model.licences}.difference(*model.users.values())
    assert [row.email for row in directory.licences(cursor, subscription, only="no_group")] == sorted(outside)
    assert users_in_no_group(cursor, subscription) == len(outside)
    last = directory.licences(cursor, subscription, only="no_group", after=min(outside, default=""))
    assert [row.email for row in last] == sorted(outside)[1:]
    everybody = sorted({*USERS, *PEOPLE, *model.licences})
    assert directory.unlicensed_emails(cursor, subscription, everybody) == {*everybody} - {*model.licences}
    for group, users in model.users.items():
        found = directory.users_of_group(cursor, subscription, group)
        named = [model.licences.get(user, User(user)) for user in sorted(users)]
        assert [(row.email, row.first_name) for row in found] == [(user.email, user.first_name) for user in named]
    for user in everybody:
        joined = model.by_name(group for group, users in model.users.items() if user in users)
        assert rows(directory.groups_of_user(cursor, subscription, user)) == joined
    keys = sorted({*map(group_key, [*NAMES, *model.names.values()])})
    ids = {group_key(name): group for group, name in model.names.items()}
    assert directory.group_ids_by_key(cursor, subscription, keys) == {key: ids[key] for key in keys if key in ids}
    existing = directory.existing_groups(cursor, subscription, keys)
    assert {key: (group.id, group.users) for key, group in existing.items()} == {
        key: (group, len(model.users[group])) for key, group in ids.items()
    }
    assert members_by(cursor, everybody, existing) == {group: users for group, users in model.users.items() if users}
    named_so = directory.names_by_sheet_value(cursor, subscription, VALUES)
    assert named_so == {
        value: sorted(names)
        for value in VALUES
        if (names := [name for name in model.names.values() if value in sheet_values(name)])
    }


class Everybody(NamedTuple):
    """What stands for a roster with these users."""

    users: list[str]

    def emails(self) -> list[list[str]]:
        return [self.users]


def members_by(
    cursor: ViewCursor, everybody: list[str], existing: dict[str, directory.GroupFound]
) -> dict[UUID, set[str]]:
    """Return who is in which group, which is found in two ways."""
    ids = {group.position: group.id for group in existing.values()}
    roster: Any = Everybody(everybody)
    read, joined = (
        {ids[position]: {everybody[user] for user in users} for position, users in found.items()}
        for found in (members_read(cursor, roster, [], [*ids]), members_joined(cursor, roster, [], [*ids]))
    )
    assert read == joined
    return read


def assert_every_prefix(rollcall: Rollcall, subscription: UUID) -> None:
    """Compare what was at each position with the fold of the events up to there."""
    model = Model()
    with rollcall.views() as cursor:
        for record in rollcall.events.read_log(0, 100_000, subscription_id=subscription):
            model.add(record.originator_id, record.event)
            assert_is(CursorThen(cursor.connection, record.position), subscription, model)
        assert_is(cursor, subscription, model)  # and what is now


@pytest.fixture
def rollcall(unattended: Rollcall) -> Rollcall:
    """Return Rollcall whose views move when the test moves them."""
    return unattended


def test_what_was_at_each_position_is_what_the_events_before_come_to(
    rollcall: Rollcall, monkeypatch: pytest.MonkeyPatch
) -> None:
    origin = everything_happens(rollcall, monkeypatch)
    advance_views(rollcall)
    assert_every_prefix(rollcall, origin.subscription_id)


CHANGES = st.lists(
    st.lists(
        st.tuples(
            st.sampled_from(["create", "add", "remove", "rename", "delete", "allocate", "revoke"]),
            st.integers(0, 9),
            st.sampled_from(NAMES),
            st.lists(st.sampled_from(PEOPLE), min_size=1, unique=True),
        ),
        min_size=1,
        max_size=5,
    ),
    max_size=12,
)


def event_of(
    model: Model, subscription: UUID, what: str, pick: int, name: str, people: list[str]
) -> tuple[UUID, Event] | None:
    """Return an event that may happen next, on one of the groups; None if it may not."""
    groups = list(model.names)
    group = groups[pick % len(groups)] if groups else None
    free = group_key(name) not in {group_key(each) for each in model.names.values()}
    licensed = tuple(each for each in people if each in model.licences)
    if what == "create" and free:
        return uuid4(), GroupCreated(name, licensed)
    if what == "allocate" and (new := tuple(User(each, "Ann", "") for each in people if each not in model.licences)):
        return subscription, LicencesAllocated(new)
    if what == "revoke" and licensed and not any({*licensed} & users for users in model.users.values()):
        return subscription, LicencesRevoked(licensed)
    if group is None:
        return None
    there = model.users[group]
    if what == "add" and (some := tuple(each for each in licensed if each not in there)):
        return group, UsersAddedToGroup(some)
    if what == "remove" and (some := tuple(each for each in people if each in there)):
        return group, UsersRemovedFromGroup(some)
    if what == "rename" and free:
        return group, GroupNameChanged(model.names[group], name)
    return (group, GroupDeleted(model.names[group])) if what == "delete" else None


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(appends=CHANGES)
def test_any_history_can_be_read_as_it_was(
    rollcall: Rollcall, appends: list[list[tuple[str, int, str, list[str]]]]
) -> None:
    origin, model = subscribed(rollcall), Model()
    for changes in appends:
        events = []
        for change in changes:
            if event := event_of(model, origin.subscription_id, *change):
                model.add(*event)
                events.append(event)
        if events:
            in_one_append(rollcall, origin, *events)
    advance_views(rollcall, "directory")
    assert_every_prefix(rollcall, origin.subscription_id)


# --- times ----------------------------------------------------------------------------------------------------------

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


def minutes(number: float) -> datetime:
    return NOON + timedelta(minutes=number)


def positions_at(compose: Compose, recorded: Sequence[float], asked: Sequence[float]) -> list[int]:
    """Record an event at each of these minutes, and return how many of them are there at other ones."""
    clock = iter([minutes(each) for each in recorded for _ in range(2)])
    rollcall = compose(readable=AlwaysReadable(), now=lambda: next(clock))
    origin = Origin(uuid4(), ANN, "test")
    positions = [0]
    for _ in recorded:
        for each in (Origin(uuid4(), ANN, "test"), origin):  # those of others don't count
            rollcall.events.append(each, [NewRecord(uuid4(), 1, GroupCreated("Sales", ()))])
        positions.append(rollcall.events.head())
    with rollcall.views() as cursor:
        return [positions.index(position_at(cursor, origin.subscription_id, minutes(each))) for each in asked]


def test_an_event_counts_from_its_time_on(compose: Compose) -> None:
    assert positions_at(compose, [0, 10, 20], [-1, 0, 9.9, 10, 15, 20, 99]) == [0, 1, 1, 2, 2, 3, 3]


def test_an_event_whose_clock_was_behind_counts_like_those_before_it(compose: Compose) -> None:
    assert positions_at(compose, [0, 10, 9, 200], [0, 8.9, 9, 10, 150]) == [1, 1, 3, 3, 3]


def test_an_event_whose_clock_was_quite_wrong_moves_no_others(compose: Compose) -> None:
    assert positions_at(compose, [0, 9_000, 10, 20], [5, 10, 20, 8_000, 9_000]) == [1, 3, 4, 4, 4]
    assert positions_at(compose, [0, 100, -9_000, 200], [-8_000, 50, 150, 200]) == [3, 1, 2, 4]
