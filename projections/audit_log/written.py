"""How the audit log is written: its tables, and what each event writes to them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from domain.access import AccessGranted, AccessRevoked
from domain.edits import AddressCorrected, UserAdded, UserRemoved, UserRestored
from domain.identity import IdentityBound, IdentityReleased, SessionsEnded
from domain.subscription import LicencesAllocated, LicencesRevoked
from projections.arrays import array
from projections.reports.audit_filters import AUDITED, CLOCK_SECONDS, OPERATED_TYPES, group_of
from projections.view import View, insert_rows

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from uuid import UUID

    from application.records import Event, Record
    from projections.view import ViewCursor

# Times are looked up to find numbers, because the log is in the order of numbers and clocks may differ. `clock` is 1
# where an event is later than all before it in its subscription, -1 where it is earlier than one of those by more than
# CLOCK_SECONDS, and otherwise 0, as it is for all but the first event of an append.
#
# An event's changes are numbered from `number`. The events of groups and licences are found by the memberships and the
# licences of the directory, so only the addresses of other events are kept.
CREATE = f"""
    CREATE TABLE IF NOT EXISTS audit_log (
        subscription_id uuid NOT NULL,
        number bigint NOT NULL,
        changes integer NOT NULL,
        position bigint NOT NULL UNIQUE,
        at timestamptz NOT NULL,
        clock smallint NOT NULL,
        type text NOT NULL,
        actor text NOT NULL,
        import_id uuid,
        group_id uuid,
        PRIMARY KEY (subscription_id, number)
    );
    CREATE INDEX IF NOT EXISTS audit_log_by_type ON audit_log (subscription_id, type, number);
    CREATE INDEX IF NOT EXISTS audit_log_by_actor ON audit_log (subscription_id, actor, type, number);
    CREATE INDEX IF NOT EXISTS audit_log_by_import ON audit_log (import_id, type, number) WHERE import_id IS NOT NULL;
    CREATE INDEX IF NOT EXISTS audit_log_by_group ON audit_log (group_id, number) WHERE group_id IS NOT NULL;
    CREATE INDEX IF NOT EXISTS audit_log_by_time ON audit_log (subscription_id, at, number) WHERE clock = 1;
    CREATE INDEX IF NOT EXISTS audit_log_of_late ON audit_log (subscription_id, number) WHERE clock = -1;
    CREATE INDEX IF NOT EXISTS audit_log_of_operators_by_type ON audit_log (type, at, subscription_id, number)
        WHERE type IN ({OPERATED_TYPES});
    CREATE INDEX IF NOT EXISTS audit_log_of_operators_by_actor ON audit_log (actor, type, at, subscription_id, number)
        WHERE type IN ({OPERATED_TYPES});
    CREATE INDEX IF NOT EXISTS audit_log_of_operators_by_scope ON audit_log (subscription_id, type, at, number)
        WHERE type IN ({OPERATED_TYPES});
    CREATE TABLE IF NOT EXISTS audit_emails (
        email text NOT NULL,
        subscription_id uuid NOT NULL,
        number bigint NOT NULL,
        PRIMARY KEY (email, subscription_id, number)
    );
"""

FIRST = (1, datetime.min.replace(tzinfo=UTC))


def _insert_changes(cursor: ViewCursor, run: Sequence[Record]) -> None:
    following = _last_changes(cursor, {record.origin.subscription_id for record in run})
    rows: list[tuple[object, ...]] = []
    named: list[tuple[object, ...]] = []
    for record in run:
        subscription, event, origin = record.origin.subscription_id, record.event, record.origin
        number, latest = following.get(subscription, FIRST)
        clock = _clock(record.at, latest)
        changes = _count(event)
        group = group_of(record)
        what = (
            changes,
            record.position,
            record.at,
            clock,
            type(event).__name__,
            origin.actor.id,
            origin.import_id,
            group,
        )
        rows.append((subscription, number, *what))
        named += [(email, subscription, number) for email in _emails(event)]
        following[subscription] = number + changes, max(record.at, latest)
    target = "audit_log (subscription_id, number, changes, position, at, clock, type, actor, import_id, group_id)"
    insert_rows(cursor, target, "uuid bigint int bigint timestamptz int text text uuid uuid", rows)
    if named:
        insert_rows(cursor, "audit_emails (email, subscription_id, number)", "text uuid bigint", named)


def _last_changes(cursor: ViewCursor, subscriptions: Iterable[UUID]) -> dict[UUID, tuple[int, datetime]]:
    """Return the number of the next change of each subscription that has any, and its latest time."""
    cursor.execute(
        """
        SELECT wanted.id, last.following, latest.at FROM unnest(%b::uuid[]) AS wanted (id)
        CROSS JOIN LATERAL (
            SELECT number + changes AS following FROM audit_log WHERE subscription_id = wanted.id
            ORDER BY number DESC LIMIT 1
        ) AS last
        CROSS JOIN LATERAL (
            SELECT at FROM audit_log WHERE subscription_id = wanted.id AND clock = 1 ORDER BY at DESC LIMIT 1
        ) AS latest
        """,
        (array("uuid", subscriptions),),
    )
    return {row["id"]: (row["following"], row["at"]) for row in cursor}


def _clock(at: datetime, latest: datetime) -> int:
    if at > latest:
        return 1
    return -1 if latest - at > timedelta(seconds=CLOCK_SECONDS) else 0


def _count(event: Event) -> int:
    """Return how many changes an event is listed as."""
    match event:
        case LicencesAllocated(users=listed) | LicencesRevoked(emails=listed):
            return len(listed)
        case _:
            return 1


def _emails(event: Event) -> Sequence[str]:
    """Return the addresses that an event names, but for those of a group's users and of users with a licence."""
    match event:
        case UserRemoved(email=email) | UserRestored(email=email) | UserAdded(email=email):
            return [email]
        case AddressCorrected(old, new):
            return list({old: None, new: None})
        case AccessGranted(email=email) | AccessRevoked(email=email):
            return [email]
        case IdentityBound(email=email) | IdentityReleased(email=email) | SessionsEnded(email=email):
            return [email]
        case _:
            return []


AUDIT_LOG = View(
    name="audit_log",
    tables=("audit_log", "audit_emails"),
    create=CREATE,
    handlers=dict.fromkeys(AUDITED, _insert_changes),
    version=6,
)
