"""What the audit log is filtered by, and where the changes are that a filter asks for.

A page takes as long at ten million changes as at a thousand: each filter has an index in the order of the log, and each
query is written so that PostgreSQL has no other choice, because it can't know how far apart the changes are. Only the
events of one group are read one by one, down to those of the page.
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
    ErasureStarted,
    SeatsChanged,
    SubscriptionClosed,
    SubscriptionCreated,
    SubscriptionErased,
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
    SubscriptionClosed,
    ErasureStarted,
    SubscriptionErased,
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
GROUP_TYPES: LiteralString = ", ".join(f"'{event.__name__}'" for event in GROUPS)


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
    "group_id": f"""AND a.type IN ({GROUP_TYPES}) AND EXISTS (
        SELECT FROM events AS e WHERE e.notification_id = reached.position AND e.originator_id = %(group_id)s
    )""",
    "request_id": """AND EXISTS (
        SELECT FROM events AS e JOIN appends AS made ON made.position = e.append_position
        WHERE e.notification_id = a.position
          AND %(request_id)s IN (made.origin ->> 'request_id', made.origin ->> 'client_request_id')
    )""",
    "since": "AND a.at >= %(since)s",
    "until": "AND a.at < %(until)s",
}
"""The conditions that no index is for: IS TRUE keeps the planner from taking one that is for another order.

A group's is on `reached`, the event that is one of those of the row `a`.
"""

# Each has the rows of a subscription from the newest on, in the order of an index. Every change of a row counts, unless
# `change` says which. `first` and `end` are the numbers between which the rows are.
COLUMNS: LiteralString = "a.subscription_id, a.number, a.listed, a.position, a.last, a.at, a.type"
BETWEEN: LiteralString = (
    "a.number >= coalesce(%(first)s::bigint, 1) AND a.number < coalesce(%(end)s::bigint, 9223372036854775807)"
)
NAMED_BETWEEN: LiteralString = BETWEEN.replace("a.number", "named.number")
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
# Who is or was in a group says at which positions they joined and left, and a licence at which it was given and taken.
# These are sorted before the first rows of a page are looked up, because somebody may be in very many groups.
# (SELECT …) keeps PostgreSQL from knowing that, and so from reading all memberships. Numbers of a subscription are in
# the order of positions.
POSITION_BETWEEN: LiteralString = """
    (%(first)s::bigint IS NULL OR reached.position >= (
        SELECT position FROM audit_log WHERE subscription_id = %(subscription)s AND number >= %(first)s
        ORDER BY number LIMIT 1
    ))
    AND (%(end)s::bigint IS NULL OR reached.position <= (
        SELECT position + least(%(end)s - 1 - number, last - position) FROM audit_log
        WHERE subscription_id = %(subscription)s AND number < %(end)s ORDER BY number DESC LIMIT 1
    ))
"""
REACHED_BETWEEN: LiteralString = f"{POSITION_BETWEEN} ORDER BY reached.position DESC"
# The row that an event is in, and which of its changes the event is.
ROW_REACHED: LiteralString = f"""
    SELECT {COLUMNS}, (reached.position - a.position)::int AS change FROM (
        SELECT * FROM audit_log WHERE position <= reached.position ORDER BY position DESC LIMIT 1
    ) AS a
    WHERE a.last >= reached.position AND (a.subscription_id = %(subscription)s) IS TRUE AND {BETWEEN}
"""
OF_GROUP: LiteralString = f"""
    SELECT * FROM (
        (
            SELECT {COLUMNS}, NULL::int AS change FROM audit_log AS a
            WHERE (a.subscription_id = %(subscription)s) IS TRUE AND a.group_id = %(group_id)s AND {BETWEEN} {{0}}
            ORDER BY a.number DESC LIMIT %(limit)s
        )
        UNION ALL
        (
            SELECT a.* FROM (
                SELECT reached.position FROM (
                    SELECT notification_id AS position, originator_version FROM events
                    WHERE originator_id = %(group_id)s
                ) AS reached
                WHERE {POSITION_BETWEEN} ORDER BY reached.originator_version DESC
            ) AS reached
            CROSS JOIN LATERAL ({ROW_REACHED} AND a.type IN ({GROUP_TYPES}) {{0}} OFFSET 0) AS a
            LIMIT %(limit)s  -- in the order of the stream, which is that of the log
        )
    ) AS a
"""
# Which of the changes of such an event is that of a user is the place of the user in the event.
OF_LICENCES: LiteralString = f"""
    SELECT a.*, named.change FROM (
        SELECT reached.position FROM (
            SELECT since AS position FROM directory_licences
            WHERE (subscription_id, email) = (%(subscription)s, (SELECT %(email)s::text))
            UNION ALL
            SELECT unnest(ARRAY[since, until]) FROM directory_past_licences
            WHERE (subscription_id, email) = (%(subscription)s, (SELECT %(email)s::text))
        ) AS reached
        WHERE {REACHED_BETWEEN}
    ) AS reached
    CROSS JOIN LATERAL (
        SELECT {COLUMNS} FROM audit_log AS a WHERE a.position = reached.position AND {BETWEEN} {{0}} OFFSET 0
    ) AS a
    CROSS JOIN LATERAL (
        SELECT place::int - 1 AS change
        FROM (
            SELECT convert_from(state, 'UTF8')::jsonb AS stated FROM events
            WHERE notification_id = reached.position AND subscription_id = %(subscription)s OFFSET 0
        ) AS e
        CROSS JOIN jsonb_array_elements(coalesce(stated -> 'users', stated -> 'emails'))
            WITH ORDINALITY AS listed (it, place)
        WHERE %(email)s IN (it ->> 'email', it #>> ARRAY[]::text[])
    ) AS named
    WHERE %(before)s::bigint IS NULL OR a.number + named.change < %(before)s
    ORDER BY reached.position DESC LIMIT %(limit)s
"""
NAMING: LiteralString = f"""
    SELECT * FROM (
        (
            SELECT a.* FROM audit_emails AS named CROSS JOIN LATERAL (
                SELECT {COLUMNS}, 0 AS change FROM audit_log AS a CROSS JOIN LATERAL (SELECT a.position) AS reached
                WHERE (a.subscription_id, a.number) = (named.subscription_id, named.number) {{0}} OFFSET 0
            ) AS a
            WHERE (named.email, named.subscription_id) = (%(email)s, %(subscription)s) AND {NAMED_BETWEEN}
            ORDER BY named.number DESC LIMIT %(limit)s
        )
        UNION ALL
        ({OF_LICENCES})
        UNION ALL
        (
            SELECT a.* FROM (
                SELECT reached.position FROM directory_members AS m
                CROSS JOIN LATERAL unnest(ARRAY[m.since, m.until]) AS reached (position)
                WHERE (m.email, m.subscription_id) = ((SELECT %(email)s::text), %(subscription)s)
                  AND {REACHED_BETWEEN}
            ) AS reached
            CROSS JOIN LATERAL ({ROW_REACHED} AND a.type <> 'GroupDeleted' {{0}} OFFSET 0) AS a
            ORDER BY reached.position DESC LIMIT %(limit)s
        )
    ) AS a
"""

# --- what operators are responsible for, in all subscriptions: few rows of a log, which have indexes of their own ---

OPERATED_ROWS: LiteralString = f"""
    a.type IN ({OPERATED_TYPES})
    AND (%(at)s::timestamptz IS NULL OR (a.at, a.subscription_id, a.number) < (%(at)s, %(last)s::uuid, %(number)s))
"""
LATEST_FIRST: LiteralString = "ORDER BY at DESC, subscription_id DESC, number DESC LIMIT %(limit)s"
OPERATED_OF_TYPES: LiteralString = f"""
    SELECT of_type.* FROM unnest(%(of_types)s::text[]) AS wanted (type) CROSS JOIN LATERAL (
        SELECT {COLUMNS}, NULL::int AS change FROM audit_log AS a
        WHERE {{}} AND a.type = wanted.type AND {OPERATED_ROWS} {{}}
        ORDER BY a.at DESC, a.subscription_id DESC, a.number DESC LIMIT %(limit)s
    ) AS of_type
    {LATEST_FIRST}
"""
OPERATED_NAMING: LiteralString = f"""
    SELECT * FROM (
        SELECT a.* FROM audit_emails AS named CROSS JOIN LATERAL (
            SELECT {COLUMNS}, NULL::int AS change FROM audit_log AS a
            WHERE (a.subscription_id, a.number) = (named.subscription_id, named.number) AND {OPERATED_ROWS} {{}}
            OFFSET 0
        ) AS a
        WHERE named.email = (SELECT %(email)s::text)
    ) AS a
    {LATEST_FIRST}
"""
# The appends of a request are found in each subscription, one after the other, so that appends need no index for it.
OPERATED_OF_REQUEST: LiteralString = f"""
    WITH RECURSIVE scopes (id) AS (
        (SELECT subscription_id FROM appends ORDER BY subscription_id LIMIT 1)
        UNION ALL
        SELECT (SELECT subscription_id FROM appends WHERE subscription_id > scopes.id ORDER BY subscription_id LIMIT 1)
        FROM scopes WHERE scopes.id IS NOT NULL
    )
    SELECT * FROM (
        SELECT {COLUMNS}, NULL::int AS change FROM scopes CROSS JOIN LATERAL (
            SELECT position, at FROM appends
            WHERE subscription_id = scopes.id AND origin ->> 'request_id' = %(request_id)s
            UNION
            SELECT position, at FROM appends
            WHERE subscription_id = scopes.id AND origin ? 'client_request_id'
              AND origin ->> 'client_request_id' = %(request_id)s
        ) AS made
        CROSS JOIN LATERAL (
            SELECT * FROM audit_log AS a WHERE a.at = made.at AND a.subscription_id = scopes.id AND {OPERATED_ROWS} {{}}
            OFFSET 0
        ) AS a
        CROSS JOIN LATERAL (
            SELECT FROM events AS e WHERE e.notification_id = a.position AND e.append_position = made.position OFFSET 0
        ) AS of_append
        OFFSET 0
    ) AS a
    {LATEST_FIRST}
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
        return f"{NAMING.format(conditions(wanted))} {NEWEST_FIRST}"
    if wanted.group_id is not None:
        return f"{OF_GROUP.format(conditions(wanted, 'group_id'))} {NEWEST_FIRST}"
    if wanted.request_id is not None:
        return OF_REQUEST.format(conditions(wanted, "request_id"))
    if wanted.import_id is not None:
        return OF_TYPES.format(BY_IMPORT, conditions(wanted, "import_id", "types"))
    if wanted.actor is not None:
        return OF_TYPES.format(BY_ACTOR, conditions(wanted, "actor", "types"))
    if wanted.types:
        return OF_TYPES.format(BY_TYPE, conditions(wanted, "types"))
    return f"{ALL} {conditions(wanted)} {NEWEST_FIRST}"


def operated(
    cursor: ViewCursor,
    wanted: AuditFilter,
    subscription_id: UUID | None,
    before: tuple[datetime, UUID, int] | None,
    limit: int | None,
) -> list[DictRow]:
    """Return the rows of a page of what operators are responsible for, latest first.

    They come before a time, scope and number.
    """
    at, last, number = before or (None, None, None)
    types = [event.__name__ for event in OPERATED if event.__name__ in wanted.types or not wanted.types]
    given = {
        **structs.asdict(wanted),
        "types": types,
        "of_types": types,
        "subscription": subscription_id,
        "at": at,
        "last": last,
        "number": number,
        "limit": limit,
    }
    return list(cursor.execute(_operated_query(wanted, subscription_id), given)) if types else []


def _operated_query(wanted: AuditFilter, subscription_id: UUID | None) -> LiteralString:
    within: LiteralString = " AND (a.subscription_id = %(subscription)s) IS TRUE" if subscription_id else ""
    if wanted.email is not None:
        return OPERATED_NAMING.format(conditions(wanted) + within)
    if wanted.request_id is not None:
        return OPERATED_OF_REQUEST.format(conditions(wanted, "request_id") + within)
    if wanted.actor is not None:
        return OPERATED_OF_TYPES.format("a.actor = %(actor)s", conditions(wanted, "actor", "types") + within)
    if subscription_id:
        return OPERATED_OF_TYPES.format("a.subscription_id = %(subscription)s", conditions(wanted, "types"))
    return OPERATED_OF_TYPES.format("TRUE", conditions(wanted, "types"))


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
               (SELECT number + listed FROM audit_log
                WHERE subscription_id = %(subscription)s AND clock = -1 AND at < %(until)s
                ORDER BY number DESC LIMIT 1) AS after_late
        """,
        {
            "subscription": subscription_id,
            "since": wanted.since,
            "until": wanted.until,
            "apart": timedelta(seconds=CLOCK_SECONDS),
        },
    )
    row = cursor.fetchone() or {}
    first, end, after_late = row["first"], row["end"], row["after_late"]
    if wanted.since is not None and first is None:
        return 1, 1  # nothing happened since
    return first, None if end is None else max(end, after_late or 0)
