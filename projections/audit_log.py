"""The audit log: who made which administrative change, and when. Each change is listed once.

Bookkeeping is left out, because other events record the change itself: `GroupAdded`, `GroupSkipped` and `UsersLeftOut`
accompany the group's own events. An event of several licences is listed as one change for each user.
"""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any
from uuid import UUID

from msgspec import Struct, json, structs

from application.records import Actor
from domain.access import AccessGranted, AccessRevoked, TokenIssued, TokenRevoked
from domain.group import GroupCreated, GroupDeleted, GroupNameChanged, UsersAddedToGroup, UsersRemovedFromGroup
from domain.identity import IdentityBound, IdentityReleased, SessionsEnded
from domain.import_session import UserRemoved
from domain.subscription import (
    LicencesAllocated,
    LicencesRevoked,
    SeatsChanged,
    SubscriptionCreated,
    SubscriptionRenamed,
)
from projections.reports.sentences import ACTIONS, sentence
from projections.view import View, copy_rows, last_ranks

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from application.records import Event, Record
    from projections.view import ViewCursor

OPERATED = (
    SubscriptionCreated,
    SubscriptionRenamed,
    SeatsChanged,
    AccessGranted,
    AccessRevoked,
    TokenIssued,
    TokenRevoked,
    IdentityBound,
    IdentityReleased,
    SessionsEnded,
)
"""What operators are responsible for, in any subscription. It reveals nothing about groups, users or files."""
_OPERATED_TYPES = ", ".join(f"'{event.__name__}'" for event in OPERATED)

CREATE = f"""
    CREATE TABLE IF NOT EXISTS audit_log (
        subscription_id uuid NOT NULL,
        number bigint NOT NULL,
        at timestamptz NOT NULL,
        actor jsonb NOT NULL,
        request_id text NOT NULL,
        client_request_id text,
        type text NOT NULL,
        text text NOT NULL,
        import_id uuid,
        import_group integer,
        group_id uuid,
        emails text[] NOT NULL,
        PRIMARY KEY (subscription_id, number)
    );
    CREATE INDEX IF NOT EXISTS audit_log_of_groups ON audit_log (group_id, number) WHERE group_id IS NOT NULL;
    CREATE INDEX IF NOT EXISTS audit_log_of_imports ON audit_log (import_id, import_group)
        WHERE import_group IS NOT NULL;
    CREATE INDEX IF NOT EXISTS audit_log_of_operators ON audit_log (at, subscription_id, number)
        WHERE type IN ({_OPERATED_TYPES});
"""

GROUPS = (GroupCreated, UsersAddedToGroup, UsersRemovedFromGroup, GroupNameChanged, GroupDeleted)
AUDITED = tuple(event for action in ACTIONS.values() for event in action.events)


def _insert_changes(cursor: ViewCursor, run: Sequence[Record]) -> None:
    last = last_ranks(cursor, "SELECT max(number) AS rank FROM audit_log WHERE subscription_id = wanted.id", run)
    rows: list[tuple[object, ...]] = []
    for record, event in ((each, change) for each in run for change in _changes(each.event)):
        subscription = record.origin.subscription_id
        last[subscription] += 1
        rows.append(
            (
                subscription,
                last[subscription],
                record.at,
                json.encode(record.origin.actor).decode(),
                record.origin.request_id,
                record.origin.client_request_id,
                type(event).__name__,
                sentence(event),
                record.origin.import_id,
                record.import_group,
                record.originator_id if isinstance(event, GROUPS) else None,
                _emails(event),
            )
        )
    copy_rows(
        cursor,
        "audit_log (subscription_id, number, at, actor, request_id, client_request_id, type, text, import_id,"
        " import_group, group_id, emails)",
        rows,
    )


def _changes(event: Event) -> Iterator[Event]:
    """Return the event as the changes to list: a licence event of several users is one change for each."""
    match event:
        case LicencesAllocated(users):
            yield from (LicencesAllocated((user,)) for user in users)
        case LicencesRevoked(emails):
            yield from (LicencesRevoked((email,)) for email in emails)
        case _:
            yield event


def _emails(event: Event) -> list[str]:
    match event:
        case GroupCreated(users=users) | UsersAddedToGroup(users=users) | UsersRemovedFromGroup(users=users):
            return list(users)
        case LicencesAllocated(users=licensed):
            return [user.email for user in licensed]
        case LicencesRevoked(emails=emails):
            return list(emails)
        case UserRemoved(email=email):
            return [email]
        case AccessGranted(email=email) | AccessRevoked(email=email):
            return [email]
        case IdentityBound(email=email) | IdentityReleased(email=email) | SessionsEnded(email=email):
            return [email]
        case _:
            return []


AUDIT_LOG = View(
    name="audit_log",
    tables=("audit_log",),
    create=CREATE,
    handlers=dict.fromkeys(AUDITED, _insert_changes),
)


class AuditRow(Struct, frozen=True):
    """One change; `number` counts the changes of its subscription from 1."""

    subscription_id: UUID
    number: int
    at: datetime
    actor: Actor
    request_id: str
    client_request_id: str | None
    type: str
    text: str
    import_id: UUID | None
    group_id: UUID | None


class AuditFilter(Struct, frozen=True):
    """Which changes to return: those that meet every condition set. `types` are names of events; none means any."""

    actor: str | None = None
    types: tuple[str, ...] = ()
    import_id: UUID | None = None
    group_id: UUID | None = None
    email: str | None = None
    since: datetime | None = None
    until: datetime | None = None


NO_FILTER = AuditFilter()


def audit_log(
    cursor: ViewCursor,
    subscription_id: UUID,
    wanted: AuditFilter = NO_FILTER,
    *,
    before: int | None = None,
    limit: int | None = 100,
) -> list[AuditRow]:
    """Return a page of a subscription's changes, newest first, that follow a number."""
    cursor.execute(
        f"""
        {SELECT} WHERE subscription_id = %(subscription_id)s AND (%(before)s::bigint IS NULL OR number < %(before)s)
          {FILTERED}
        ORDER BY number DESC LIMIT %(limit)s
        """,
        {"subscription_id": subscription_id, "before": before, "limit": limit, **_conditions(wanted)},
    )
    return list(map(_row, cursor))


def operators_log(
    cursor: ViewCursor,
    wanted: AuditFilter = NO_FILTER,
    *,
    subscription_id: UUID | None = None,
    before: tuple[datetime, UUID, int] | None = None,
    limit: int = 100,
) -> list[AuditRow]:
    """Return a page of the changes that operators are responsible for, newest first, in all scopes or in one.

    `before` is the time, scope and number that the page follows.
    """
    at, last, number = before or (None, None, None)
    cursor.execute(
        f"""
        {SELECT} WHERE type IN ({_OPERATED_TYPES})
          AND (%(subscription_id)s::uuid IS NULL OR subscription_id = %(subscription_id)s)
          AND (%(at)s::timestamptz IS NULL OR (at, subscription_id, number) < (%(at)s, %(last)s::uuid, %(number)s))
          {FILTERED}
        ORDER BY at DESC, subscription_id DESC, number DESC LIMIT %(limit)s
        """,
        {
            "subscription_id": subscription_id,
            "at": at,
            "last": last,
            "number": number,
            "limit": limit,
            **_conditions(wanted),
        },
    )
    return list(map(_row, cursor))


SELECT = """
    SELECT subscription_id, number, at, actor::text AS actor, request_id, client_request_id, type, text, import_id,
           group_id
    FROM audit_log
"""
FILTERED = """
    AND (%(actor)s::text IS NULL OR actor ->> 'id' = %(actor)s)
    AND (%(types)s::text[] = '{}' OR type = ANY(%(types)s))
    AND (%(import_id)s::uuid IS NULL OR import_id = %(import_id)s)
    AND (%(group_id)s::uuid IS NULL OR group_id = %(group_id)s)
    AND (%(email)s::text IS NULL OR %(email)s = ANY(emails))
    AND (%(since)s::timestamptz IS NULL OR at >= %(since)s)
    AND (%(until)s::timestamptz IS NULL OR at < %(until)s)
"""


def _conditions(wanted: AuditFilter) -> dict[str, object]:
    return {**structs.asdict(wanted), "types": list(wanted.types)}


def _row(row: Mapping[str, Any]) -> AuditRow:
    return AuditRow(**{**row, "actor": json.decode(row["actor"], type=Actor)})


def users_added_by_import(
    cursor: ViewCursor, subscription_id: UUID, import_id: UUID, numbers: range
) -> Iterator[tuple[int, str]]:
    """Return the users that an import added, each after the number of the group of the file that added them."""
    cursor.execute(
        """
        SELECT import_group, unnest(emails) AS email FROM audit_log
        WHERE import_id = %s AND import_group >= %s AND import_group < %s AND subscription_id = %s
          AND type IN ('GroupCreated', 'UsersAddedToGroup')
        """,
        (import_id, numbers.start, numbers.stop, subscription_id),
    )
    return ((row["import_group"], row["email"]) for row in cursor.fetchall())
