"""An import as it stood at a version, with the licences, groups and earlier imports of then."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, cast, get_args

from msgspec import Struct, convert
from msgspec.structs import replace

from adapters.composition import Rollcall
from domain import import_session
from domain.edits import Edit
from domain.errors import NotFound
from domain.import_session import (
    CommitStarted,
    EncodingChosen,
    FormatDetected,
    FormatRejected,
    PartlyUndone,
    Progress,
    Reviewing,
    Undoing,
    Undone,
    Uploaded,
)
from domain.undo import UndoProgress, UndoStarted
from projections.import_list import read as import_list
from projections.import_list.read import EarlierImport, ImportRow, ImportState, progress_of, rows_corrected
from projections.log import records_of_review, records_of_stream
from projections.then import RELATIONS, RESULT, CursorThen, position_at, review_then

if TYPE_CHECKING:
    from collections.abc import Iterator
    from contextlib import AbstractContextManager
    from datetime import datetime
    from uuid import UUID

    from application.records import Record
    from domain.edits import Plan
    from domain.import_session import ImportEvent, ImportSession
    from projections.view import ViewCursor

READ = (FormatDetected, EncodingChosen, FormatRejected, *get_args(Edit))
SAME_FILES = 100


class Replay(Struct, frozen=True):
    """An import at a version. `position` is the last one at which that was the latest, None if it still is.

    `review` are the relations of its review then.
    """

    rollcall: Rollcall
    row: ImportRow
    position: int | None
    review: Mapping[str, str]

    @contextmanager
    def views(self, relations: Mapping[str, str] = RELATIONS) -> Iterator[ViewCursor]:
        """Open a cursor for the views as they were then, or for some of them."""
        with self.rollcall.views() as cursor:
            if self.position is None:
                yield cursor
            else:
                yield CursorThen(cursor.connection, self.position, self.review, relations)

    def result(self) -> AbstractContextManager[ViewCursor]:
        """Open a cursor for what the import had come to.

        A version may be in the middle of an append, whose last events say who was added to the groups. They count.
        """
        return self.views(RESULT)

    def same_file(self, cursor: ViewCursor) -> list[EarlierImport]:
        """Return the imports that had added something from the same bytes then (see `import_list.same_file`)."""
        row = self.row
        if self.position is None:
            return import_list.same_file(cursor, row.subscription_id, row.sha256, row.id)
        found = []
        for other in import_list.imports_of_file(cursor, row.subscription_id, row.sha256, limit=SAME_FILES):
            version = version_at(cursor, other.id, self.position)
            if version is None or other.id == row.id:
                continue
            then = row_at(self.rollcall, cursor, other, version)
            started = records_of_review(cursor, other.id, [CommitStarted], version)
            if started and (then.progress.groups_added or then.state == "committing"):
                found.append(_earlier(then, started[0]))
        return found[:5]


def _earlier(row: ImportRow, started: Record) -> EarlierImport:
    what = (row.id, row.file_name, row.state, row.progress.users_added, row.uploaded_by, row.uploaded_at)
    return EarlierImport(*what, started.origin.actor, started.at)


def replay_now(rollcall: Rollcall, row: ImportRow) -> Replay:
    """Return an import as it is."""
    return Replay(rollcall, row, None, {})


def replay_version(rollcall: Rollcall, row: ImportRow, version: int) -> Replay:
    """Return an import as it was when a version was the latest, for the last time; raises NotFound."""
    if not 1 <= version <= row.version:
        raise NotFound(what="version", id=version)
    if version == row.version:
        return replay_now(rollcall, row)
    with rollcall.views() as cursor:
        cursor.execute(
            "SELECT notification_id FROM events WHERE (originator_id, originator_version) = (%s, %s)",
            (row.id, version + 1),
        )
        (following,) = cursor
        return _replay(rollcall, cursor, row, version, following["notification_id"] - 1)


def replay_time(rollcall: Rollcall, row: ImportRow, at: datetime) -> Replay:
    """Return an import as it was at a time; raises NotFound if there was none."""
    with rollcall.views() as cursor:
        position = position_at(cursor, row.subscription_id, at)
        version = version_at(cursor, row.id, position)
        if version is None:
            raise NotFound(what="import", id=row.id)
        return _replay(rollcall, cursor, row, min(version, row.version), position)


def version_at(cursor: ViewCursor, stream: UUID, position: int) -> int | None:
    """Return the last version of a stream up to a position, None if it had no event."""
    cursor.execute(
        """
        SELECT max(originator_version) AS version FROM events WHERE originator_id = %s AND notification_id <= %s
        """,
        (stream, position),
    )
    (row,) = cursor
    return None if row["version"] is None else int(row["version"])


def _replay(rollcall: Rollcall, cursor: ViewCursor, row: ImportRow, version: int, position: int) -> Replay:
    then = row_at(rollcall, cursor, row, version)
    plan = reviewed_plan(cursor, row, version) if then.state == "reviewing" else None
    if plan is None:  # there was no review yet, or it was over, so its tables have what it came to
        return Replay(rollcall, then, position, {})
    read_again = row.read is not None and row.read.roster != plan.roster
    roster = rollcall.rosters.open(row.subscription_id, plan.roster)
    relations = review_then(row.id, plan, list(roster.problems()) if read_again else None)
    return Replay(rollcall, then, position, relations)


def reviewed_plan(cursor: ViewCursor, row: ImportRow, version: int) -> Plan | None:
    """Return the edits of an import's review up to a version, whatever happened after them; None without a roster."""
    session: ImportSession = Uploaded()
    events = [cast("ImportEvent", each.event) for each in records_of_review(cursor, row.id, READ, version)]
    session = import_session.fold(session, events)
    return session.plan if isinstance(session, Reviewing) else None


def row_at(rollcall: Rollcall, cursor: ViewCursor, row: ImportRow, version: int) -> ImportRow:
    """Return an import's row as it was at a version, without what isn't recorded: pace, and failed attempts."""
    stream = rollcall.events.load(row.id, import_session.fold, at_version=version)
    (last,) = rollcall.events.history(row.id, after=version - 1, limit=1)
    if stream is None:
        raise NotFound(what="version", id=version)
    found = records_of_review(cursor, row.id, (FormatDetected, EncodingChosen, FormatRejected), version)
    read = [each.event for each in found if isinstance(each.event, FormatDetected)]
    refused = [each.event.problems for each in found if isinstance(each.event, FormatRejected)]
    is_undone = isinstance(stream.state, Undoing | PartlyUndone | Undone)
    undos = records_of_stream(cursor, row.id, [UndoStarted], version) if is_undone else []
    progress = getattr(stream.state, "progress", Progress())
    undo = getattr(stream.state, "undo", UndoProgress())
    return replace(
        row,
        state=convert(stream.state.__struct_config__.tag, ImportState),
        version=version,
        read=read[-1] if read else None,
        progress=progress_of(read[-1].groups if read else 0, progress, undo),
        updated_at=last.at,
        file_problems=refused[-1] if refused else (),
        undone_by=undos[-1].origin.actor if undos else None,
        rows_corrected=rows_corrected(stream.state),
    )
