"""The list of imports: each import's file, state and progress."""

from __future__ import annotations

from collections import Counter
from datetime import datetime
from typing import TYPE_CHECKING, Literal, LiteralString, TypeAlias
from uuid import UUID

from msgspec import Struct, convert, json, structs

from application.records import Actor
from domain.import_session import EncodingChosen, FileUploaded, FormatDetected, Progress, Reviewing
from domain.problems import Problem
from domain.roster import FileFormat
from domain.undo import UndoProgress
from projections.packed import PackedStatement, call, dicts_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from psycopg.rows import DictRow

    from application.importing import ImportResult
    from domain.import_session import ImportSession
    from projections.view import ViewCursor

ImportState: TypeAlias = Literal[
    "uploaded",
    "reviewing",
    "committing",
    "stopped",
    "completed",
    "rejected",
    "closed",
    "discarded",
    "undoing",
    "partly_undone",
    "undone",
]


RUNNING: frozenset[ImportState] = frozenset({"committing", "undoing"})
"""Groups are being added or undone, or wait to be."""


class LastError(Struct, frozen=True):
    """Why no groups can be added or undone now, how often that failed since the last success, and the next attempt."""

    message: str
    failures: int
    failed_at: datetime
    retry_at: datetime

    def is_pausing(self, now: datetime) -> bool:
        """Return whether the next attempt is still to come; a clock that went back doesn't make that longer."""
        return self.failed_at <= now < self.retry_at


class ImportProgress(Struct, frozen=True):
    """How much of an import is done; `eta_seconds` is None unless groups are being added or undone at a known pace.

    `groups_undone` counts the groups that an undo has dealt with: of those, it deleted `groups_deleted`, and kept
    something in `groups_kept`. `users_added` and `users_removed` count users once per group, the latter also those of
    deleted groups. `last_error` is None unless the last attempt to add or undo groups failed.

    Of the groups added, `groups_created` were created and `groups_added_to` existed before; `groups_joined` are those
    whose users were added to the group of another group of the file, and `groups_unchanged` those whose users were in
    their group already. `users_already_there` and `users_left_out` (for want of a licence) count once per group, too.
    """

    groups_total: int
    groups_added: int
    groups_skipped: int
    users_added: int
    eta_seconds: float | None = None
    last_error: LastError | None = None
    groups_undone: int = 0
    groups_deleted: int = 0
    groups_kept: int = 0
    users_removed: int = 0
    groups_created: int = 0
    groups_added_to: int = 0
    groups_joined: int = 0
    groups_unchanged: int = 0
    users_already_there: int = 0
    users_left_out: int = 0


class ImportRow(Struct, frozen=True):
    """One import; `read` is the format and content of its file, or None for a refused file with `file_problems`.

    `undone_by` is who started its undo last, None if nobody did. `rows_corrected` is how many rows of the file can be
    read only because they were corrected.
    """

    id: UUID
    subscription_id: UUID
    file_name: str
    size_bytes: int
    sha256: str
    state: ImportState
    version: int
    read: FormatDetected | None
    progress: ImportProgress
    uploaded_by: Actor
    uploaded_at: datetime
    updated_at: datetime
    file_problems: tuple[Problem, ...] = ()
    undone_by: Actor | None = None
    rows_corrected: int = 0

    @property
    def run(self) -> tuple[int, int]:
        """How many groups the commit or undo has dealt with, and of how many."""
        progress = self.progress
        if self.state in {"undoing", "partly_undone", "undone"}:
            return progress.groups_undone, progress.groups_added
        return progress.groups_added + progress.groups_skipped, progress.groups_total

    @property
    def format(self) -> FileFormat | None:
        """The format that the file was read in."""
        return self.read.format if self.read else None

    @property
    def encoding(self) -> str | None:
        """The encoding that the file was read in."""
        return self.read.encoding if self.read else None

    @property
    def delimiter(self) -> str | None:
        """The delimiter between the file's cells."""
        return self.read.delimiter if self.read else None

    @property
    def counts(self) -> ImportCounts:
        """How much the file holds."""
        return counts(self.read, self.file_problems, self.rows_corrected)


DECODE_FILE = json.Decoder(FileUploaded).decode
DECODE_FORMAT = json.Decoder(FormatDetected | EncodingChosen).decode
DECODE_PROBLEMS = json.Decoder(tuple[Problem, ...]).decode
DECODE_ACTOR = json.Decoder(Actor).decode
COLUMNS = """
    imports.import_id, subscription_id, state, imports.version,
    file::text AS file, format::text AS format, problems::text AS problems,
    uploaded_by::text AS uploaded_by, uploaded_at, updated_at, rows_corrected,
    groups_total, groups_added, groups_skipped, users_added,
    groups_created, groups_joined, groups_unchanged, users_already_there, users_left_out,
    groups_undone, groups_deleted, groups_kept, users_removed, undone_by::text AS undone_by,
    run_started_at, run_started_after, message, failures, failed_at, retry_at
"""
# The worker's table, not the view's (adapters/postgres/commit_failures.py): what failed is no event.
IMPORTS = """
    imports LEFT JOIN commit_failures
        ON commit_failures.import_id = imports.import_id AND commit_failures.version = imports.version
        AND state IN ('committing', 'undoing')
"""


FIND = PackedStatement(f"SELECT {COLUMNS} FROM {IMPORTS} WHERE imports.import_id = $1::uuid".encode())


def find_import(cursor: ViewCursor, import_id: UUID) -> ImportRow | None:
    """Return one import, or None."""
    rows = dicts_of(call(cursor.connection, FIND, (import_id.bytes,)))
    return _import(rows[0]) if rows else None


def find_imports(cursor: ViewCursor, import_ids: Sequence[UUID]) -> dict[UUID, ImportRow]:
    """Return several imports by id; ids without an import are omitted."""
    cursor.execute(f"SELECT {COLUMNS} FROM {IMPORTS} WHERE imports.import_id = ANY(%s)", (list(import_ids),))
    return {row["import_id"]: _import(row) for row in cursor}


class ImportFilter(Struct, frozen=True):
    """Which imports to list: those that meet every condition set.

    `search` is part of the file's name, `actor` the id of who uploaded it. `since` and `until` are times between which
    it was uploaded, the latter excluded.
    """

    search: str = ""
    state: ImportState | None = None
    actor: str | None = None
    since: datetime | None = None
    until: datetime | None = None


ALL_IMPORTS = ImportFilter()
CONDITIONS: dict[str, LiteralString] = {
    "search": "AND strpos(lower(file ->> 'file_name'), lower(%(search)s)) > 0",
    "state": "AND state = %(state)s",
    "actor": "AND uploaded_by ->> 'id' = %(actor)s",
    "since": "AND uploaded_at >= %(since)s",
    "until": "AND uploaded_at < %(until)s",
}
FOLLOWING: LiteralString = """
    AND uploaded_at <= %(at)s AND (uploaded_at < %(at)s OR imports.import_id > %(import)s)
"""


def imports(
    cursor: ViewCursor,
    subscription_id: UUID,
    wanted: ImportFilter = ALL_IMPORTS,
    *,
    before: tuple[datetime, UUID] | None = None,
    limit: int | None = 100,
) -> list[ImportRow]:
    """Return a page of a subscription's imports, newest first, that match a filter and follow an upload time and id."""
    at, import_id = before or (None, None)
    conditions: LiteralString = " ".join(
        sql for name, sql in CONDITIONS.items() if getattr(wanted, name) not in {None, ""}
    )
    cursor.execute(
        f"""
        SELECT {COLUMNS} FROM {IMPORTS}
        WHERE subscription_id = %(subscription)s {conditions} {FOLLOWING if before else ""}
        ORDER BY uploaded_at DESC, imports.import_id LIMIT %(limit)s
        """,
        {
            **structs.asdict(wanted),
            "search": wanted.search.strip(),
            "subscription": subscription_id,
            "at": at,
            "import": import_id,
            "limit": limit,
        },
    )
    return [_import(row) for row in cursor]


def count_imports(cursor: ViewCursor, subscription_id: UUID) -> int:
    """Return how many imports a subscription has."""
    cursor.execute("SELECT count(*) AS imports FROM imports WHERE subscription_id = %s", (subscription_id,))
    (row,) = cursor
    return int(row["imports"])


class EarlierImport(Struct, frozen=True):
    """An import of the same file that added groups, or is adding them; `started_by` is who pressed *Add Groups*."""

    import_id: UUID
    file_name: str
    state: ImportState
    users_added: int
    uploaded_by: Actor
    uploaded_at: datetime
    started_by: Actor
    started_at: datetime


def same_file(
    cursor: ViewCursor, subscription_id: UUID, sha256: str, but: UUID | None = None, *, limit: int = 5
) -> list[EarlierImport]:
    """Return the imports of a subscription that added something from these bytes, newest first, without one of them."""
    cursor.execute(
        """
        SELECT import_id, file ->> 'file_name' AS file_name, state, users_added, uploaded_by::text AS uploaded_by,
            uploaded_at, started_by::text AS started_by, started_at
        FROM imports
        WHERE subscription_id = %s AND file ->> 'sha256' = %s AND import_id IS DISTINCT FROM %s
          AND (groups_added > 0 OR state = 'committing')
        ORDER BY uploaded_at DESC, import_id LIMIT %s
        """,
        (subscription_id, sha256, but, limit),
    )
    return [
        convert(
            row | {each: json.decode(row[each]) for each in ("uploaded_by", "started_by")},
            EarlierImport,
            builtin_types=(UUID, datetime),
        )
        for row in cursor
    ]


def imports_of_file(cursor: ViewCursor, subscription_id: UUID, sha256: str, *, limit: int) -> list[ImportRow]:
    """Return the imports of these bytes, newest first."""
    cursor.execute(
        f"""
        SELECT {COLUMNS} FROM {IMPORTS} WHERE subscription_id = %s AND file ->> 'sha256' = %s
        ORDER BY uploaded_at DESC, imports.import_id LIMIT %s
        """,
        (subscription_id, sha256, limit),
    )
    return [_import(row) for row in cursor]


def run_queue(cursor: ViewCursor) -> dict[UUID, LastError | None]:
    """Return all imports whose groups are being added or undone or wait to be, in the order in which they were started.

    With each comes why its last batch failed, if it did.
    """
    cursor.execute(
        f"""
        SELECT imports.import_id, message, failures, failed_at, retry_at FROM {IMPORTS}
        WHERE state IN ('committing', 'undoing') ORDER BY run_started_at, imports.import_id
        """
    )
    return {row["import_id"]: _last_error(row) for row in cursor}


def groups_added(cursor: ViewCursor) -> int:
    """Return how many groups all imports have added."""
    cursor.execute("SELECT coalesce(sum(groups_added), 0) AS added FROM imports")
    (row,) = cursor
    return int(row["added"])


def running_imports(cursor: ViewCursor, subscription_id: UUID) -> list[ImportRow]:
    """Return the imports of a subscription whose groups are being added or undone."""
    cursor.execute(
        f"""
        SELECT {COLUMNS} FROM {IMPORTS} WHERE subscription_id = %s AND state IN ('committing', 'undoing')
        ORDER BY run_started_at, imports.import_id
        """,
        (subscription_id,),
    )
    return [_import(row) for row in cursor]


def _import(row: DictRow) -> ImportRow:
    file = DECODE_FILE(row["file"])
    return ImportRow(
        id=row["import_id"],
        subscription_id=row["subscription_id"],
        file_name=file.file_name,
        size_bytes=file.size_bytes,
        sha256=file.sha256,
        state=row["state"],
        version=row["version"],
        read=DECODE_FORMAT(row["format"]) if row["format"] else None,
        progress=_progress(row),
        uploaded_by=DECODE_ACTOR(row["uploaded_by"]),
        uploaded_at=row["uploaded_at"],
        updated_at=row["updated_at"],
        file_problems=DECODE_PROBLEMS(row["problems"]),
        undone_by=DECODE_ACTOR(row["undone_by"]) if row["undone_by"] else None,
        rows_corrected=row["rows_corrected"],
    )


def _progress(row: DictRow) -> ImportProgress:
    total, added, skipped, undone = (row[f"groups_{each}"] for each in ("total", "added", "skipped", "undone"))
    eta, last_error = None, _last_error(row)
    done, of = (undone, added) if row["state"] == "undoing" else (added + skipped, total)
    in_this_run = done - row["run_started_after"]
    if row["state"] in {"committing", "undoing"} and in_this_run > 0 and last_error is None:
        seconds = (row["updated_at"] - row["run_started_at"]).total_seconds()
        eta = round(seconds / in_this_run * (of - done), 1)
    created, joined, unchanged = (row[f"groups_{each}"] for each in ("created", "joined", "unchanged"))
    rest = (undone, row["groups_deleted"], row["groups_kept"], row["users_removed"])
    return ImportProgress(
        total,
        added,
        skipped,
        row["users_added"],
        eta,
        last_error,
        *rest,
        groups_created=created,
        groups_added_to=added - created - joined - unchanged,
        groups_joined=joined,
        groups_unchanged=unchanged,
        users_already_there=row["users_already_there"],
        users_left_out=row["users_left_out"],
    )


def _last_error(row: DictRow) -> LastError | None:
    if row["message"] is None:
        return None
    return LastError(row["message"], row["failures"], row["failed_at"], row["retry_at"])


# --- for the interfaces ----------------------------------------------------------------------------------------------


class ImportCounts(Struct, frozen=True):
    """How much a file contains; `problems` counts the problems found by code.

    `rows_not_read` are the rows with something that can't be used, such as an address or the name of a group, without
    those that the review has corrected.
    """

    rows: int
    groups: int
    users: int
    memberships: int
    problems: dict[str, int]
    rows_not_read: int = 0


class ImportDocument(Struct, frozen=True):
    """An import as the API and the command line return it: unlike its row, with what is counted in the file.

    `format`, `encoding` and `delimiter` are None if the file was refused. `undone_by` is who started its undo last.
    """

    id: UUID
    subscription_id: UUID
    file_name: str
    size_bytes: int
    sha256: str
    state: ImportState
    format: FileFormat | None
    encoding: str | None
    delimiter: str | None
    version: int
    counts: ImportCounts
    progress: ImportProgress
    uploaded_by: Actor
    uploaded_at: datetime
    updated_at: datetime
    undone_by: Actor | None


def document(row: ImportRow) -> ImportDocument:
    """Return an import as the API and the command line return it."""
    return convert(row, ImportDocument, from_attributes=True)


def imported(result: ImportResult) -> ImportRow:
    """Return an import as a command left it, however far the view is behind."""
    updated_at, file = result.at, result.file
    assert updated_at is not None  # noqa: S101 - the command is over
    read = result.read if isinstance(result.read, FormatDetected) else None
    progress = getattr(result.session, "progress", Progress())
    undo = getattr(result.session, "undo", UndoProgress())
    return ImportRow(
        id=result.id,
        subscription_id=result.origin.subscription_id,
        file_name=file.file_name,
        size_bytes=file.size_bytes,
        sha256=file.sha256,
        state=convert(result.session.__struct_config__.tag, ImportState),
        version=result.version,
        read=read,
        progress=progress_of(read.groups if read else 0, progress, undo),
        uploaded_by=result.origin.actor,
        uploaded_at=result.uploaded or updated_at,
        updated_at=updated_at,
        file_problems=() if isinstance(result.read, FormatDetected) else result.read.problems,
        undone_by=result.undone_by,
        rows_corrected=rows_corrected(result.session),
    )


def rows_corrected(session: ImportSession) -> int:
    """Return how many rows of an import's file can be read because of its edits."""
    counted = session.plan if isinstance(session, Reviewing) else getattr(session, "progress", Progress())
    return counted.rows_corrected


def progress_of(groups: int, progress: Progress, undo: UndoProgress) -> ImportProgress:
    """Return how much of an import with so many groups is done, by its events alone."""
    return ImportProgress(
        groups,
        progress.added,
        progress.skipped,
        progress.users,
        groups_undone=undo.groups,
        groups_deleted=undo.deleted,
        groups_kept=undo.kept,
        users_removed=undo.removed,
        groups_created=progress.created,
        groups_added_to=progress.added - progress.created - progress.joined - progress.unchanged,
        groups_joined=progress.joined,
        groups_unchanged=progress.unchanged,
        users_already_there=progress.there,
        users_left_out=progress.left_out,
    )


def counts(read: FormatDetected | None, file_problems: Iterable[Problem] = (), corrected: int = 0) -> ImportCounts:
    """Return how much a file contains, some rows of which were corrected; for a refused file, only problems count."""
    if read is None:
        problems = Counter(problem.code for problem in file_problems)
        return ImportCounts(0, 0, 0, 0, dict(sorted(problems.items())))
    found = dict(sorted(read.problems.items()))
    return ImportCounts(read.rows, read.groups, read.users, read.memberships, found, read.rows_not_read - corrected)
