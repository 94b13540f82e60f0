"""How the audit log is written: its tables, and what each event writes to them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, LiteralString, NamedTuple

from domain.access import AccessGranted, AccessRevoked
from domain.downloads import FileDownloaded
from domain.edits import AddressCorrected, UserAdded, UserRemoved, UserRestored
from domain.identity import IdentityBound, IdentityReleased, SessionsEnded
from domain.subscription import LicencesAllocated, LicencesRevoked
from projections.arrays import arrays
from projections.reports.audit_filters import AUDITED, CLOCK_SECONDS, GROUPS, OPERATED_TYPES
from projections.view import LastRows, View, insert_rows

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from uuid import UUID

    from application.records import Event, Record
    from projections.view import ViewCursor

# Times are looked up to find numbers, because the log is in the order of numbers and clocks may differ. `clock` is 1
# where an event is later than all before it in its subscription, -1 where it is earlier than one of those by more than
# CLOCK_SECONDS, and otherwise 0, as it is for all but the first event of an append.
#
# A row is `listed` as so many changes, which are numbered from `number`. It stands for one event, or for a run of
# events of groups, one change each: those at the positions from `position` to `last` (see `_runs`). The events of a
# group are found by its stream, so only downloads have a `group_id`. Those of groups and licences are found by the
# memberships and the licences of the directory, too, so only the addresses of other events are kept.
CREATE = f"""
    CREATE TABLE IF NOT EXISTS audit_log (
        subscription_id uuid NOT NULL,
        number bigint NOT NULL,
        listed integer NOT NULL,
        position bigint NOT NULL UNIQUE,
        last bigint NOT NULL,
        at timestamptz NOT NULL,
        clock smallint NOT NULL,
        type text NOT NULL,
        actor text NOT NULL,
        import_id uuid,
        group_id uuid,
        request_id text NOT NULL,
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

LAST_ROWS: LiteralString = """
    SELECT wanted.subscription_id, latest.at AS latest, last.* FROM unnest(%b::uuid[]) AS wanted (subscription_id)
    CROSS JOIN LATERAL (
        SELECT number + listed AS following, position, last, at, type, actor, import_id, request_id FROM audit_log
        WHERE subscription_id = wanted.subscription_id ORDER BY number DESC LIMIT 1
    ) AS last
    CROSS JOIN LATERAL (
        SELECT at FROM audit_log WHERE subscription_id = wanted.subscription_id AND clock = 1 ORDER BY at DESC LIMIT 1
    ) AS latest
"""
FIRST = (1, datetime.min.replace(tzinfo=UTC))


class _Last(NamedTuple):
    """The last row of a subscription: the number that follows its changes, and the latest time of the log so far."""

    following: int
    latest: datetime
    position: int
    last: int
    shared: _Shared


def _insert_changes(cursor: ViewCursor, records: Sequence[Record], last: dict[UUID, _Last]) -> None:
    rows: list[tuple[object, ...]] = []
    longer: list[tuple[object, ...]] = []
    named: list[tuple[object, ...]] = []
    for first, end in _runs(records):
        subscription, shared = first.origin.subscription_id, _shared(first)
        before = last.get(subscription)
        number, latest = (before.following, before.latest) if before else FIRST
        changes = _count(first.event) * (end - first.position + 1)
        position = first.position
        if before and (before.last + 1, before.shared) == (position, shared) and type(first.event) in GROUPS:
            position = before.position
            longer.append((position, end, changes))
        else:
            row = subscription, number, changes, position, end, _clock(first.at, latest), _downloaded(first.event)
            rows.append((*row, *shared))
        named += [(email, subscription, number) for email in _emails(first.event)]
        last[subscription] = _Last(number + changes, max(first.at, latest), position, end, shared)
    columns: LiteralString = "subscription_id, number, listed, position, last, clock, group_id"
    target = f"audit_log ({columns}, at, type, actor, import_id, request_id)"
    insert_rows(cursor, target, "uuid bigint int bigint bigint int uuid timestamptz text text uuid text", rows)
    if longer:
        _lengthen(cursor, longer)
    if named:
        insert_rows(cursor, "audit_emails (email, subscription_id, number)", "text uuid bigint", named)


class _Shared(NamedTuple):
    """What the events of a run have in common."""

    at: datetime
    type: str
    actor: str
    import_id: UUID | None
    request_id: str


def _shared(record: Record) -> _Shared:
    origin = record.origin
    return _Shared(record.at, type(record.event).__name__, origin.actor.id, origin.import_id, origin.request_id)


def _runs(records: Sequence[Record]) -> Iterator[tuple[Record, int]]:
    """Return the events that rows stand for: each alone, or what a request did to groups, one event after the other.

    A run is its first event and the position of its last one. One that was cut off by the end of a batch goes on with
    the next one: the rows must not depend on batches.
    """
    first = before = records[0]
    for record in records[1:]:
        if not _in_one_run(before, record):
            yield first, before.position
            first = record
        before = record
    yield first, before.position


def _in_one_run(before: Record, record: Record) -> bool:
    if record.position != before.position + 1 or type(record.event) not in GROUPS:
        return False
    if record.origin is before.origin and record.at is before.at:
        return type(record.event) is type(before.event)
    return record.origin.subscription_id == before.origin.subscription_id and _shared(record) == _shared(before)


def _lengthen(cursor: ViewCursor, longer: Sequence[tuple[object, ...]]) -> None:
    cursor.execute(
        """
        UPDATE audit_log AS a SET last = t.last, listed = a.listed + t.listed
        FROM unnest(%b::bigint[], %b::bigint[], %b::int[]) AS t (position, last, listed)
        WHERE a.position = t.position
        """,
        arrays("bigint bigint int", longer),
    )


def _last_row(*, following: int, latest: datetime, position: int, last: int, **others: Any) -> _Last:
    return _Last(following, latest, position, last, _Shared(**{each: others[each] for each in _Shared._fields}))


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


def _downloaded(event: Event) -> UUID | None:
    """Return the group whose users were downloaded."""
    return event.group_id if isinstance(event, FileDownloaded) else None


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
    last=LastRows(LAST_ROWS, _last_row),
    version=7,
)
