"""How the list of imports is kept: its table, and what each event writes to it. `import_list` reads it."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from msgspec import Struct, json

from domain.import_session import (
    CommitCompleted,
    CommitStarted,
    CommitStopped,
    FileUploaded,
    FormatDetected,
    FormatRejected,
    GroupAdded,
    GroupRenamed,
    GroupSkipped,
    ImportDiscarded,
    UserRemoved,
)
from projections.view import View, columns, copy_rows, told

if TYPE_CHECKING:
    from collections.abc import Sequence
    from uuid import UUID

    from application.records import Record
    from projections.import_list.read import ImportState
    from projections.view import ViewCursor

# Counters stay integers of their own, so that a batch is one update; what never changes is one document.
CREATE = """
    CREATE TABLE IF NOT EXISTS imports (
        import_id uuid PRIMARY KEY,
        subscription_id uuid NOT NULL,
        state text NOT NULL,
        version bigint NOT NULL,
        file jsonb NOT NULL,
        format jsonb,
        problems jsonb NOT NULL DEFAULT '[]',
        uploaded_by jsonb NOT NULL,
        uploaded_at timestamptz NOT NULL,
        updated_at timestamptz NOT NULL,
        groups_total integer NOT NULL DEFAULT 0,
        groups_added integer NOT NULL DEFAULT 0,
        groups_skipped integer NOT NULL DEFAULT 0,
        users_added bigint NOT NULL DEFAULT 0,
        run_started_at timestamptz,
        run_started_after integer NOT NULL DEFAULT 0
    );
    CREATE INDEX IF NOT EXISTS imports_newest ON imports (subscription_id, uploaded_at DESC, import_id);
    CREATE INDEX IF NOT EXISTS imports_committing ON imports (import_id) WHERE state = 'committing';
"""


STATES: dict[type, ImportState] = {
    FormatDetected: "reviewing",
    FormatRejected: "rejected",
    CommitStarted: "committing",
    CommitStopped: "stopped",
    CommitCompleted: "completed",
    ImportDiscarded: "discarded",
}


def _uploaded(cursor: ViewCursor, run: Sequence[Record]) -> None:
    copy_rows(
        cursor,
        "imports (import_id, subscription_id, state, version, file, uploaded_by, uploaded_at, updated_at)",
        (
            (
                r.originator_id,
                r.origin.subscription_id,
                "uploaded",
                r.originator_version,
                json.encode(event).decode(),
                json.encode(r.origin.actor).decode(),
                r.at,
                r.at,
            )
            for r, event in told(run, FileUploaded)
        ),
    )


def _detected(cursor: ViewCursor, run: Sequence[Record]) -> None:
    _moved(cursor, run)
    cursor.execute(
        """
        UPDATE imports AS i SET format = t.format, groups_total = t.groups
        FROM unnest(%s::uuid[], %s::jsonb[], %s::int[]) AS t (id, format, groups) WHERE i.import_id = t.id
        """,
        columns(
            ((r.originator_id, json.encode(event).decode(), event.groups) for r, event in told(run, FormatDetected)), 3
        ),
    )


def _rejected(cursor: ViewCursor, run: Sequence[Record]) -> None:
    _moved(cursor, run)
    cursor.execute(
        """
        UPDATE imports AS i SET problems = t.problems
        FROM unnest(%s::uuid[], %s::jsonb[]) AS t (id, problems) WHERE i.import_id = t.id
        """,
        columns(((r.originator_id, json.encode(event.problems).decode()) for r, event in told(run, FormatRejected)), 2),
    )


def _edited(cursor: ViewCursor, run: Sequence[Record]) -> None:
    latest = {r.originator_id: (r.originator_version, r.at) for r in run}
    cursor.execute(
        """
        UPDATE imports AS i SET version = t.version, updated_at = t.at
        FROM unnest(%s::uuid[], %s::bigint[], %s::timestamptz[]) AS t (id, version, at) WHERE i.import_id = t.id
        """,
        columns(((stream, *values) for stream, values in latest.items()), 3),
    )


def _started(cursor: ViewCursor, run: Sequence[Record]) -> None:
    _moved(cursor, run)
    cursor.execute(
        """
        UPDATE imports AS i SET run_started_at = t.at, run_started_after = groups_added + groups_skipped
        FROM unnest(%s::uuid[], %s::timestamptz[]) AS t (id, at) WHERE i.import_id = t.id
        """,
        columns({r.originator_id: r.at for r in run}.items(), 2),
    )


def _progressed(cursor: ViewCursor, run: Sequence[Record]) -> None:
    """Add a batch of groups up, import by import."""
    steps: dict[UUID, _Step] = {}
    for r in run:
        step = steps.get(r.originator_id, _Step())
        match r.event:
            case GroupAdded(users_added=users):
                steps[r.originator_id] = _Step(
                    r.originator_version, r.at, step.added + 1, step.skipped, step.users + users
                )
            case GroupSkipped():
                steps[r.originator_id] = _Step(r.originator_version, r.at, step.added, step.skipped + 1, step.users)
    cursor.execute(
        """
        UPDATE imports AS i
        SET version = t.version, updated_at = t.at, groups_added = groups_added + t.added,
            groups_skipped = groups_skipped + t.skipped, users_added = users_added + t.users
        FROM unnest(%s::uuid[], %s::bigint[], %s::timestamptz[], %s::int[], %s::int[], %s::bigint[])
            AS t (id, version, at, added, skipped, users)
        WHERE i.import_id = t.id
        """,
        columns(((i, s.version, s.at, s.added, s.skipped, s.users) for i, s in steps.items()), 6),
    )


def _moved(cursor: ViewCursor, run: Sequence[Record]) -> None:
    """Write the state, version and time that each import has after the run."""
    latest = {r.originator_id: (STATES[type(r.event)], r.originator_version, r.at) for r in run}
    cursor.execute(
        """
        UPDATE imports AS i SET state = t.state, version = t.version, updated_at = t.at
        FROM unnest(%s::uuid[], %s::text[], %s::bigint[], %s::timestamptz[]) AS t (id, state, version, at)
        WHERE i.import_id = t.id
        """,
        columns(((stream, *values) for stream, values in latest.items()), 4),
    )


class _Step(Struct, frozen=True):
    version: int = 0
    at: datetime | None = None
    added: int = 0
    skipped: int = 0
    users: int = 0


IMPORT_LIST = View(
    name="import_list",
    tables=("imports",),
    create=CREATE,
    handlers={
        FileUploaded: _uploaded,
        FormatDetected: _detected,
        FormatRejected: _rejected,
        GroupRenamed: _edited,
        UserRemoved: _edited,
        CommitStarted: _started,
        GroupAdded: _progressed,
        GroupSkipped: _progressed,
        CommitStopped: _moved,
        CommitCompleted: _moved,
        ImportDiscarded: _moved,
    },
)
