"""The filters of the audit log, each alone and together, against a list of everything."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from random import Random
from typing import TYPE_CHECKING, Any, cast
from uuid import UUID, uuid4

import psycopg
import pytest

from adapters.memory.ports import AlwaysReadable
from application.records import Actor, Event, Origin
from domain.access import ROLLCALL
from domain.group import GroupCreated, GroupNameChanged, UsersAddedToGroup, UsersRemovedFromGroup
from domain.identity import SessionsEnded
from domain.subscription import LicencesAllocated, LicencesRevoked, SeatsChanged, User
from projections.audit_log.read import AuditRow, audit_log, operators_log
from projections.reports.audit_filters import AuditFilter
from tests.conftest import advance_views, subscribed
from tests.histories import in_one_append

if TYPE_CHECKING:
    from collections.abc import Sequence

    from adapters.composition import Rollcall
    from tests.conftest import Compose

pytestmark = pytest.mark.database

EMAILS = ("ann@example.com", "ben@example.com")
IMPORTS, GROUPS = [uuid4() for _ in range(3)], [uuid4() for _ in range(4)]


@pytest.mark.parametrize("seed", range(4))
def test_the_audit_log_has_what_a_filter_asks_for_whatever_happened_and_however_clocks_go(
    compose: Compose, seed: int
) -> None:
    random, moment = Random(seed), datetime(2026, 3, 1, tzinfo=UTC)  # noqa: S311 - a history, not a secret

    def later() -> datetime:
        """Go on by a bit, mostly; sometimes another process is late, and sometimes a clock is wrong."""
        nonlocal moment
        moment += timedelta(seconds=random.choice((0, 0.01, 0.5, 30)))
        return moment - timedelta(seconds=random.choice((0, 0, 0, 0, 0.5, 1.99, 2.01, 90)))

    rollcall = compose(now=later, readable=AlwaysReadable())
    origin = subscribed(rollcall)
    _random_history(rollcall, origin, random)
    advance_views(rollcall)
    with rollcall.views() as cursor:
        everything = audit_log(cursor, origin.subscription_id, limit=None)
        for _ in range(150):
            wanted = _random_filter(random, everything)
            expected = [row for row in everything if _matches(row, wanted)]
            found, before = [], None
            while page := audit_log(cursor, origin.subscription_id, wanted, before=before, limit=7):
                found += page
                before = page[-1].number
            assert found == expected, wanted


@pytest.mark.parametrize("seed", range(2))
def test_the_rows_are_the_same_however_the_log_is_cut_into_batches(
    unattended: Rollcall, database: str, seed: int
) -> None:
    random = Random(seed)  # noqa: S311 - as above
    _random_history(unattended, subscribed(unattended), random)
    (projector,) = (each for each in unattended.projectors if each.view.name == "audit_log")
    head, rows = unattended.events.head(), list[list[tuple[object, ...]]]()
    for most in (10_000, 1, random.choice((2, 3, 4)), random.choice((5, 7, 9))):
        with psycopg.connect(database, autocommit=True) as connection:
            with unattended.datastore.connect() as views, views.transaction(), views.cursor() as cursor:
                for each in range(0, head, most):
                    projector.view.apply(cursor, unattended.events.read_log(each, min(most, head - each)))
            rows.append(connection.execute("SELECT * FROM rollcall.audit_log ORDER BY 1, 2").fetchall())
            connection.execute("TRUNCATE rollcall.audit_log, rollcall.audit_emails")
    assert rows[0] == rows[1] == rows[2] == rows[3]
    assert any(row[4] - row[3] > 2 for row in cast("list[tuple[int, ...]]", rows[0])), "a row stands for several events"


@pytest.mark.parametrize("seed", range(3))
def test_the_operators_log_has_what_a_filter_asks_for_in_all_subscriptions_or_in_one(
    compose: Compose, seed: int
) -> None:
    random, moment = Random(seed), datetime(2026, 3, 1, tzinfo=UTC)  # noqa: S311 - as above

    def later() -> datetime:
        nonlocal moment
        moment += timedelta(seconds=random.choice((0, 0.5, 30)))
        return moment

    rollcall = compose(now=later, readable=AlwaysReadable())
    scopes = [subscribed(rollcall).subscription_id for _ in range(3)]
    for number in range(60):
        actor = Actor("operator", random.choice("abc"), "Somebody")
        client = random.choice((None, f"job-{number % 3}"))
        by = Origin(random.choice([*scopes, ROLLCALL]), actor, str(random.randrange(12)), None, client)
        ended = SessionsEnded(random.choice(EMAILS))
        events: list[Event] = random.sample(
            [ended, SeatsChanged(1, 2), GroupCreated("not theirs", ())], random.choice((1, 2, 3))
        )
        in_one_append(rollcall, by, *((uuid4(), event) for event in events))
    advance_views(rollcall)
    with rollcall.views() as cursor:
        everything = operators_log(cursor, limit=None)
        assert len(everything) > 60
        assert {row.type for row in everything} == {"SubscriptionCreated", "SessionsEnded", "SeatsChanged"}
        for _ in range(100):
            times = [None, None, None, *(row.at for row in everything)]
            kinds = ("SessionsEnded", "SeatsChanged", "GroupCreated")
            wanted = AuditFilter(
                random.choice((None, None, "a", "b")),
                tuple(random.sample(kinds, random.choice((0, 0, 1, 2)))),
                email=random.choice((None, None, None, *EMAILS)),
                request_id=random.choice((None, None, "7", "job-1")),
                since=random.choice(times),
                until=random.choice(times),
            )
            scope = random.choice((None, None, *scopes, ROLLCALL))
            expected = [row for row in everything if _matches(row, wanted) and scope in {None, row.subscription_id}]
            found: list[AuditRow] = []
            before = None
            while page := operators_log(cursor, wanted, subscription_id=scope, before=before, limit=7):
                found += page
                before = page[-1].at, page[-1].subscription_id, page[-1].number
            assert found == expected, (wanted, scope)


def _random_history(rollcall: Rollcall, origin: Origin, random: Random) -> None:
    members: set[tuple[UUID, str]] = set()
    in_one_append(rollcall, origin, *((group, GroupCreated(str(group), ())) for group in GROUPS))
    for number in range(80):
        actor = Actor("administrator", random.choice("abc"), "Somebody")
        client = random.choice((None, f"job-{number % 3}"))
        by = Origin(origin.subscription_id, actor, str(random.randrange(20)), random.choice((None, *IMPORTS)), client)
        changes = random.choice((1, 1, 9))
        events: list[tuple[UUID, Any]] = (
            [(random.choice(GROUPS), GroupNameChanged("a", random.choice("bc"))) for _ in range(changes)]
            if random.random() < 0.5
            else [_joined_or_left(members, random) for _ in range(changes)]
        )
        if number % 3 == 0:
            users = tuple(random.sample(EMAILS, 2))
            event = LicencesRevoked(users) if number % 2 else LicencesAllocated(tuple(map(User, users)))
            events.append((origin.subscription_id, event))
        in_one_append(rollcall, by, *events)
        if random.random() < 0.3:
            subscribed(rollcall)


def _joined_or_left(members: set[tuple[UUID, str]], random: Random) -> tuple[UUID, Any]:
    member = group, email = random.choice(GROUPS), random.choice(EMAILS)
    members ^= {member}
    return group, UsersAddedToGroup((email,)) if member in members else UsersRemovedFromGroup((email,))


def _random_filter(random: Random, rows: Sequence[AuditRow]) -> AuditFilter:
    times = [None, None, *(row.at for row in rows), *(row.at + timedelta(microseconds=1) for row in rows)]
    kinds = ("GroupNameChanged", "LicencesAllocated", "GroupCreated", "SeatsChanged")
    return AuditFilter(
        random.choice((None, None, "a", "b")),
        tuple(random.sample(kinds, random.choice((0, 0, 1, 2)))),
        random.choice((None, None, None, *IMPORTS)),
        random.choice((None, None, None, *GROUPS)),
        random.choice((None, None, None, *EMAILS)),
        random.choice((None, None, None, "7", "job-1")),
        random.choice(times) if random.random() < 0.5 else None,
        random.choice(times) if random.random() < 0.5 else None,
    )


def _matches(row: AuditRow, wanted: AuditFilter) -> bool:
    """Return whether a change is what a filter asks for, by what is shown of it."""
    return (
        wanted.actor in {None, row.actor.id}
        and (not wanted.types or row.type in wanted.types)
        and wanted.import_id in {None, row.import_id}
        and wanted.group_id in {None, row.group_id}
        and (wanted.email is None or wanted.email in row.text)
        and wanted.request_id in {None, row.request_id, row.client_request_id}
        and (wanted.since is None or row.at >= wanted.since)
        and (wanted.until is None or row.at < wanted.until)
    )
