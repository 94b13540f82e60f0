"""How the list of imports is written: its table, and what each event writes to it."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING
from uuid import UUID

from msgspec import json
from msgspec.structs import astuple

from domain.addition import GroupAdded, GroupSkipped
from domain.edits import (
    AddressCorrected,
    GroupLeftOut,
    GroupRenamed,
    GroupTakenIn,
    UserAdded,
    UserRemoved,
    UserRestored,
)
from domain.import_session import (
    CommitCompleted,
    CommitStarted,
    CommitStopped,
    EncodingChosen,
    FileUploaded,
    FormatDetected,
    FormatRejected,
    ImportClosed,
    ImportDiscarded,
    Progress,
)
from domain.undo import GroupKept, GroupUndone, UndoCompleted, UndoProgress, UndoStarted, UndoStopped
from projections.view import View, columns, events_of, insert_rows

if TYPE_CHECKING:
    from collections.abc import Sequence

    from application.records import Record
    from projections.import_list.read import ImportState
    from projections.view import ViewCursor

# Counters are columns, so that a batch is one update. Values that never change together form one document.
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
        rows_corrected integer NOT NULL DEFAULT 0,
        groups_total integer NOT NULL DEFAULT 0,
        groups_added integer NOT NULL DEFAULT 0,
        groups_skipped integer NOT NULL DEFAULT 0,
        users_added bigint NOT NULL DEFAULT 0,
        groups_created integer NOT NULL DEFAULT 0,
        groups_joined integer NOT NULL DEFAULT 0,
        groups_unchanged integer NOT NULL DEFAULT 0,
        users_already_there bigint NOT NULL DEFAULT 0,
        users_left_out bigint NOT NULL DEFAULT 0,
        groups_undone integer NOT NULL DEFAULT 0,
        groups_deleted integer NOT NULL DEFAULT 0,
        groups_kept integer NOT NULL DEFAULT 0,
        users_removed bigint NOT NULL DEFAULT 0,
        undone_by jsonb,
        started_by jsonb,
        started_at timestamptz,
        run_started_at timestamptz,
        run_started_after integer NOT NULL DEFAULT 0
    );
    CREATE INDEX IF NOT EXISTS imports_newest ON imports (subscription_id, uploaded_at DESC, import_id);
    CREATE INDEX IF NOT EXISTS imports_by_state
        ON imports (subscription_id, state, uploaded_at DESC, import_id);
    CREATE INDEX IF NOT EXISTS imports_by_person
        ON imports (subscription_id, (uploaded_by ->> 'id'), uploaded_at DESC, import_id);
    CREATE INDEX IF NOT EXISTS imports_running ON imports (import_id) WHERE state IN ('committing', 'undoing');
    CREATE INDEX IF NOT EXISTS imports_by_file ON imports (subscription_id, (file ->> 'sha256'));
"""


STATES: dict[type, ImportState] = {
    FormatDetected: "reviewing",
    EncodingChosen: "reviewing",
    FormatRejected: "rejected",
    CommitStarted: "committing",
    CommitStopped: "stopped",
    CommitCompleted: "completed",
    ImportDiscarded: "discarded",
    ImportClosed: "closed",
    UndoStarted: "undoing",
    UndoStopped: "partly_undone",
    UndoCompleted: "undone",
}


def _insert_imports(cursor: ViewCursor, run: Sequence[Record]) -> None:
    insert_rows(
        cursor,
        "imports (import_id, subscription_id, state, version, file, uploaded_by, uploaded_at, updated_at)",
        "uuid uuid text bigint jsonb jsonb timestamptz timestamptz",
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
            for r, event in events_of(run, FileUploaded)
        ),
    )


def _write_format(cursor: ViewCursor, run: Sequence[Record]) -> None:
    _write_state(cursor, run)
    cursor.execute(
        """
        UPDATE imports AS i SET format = t.format, groups_total = t.groups
        FROM unnest(%s::uuid[], %s::jsonb[], %s::int[]) AS t (id, format, groups) WHERE i.import_id = t.id
        """,
        columns(
            (
                (r.originator_id, json.encode(event).decode(), event.groups)
                for r, event in events_of(run, FormatDetected)
            ),
            3,
        ),
    )


def _write_problems(cursor: ViewCursor, run: Sequence[Record]) -> None:
    _write_state(cursor, run)
    cursor.execute(
        """
        UPDATE imports AS i SET problems = t.problems
        FROM unnest(%s::uuid[], %s::jsonb[]) AS t (id, problems) WHERE i.import_id = t.id
        """,
        columns(
            ((r.originator_id, json.encode(event.problems).decode()) for r, event in events_of(run, FormatRejected)), 2
        ),
    )


def _write_version(cursor: ViewCursor, run: Sequence[Record]) -> None:
    latest = {r.originator_id: (r.originator_version, r.at) for r in run}
    cursor.execute(
        """
        UPDATE imports AS i SET version = t.version, updated_at = t.at
        FROM unnest(%s::uuid[], %s::bigint[], %s::timestamptz[]) AS t (id, version, at) WHERE i.import_id = t.id
        """,
        columns(((stream, *values) for stream, values in latest.items()), 3),
    )


def _correct_rows(cursor: ViewCursor, run: Sequence[Record]) -> None:
    """Count the rows that can be read because of corrections."""
    _write_version(cursor, run)
    rows = Counter[UUID]()
    for r, event in events_of(run, AddressCorrected):
        rows[r.originator_id] += event.rows
    cursor.execute(
        """
        UPDATE imports AS i SET rows_corrected = rows_corrected + t.rows
        FROM unnest(%s::uuid[], %s::int[]) AS t (id, rows) WHERE i.import_id = t.id
        """,
        columns(rows.items(), 2),
    )


def _start_run(cursor: ViewCursor, run: Sequence[Record]) -> None:
    _write_state(cursor, run)
    cursor.execute(
        """
        UPDATE imports AS i SET run_started_at = t.at,
            run_started_after = CASE state WHEN 'undoing' THEN groups_undone ELSE groups_added + groups_skipped END
        FROM unnest(%s::uuid[], %s::timestamptz[]) AS t (id, at) WHERE i.import_id = t.id
        """,
        columns({r.originator_id: r.at for r in run}.items(), 2),
    )


def _start_commit(cursor: ViewCursor, run: Sequence[Record]) -> None:
    _start_run(cursor, run)
    first = {r.originator_id: (json.encode(r.origin.actor).decode(), r.at) for r in reversed(run)}
    cursor.execute(
        """
        UPDATE imports AS i SET started_by = t.actor, started_at = t.at
        FROM unnest(%s::uuid[], %s::jsonb[], %s::timestamptz[]) AS t (id, actor, at)
        WHERE i.import_id = t.id AND i.started_at IS NULL
        """,
        columns(((import_id, *values) for import_id, values in first.items()), 3),
    )


def _start_undo(cursor: ViewCursor, run: Sequence[Record]) -> None:
    _start_run(cursor, run)
    cursor.execute(
        """
        UPDATE imports AS i SET undone_by = t.actor
        FROM unnest(%s::uuid[], %s::jsonb[]) AS t (id, actor) WHERE i.import_id = t.id
        """,
        columns({r.originator_id: json.encode(r.origin.actor).decode() for r in run}.items(), 2),
    )


def _count_groups(cursor: ViewCursor, run: Sequence[Record]) -> None:
    """Add a batch of groups to the counters of their imports."""
    batches: dict[UUID, Progress] = {}
    for r in run:
        if isinstance(r.event, GroupAdded | GroupSkipped):
            batches[r.originator_id] = batches.get(r.originator_id, Progress()).after(r.event)
    _write_version(cursor, run)
    cursor.execute(
        """
        UPDATE imports AS i
        SET groups_added = groups_added + t.added, groups_skipped = groups_skipped + t.skipped,
            users_added = users_added + t.users, groups_created = groups_created + t.created,
            groups_joined = groups_joined + t.joined, groups_unchanged = groups_unchanged + t.unchanged,
            users_already_there = users_already_there + t.there, users_left_out = users_left_out + t.left_out
        FROM unnest(%s::uuid[], %s::int[], %s::int[], %s::int[], %s::bigint[], %s::int[], %s::int[], %s::int[],
                    %s::bigint[], %s::bigint[])
            AS t (id, done, added, skipped, users, created, joined, unchanged, there, left_out)
        WHERE i.import_id = t.id
        """,
        columns(((import_id, *astuple(counts)[:9]) for import_id, counts in batches.items()), 10),
    )


def _count_undone(cursor: ViewCursor, run: Sequence[Record]) -> None:
    """Add a batch of groups that were undone or kept to the counters of their imports."""
    batches: dict[UUID, UndoProgress] = {}
    for r in run:
        if isinstance(r.event, GroupUndone | GroupKept):
            batches[r.originator_id] = batches.get(r.originator_id, UndoProgress()).after(r.event)
    _write_version(cursor, run)
    cursor.execute(
        """
        UPDATE imports AS i
        SET groups_undone = groups_undone + t.groups, groups_deleted = groups_deleted + t.deleted,
            users_removed = users_removed + t.removed, groups_kept = groups_kept + t.kept
        FROM unnest(%s::uuid[], %s::int[], %s::int[], %s::int[], %s::bigint[], %s::int[])
            AS t (id, done, groups, deleted, removed, kept)
        WHERE i.import_id = t.id
        """,
        columns(((import_id, *astuple(counts)) for import_id, counts in batches.items()), 6),
    )


def _write_state(cursor: ViewCursor, run: Sequence[Record]) -> None:
    """Write each import's state, version and time after the run."""
    latest = {r.originator_id: (STATES[type(r.event)], r.originator_version, r.at) for r in run}
    cursor.execute(
        """
        UPDATE imports AS i SET state = t.state, version = t.version, updated_at = t.at
        FROM unnest(%s::uuid[], %s::text[], %s::bigint[], %s::timestamptz[]) AS t (id, state, version, at)
        WHERE i.import_id = t.id
        """,
        columns(((stream, *values) for stream, values in latest.items()), 4),
    )


IMPORT_LIST = View(
    name="import_list",
    tables=("imports",),
    create=CREATE,
    handlers={
        FileUploaded: _insert_imports,
        FormatDetected: _write_format,
        EncodingChosen: _write_format,
        FormatRejected: _write_problems,
        GroupRenamed: _write_version,
        UserRemoved: _write_version,
        UserRestored: _write_version,
        UserAdded: _write_version,
        AddressCorrected: _correct_rows,
        GroupLeftOut: _write_version,
        GroupTakenIn: _write_version,
        CommitStarted: _start_commit,
        GroupAdded: _count_groups,
        GroupSkipped: _count_groups,
        CommitStopped: _write_state,
        CommitCompleted: _write_state,
        ImportDiscarded: _write_state,
        ImportClosed: _write_state,
        UndoStarted: _start_undo,
        GroupUndone: _count_undone,
        GroupKept: _count_undone,
        UndoStopped: _write_state,
        UndoCompleted: _write_state,
    },
    version=4,
)
