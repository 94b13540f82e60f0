"""What the audit log is filtered by, and where the changes are that a filter asks for.

A page takes as long at ten million changes as at a thousand: each filter has an index in the order of the log, and each
query is written so that PostgreSQL has no other choice, because it can't know how far apart the changes are.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, LiteralString
from uuid import UUID

from msgspec import Struct, structs

from domain.access import AccessGranted, AccessRevoked, TokenIssued, TokenRevoked
from domain.downloads import FileDownloaded
from domain.group import GroupCreated, GroupDeleted, GroupNameChanged, UsersAddedToGroup, UsersRemovedFromGroup
from domain.identity import IdentityBound, IdentityReleased, SessionsEnded
from domain.subscription import (
    SeatsChanged,
    SubscriptionCreated,
    SubscriptionRenamed,
)
from projections.reports.sentences import ACTIONS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from psycopg.rows import DictRow

    from application.records import Record
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
OPERATED_TYPES: LiteralString = ", ".join(f"'{event.__name__}'" for event in OPERATED)

AUDITED = tuple(event for action in ACTIONS.values() for event in action.events)
GROUPS = (GroupCreated, UsersAddedToGroup, UsersRemovedFromGroup, GroupNameChanged, GroupDeleted)


class AuditFilter(Struct, frozen=True):
    """Which changes to return: those that meet every condition set. `types` are names of events; none means any.

    `request_id` is Rollcall's id of a request or the client's own.
    """

    actor: str | None = None
    types: tuple[str, ...] = ()
    import_id: UUID | None = None
    group_id: UUID | None = None
    email: str | None = None
    request_id: str | None = None
    since: datetime | None = None
    until: datetime | None = None


NO_FILTER = AuditFilter()


CLOCK_SECONDS = 2.0
"""By how much an event may be earlier than one before it, because processes take the time before they queue up."""

CONDITIONS: Mapping[str, LiteralString] = {
    "actor": "AND (a.actor = %(actor)s) IS TRUE",
    "types": "AND a.type = ANY(%(types)s)",
    "import_id": "AND (a.import_id = %(import_id)s) IS TRUE",
    "group_id": "AND (a.group_id = %(group_id)s) IS TRUE",
    "request_id": """AND EXISTS (
        SELECT FROM events AS e JOIN appends AS made ON made.position = e.append_position
        WHERE e.notification_id = a.position
          AND %(request_id)s IN (made.origin ->> 'request_id', made.origin ->> 'client_request_id')
    )""",
    "since": "AND a.at >= %(since)s",
    "until": "AND a.at < %(until)s",
}
"""The conditions that no index is for: IS TRUE keeps the planner from taking one that is for another order."""

# Each has the rows of a subscription from the newest on, in the order of an index. Every change of a row counts, unless
# `change` says which. `first` and `end` are the numbers between which the rows are.
COLUMNS: LiteralString = "a.subscription_id, a.number, a.changes, a.position, a.at, a.type"
BETWEEN: LiteralString = (
    "a.number >= coalesce(%(first)s::bigint, 1) AND a.number < coalesce(%(end)s::bigint, 9223372036854775807)"
)
NEWEST_FIRST: LiteralString = "ORDER BY number DESC, change DESC"
ALL: LiteralString = f"""
    SELECT {COLUMNS}, NULL::int AS change FROM audit_log AS a
    WHERE a.subscription_id = %(subscription)s AND {BETWEEN}
"""
# Of several types, each has its own order, so there are as many to begin with, of which the first rows are taken.
OF_TYPES: LiteralString = f"""
    SELECT of_type.* FROM unnest(%(of_types)s::text[]) AS wanted (type) CROSS JOIN LATERAL (
        SELECT {COLUMNS}, NULL::int AS change FROM audit_log AS a
        WHERE {{}} AND a.type = wanted.type AND {BETWEEN} {{}} ORDER BY a.number DESC LIMIT %(limit)s
    ) AS of_type
    ORDER BY number DESC
"""
BY_TYPE: LiteralString = "a.subscription_id = %(subscription)s"
BY_ACTOR: LiteralString = "a.subscription_id = %(subscription)s AND a.actor = %(actor)s"
BY_IMPORT: LiteralString = "(a.subscription_id = %(subscription)s) IS TRUE AND a.import_id = %(import_id)s"
OF_GROUP: LiteralString = f"""
    SELECT {COLUMNS}, NULL::int AS change FROM audit_log AS a
    WHERE (a.subscription_id = %(subscription)s) IS TRUE AND a.group_id = %(group_id)s AND {BETWEEN}
"""
# A request is that of whole appends, which follow one another in the log. Those of an import are many, and in the order
# of the log, so that only the first ones of a page are looked through.
OF_REQUEST: LiteralString = f"""
    SELECT of_append.* FROM (
        SELECT position FROM appends
        WHERE subscription_id = %(subscription)s AND origin ->> 'request_id' = %(request_id)s
        UNION
        SELECT position FROM appends
        WHERE subscription_id = %(subscription)s AND origin ? 'client_request_id'
          AND origin ->> 'client_request_id' = %(request_id)s
        ORDER BY position DESC
    ) AS made
    CROSS JOIN LATERAL (SELECT max(position) AS position FROM appends WHERE position < made.position) AS before
    CROSS JOIN LATERAL (
        SELECT {COLUMNS}, NULL::int AS change FROM audit_log AS a
        WHERE a.position > coalesce(before.position, 0) AND a.position <= made.position
          AND (a.subscription_id = %(subscription)s) IS TRUE AND {BETWEEN} {{}} ORDER BY a.position DESC
    ) AS of_append
    WHERE %(end)s::bigint IS NULL OR coalesce(before.position, 0) < (
        SELECT position FROM audit_log WHERE subscription_id = %(subscription)s AND number < %(end)s
        ORDER BY number DESC LIMIT 1
    )
    ORDER BY made.position DESC, of_append.position DESC
"""
# Who is in a group or was in it says at which positions they joined and left. OFFSET 0 keeps the planner from looking
# through the whole log, while it has no statistics, for the few rows that name an address.
NAMING: LiteralString = f"""
    SELECT {COLUMNS}, a.change FROM (
        SELECT a.*, named.change FROM audit_emails AS named JOIN audit_log AS a USING (subscription_id, number)
        WHERE (named.email, subscription_id) = (%(email)s, %(subscription)s)
        UNION ALL
        SELECT a.*, 0 FROM directory_members AS m JOIN audit_log AS a ON a.position IN (m.since, m.until)
        WHERE (m.email, m.subscription_id) = (%(email)s, %(subscription)s) AND a.type <> 'GroupDeleted'
        OFFSET 0
    ) AS a
    WHERE {BETWEEN} AND (%(before)s::bigint IS NULL OR a.number + a.change < %(before)s)
"""


def group_of(record: Record) -> UUID | None:
    """Return the group that a change is about."""
    match record.event:
        case FileDownloaded(group_id=group_id):
            return group_id
        case event:
            return record.originator_id if isinstance(event, GROUPS) else None


def places(
    cursor: ViewCursor, subscription_id: UUID, wanted: AuditFilter, before: int | None, limit: int | None
) -> list[DictRow]:
    """Return the rows of a subscription's log that a page needs, newest first, before a number.

    A row has a number of changes, of which a page may need only some; `change` says which, if it is one.
    """
    first, end = _numbers(cursor, subscription_id, wanted)
    given = {
        **structs.asdict(wanted),
        "types": list(wanted.types),
        "of_types": list(wanted.types) or [event.__name__ for event in AUDITED],
        "subscription": subscription_id,
        "first": first,
        "end": min((each for each in (before, end) if each is not None), default=None),
        "before": before,
        "limit": limit,
    }
    return list(cursor.execute(f"{_query(wanted)} LIMIT %(limit)s", given))


def _query(wanted: AuditFilter) -> LiteralString:
    if wanted.email is not None:
        return f"{NAMING} {conditions(wanted)} {NEWEST_FIRST}"
    if wanted.group_id is not None:
        return f"{OF_GROUP} {conditions(wanted, 'group_id')} {NEWEST_FIRST}"
    if wanted.request_id is not None:
        return OF_REQUEST.format(conditions(wanted, "request_id"))
    if wanted.import_id is not None:
        return OF_TYPES.format(BY_IMPORT, conditions(wanted, "import_id", "types"))
    if wanted.actor is not None:
        return OF_TYPES.format(BY_ACTOR, conditions(wanted, "actor", "types"))
    if wanted.types:
        return OF_TYPES.format(BY_TYPE, conditions(wanted, "types"))
    return f"{ALL} {conditions(wanted)} {NEWEST_FIRST}"


def conditions(wanted: AuditFilter, *met: str) -> LiteralString:
    """Return the conditions of a filter on the rows `a` of the log in SQL, without those that are met already."""
    return " ".join(sql for name, sql in CONDITIONS.items() if getattr(wanted, name) and name not in met)


def _numbers(cursor: ViewCursor, subscription_id: UUID, wanted: AuditFilter) -> tuple[int | None, int | None]:
    """Return between which numbers the changes of a time are: from the first one to before the other.

    Times hardly ever go back, so that few others are between them. A change that is late by more than CLOCK_SECONDS
    has a number above those of its time.
    """
    if wanted.since is None and wanted.until is None:
        return None, None
    cursor.execute(
        """
        WITH reached AS NOT MATERIALIZED (
            SELECT at, number FROM audit_log WHERE subscription_id = %(subscription)s AND clock = 1
        )
        SELECT (SELECT number FROM reached WHERE at >= %(since)s ORDER BY at LIMIT 1) AS first,
               (SELECT number FROM reached WHERE at >= %(until)s::timestamptz + %(apart)s ORDER BY at LIMIT 1) AS end,
               (SELECT number FROM audit_log WHERE subscription_id = %(subscription)s AND clock = -1 AND at < %(until)s
                ORDER BY number DESC LIMIT 1) AS late
        """,
        {
            "subscription": subscription_id,
            "since": wanted.since,
            "until": wanted.until,
            "apart": timedelta(seconds=CLOCK_SECONDS),
        },
    )
    row = cursor.fetchone() or {}
    first, end, late = row["first"], row["end"], row["late"]
    if wanted.since is not None and first is None:
        return 1, 1  # nothing happened since
    return first, None if end is None else max(end, (late or 0) + 1)
