"""Upload a file, discard its import, or end that after a stop. Edits are in `editing`."""

from __future__ import annotations

from functools import partial
from hashlib import sha256
from typing import TYPE_CHECKING

from msgspec.structs import replace

from application.decisions import CommandResult, Decision, append_to, decide_and_append, detailed, unless_stale
from application.ports import Stream
from application.reading import read_file
from application.rosters import StoredRoster
from application.streams import IMPORT, SUBSCRIPTION, find, first_event
from domain import import_session
from domain.errors import KeyReused, NotFound
from domain.import_session import (
    Closed,
    Committing,
    Discarded,
    EncodingChosen,
    FileUploaded,
    FormatDetected,
    FormatRejected,
    ImportEvent,
    ImportSession,
    PartlyUndone,
    Reviewing,
    Stopped,
    Undoing,
    Undone,
)
from domain.naming import clean_file_name
from domain.problems import FileProblems

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from datetime import datetime
    from uuid import UUID

    from application.ports import Ports
    from application.reading import ReadFile
    from application.records import Actor, Origin, Record
    from domain.edits import Plan
    from domain.roster import Limits

UPLOAD_CHUNK = 1024 * 1024


class ImportResult(CommandResult, frozen=True, kw_only=True):
    """An import as a command leaves it: its file, what reading that came to, and its state.

    `origin` is that of the upload. `uploaded` is its time, None if the command itself was the upload. `undone_by` is
    who started its undo last, None if nobody did.
    """

    origin: Origin
    file: FileUploaded
    read: FormatDetected | FormatRejected
    session: ImportSession
    uploaded: datetime | None = None
    undone_by: Actor | None = None


def upload(
    ports: Ports,
    origin: Origin,
    file_name: str,
    media_type: str,
    content: bytes,
    limits: Limits,
    encoding: str = "",
    *,
    read: ReadFile | None = None,
) -> ImportResult:
    """Read a file that fits into memory, in an encoding if one was chosen, unless it was `read` already; record it.

    See `record_upload`.
    """
    name = clean_file_name(file_name)
    pieces = [content[start : start + UPLOAD_CHUNK] for start in range(0, len(content), UPLOAD_CHUNK)]
    uploaded = FileUploaded(name, media_type, len(content), store_file(ports, origin, pieces))
    return record_upload(ports, origin, uploaded, read or read_file(content, name, limits, encoding))


def store_file(ports: Ports, origin: Origin, pieces: Iterable[bytes]) -> str:
    """Store a file, given piece by piece, and return its SHA-256. It can be read at the same time.

    It isn't stored if there is an import with the id of the origin: then this is a repeated upload, or will be refused.
    Raises NotFound if there is no such subscription.
    """
    first_event(ports, origin, SUBSCRIPTION, origin.subscription_id)
    if origin.import_id is None or not ports.events.versions([origin.import_id]):
        return ports.blobs.put(origin.subscription_id, "file", pieces)
    digest = sha256()
    for piece in pieces:
        digest.update(piece)
    return digest.hexdigest()


def record_upload(ports: Ports, origin: Origin, uploaded: FileUploaded, read: ReadFile) -> ImportResult:
    """Record the upload of a file that was stored, together with what reading it came to.

    `origin.import_id` is the id of the new import. Repeating the same upload under the same id changes nothing. Raises
    KeyReused if the id belongs to another upload.
    """
    import_id = origin.import_id
    if import_id is None:
        raise ValueError("an upload needs the id of its import")

    def decide() -> Decision[ImportResult]:
        if ports.events.versions([import_id]):
            if first_event(ports, origin, IMPORT, import_id) != uploaded:
                raise KeyReused
            return session_decision(ports, find_session(ports, origin), None)
        read_as = _verdict(ports, origin.subscription_id, read)  # its roster is stored before the event that names it
        decision = append_to(import_id, 0, [uploaded, read_as])
        session = import_session.fold(None, [uploaded, read_as])
        return detailed(decision, ImportResult, origin=origin, file=uploaded, read=read_as, session=session)

    return decide_and_append(ports, origin, decide, ports.turns.upload(import_id))


def _verdict(ports: Ports, subscription_id: UUID, read: ReadFile) -> FormatDetected | FormatRejected:
    if isinstance(read, FileProblems):
        return FormatRejected(read.problems)
    return replace(read.detected, roster=ports.blobs.put(subscription_id, "roster", read.chunks))


def discard(ports: Ports, origin: Origin, expected: int | None) -> ImportResult:
    """Discard an import that has added nothing; raises NotFound, SomethingAdded, Stale and WrongState."""

    def decide(session: ImportSession) -> ImportEvent | None:
        match session:
            case Reviewing() | Stopped():
                return import_session.discard(session)
            case Discarded():
                return None
            case _:
                raise import_session.wrong_state(session, "discard")

    return _change_session(ports, origin, expected, decide)


def close(ports: Ports, origin: Origin, expected: int | None) -> ImportResult:
    """End a stopped import, and keep what it has added; raises NotFound, Stale and WrongState."""

    def decide(session: ImportSession) -> ImportEvent | None:
        match session:
            case Stopped():
                return import_session.close(session)
            case Closed():
                return None
            case _:
                raise import_session.wrong_state(session, "close")

    return _change_session(ports, origin, expected, decide)


def _change_session(
    ports: Ports, origin: Origin, expected: int | None, decide: Callable[[ImportSession], ImportEvent | None]
) -> ImportResult:
    def decide_on_stream() -> Decision[ImportResult]:
        stream = find_session(ports, origin)
        return session_decision(ports, stream, unless_stale(stream, expected, decide))

    return decide_and_append(ports, origin, decide_on_stream)


def session_decision(
    ports: Ports, stream: Stream[ImportSession], *events: ImportEvent | None, undone_by: Actor | None = None
) -> Decision[ImportResult]:
    """Decide to append events to an import, or none if what was asked for already holds.

    `undone_by` is who starts an undo by them.
    """
    happened = [event for event in events if event is not None]
    session = import_session.fold(stream.state, happened)
    chosen = next((event for event in happened if isinstance(event, EncodingChosen)), None)
    first, reading = file_and_reading(ports, stream.id)
    return detailed(
        append_to(stream.id, stream.version, happened),
        ImportResult,
        origin=first.origin,
        file=first.event,
        read=chosen or reading.event,
        session=session,
        uploaded=first.at,
        undone_by=undone_by or _undone_by(ports, stream),
    )


def _undone_by(ports: Ports, stream: Stream[ImportSession]) -> Actor | None:
    """Return who started an import's undo last: the origin of its events says it, except for that of the stop."""
    match stream.state:
        case Undoing() | Undone():
            return stream.origin.actor
        case PartlyUndone():
            (before_the_stop,) = ports.events.history(stream.id, after=stream.version - 2, limit=1)
            return before_the_stop.origin.actor
        case _:
            return None


def file_and_reading(ports: Ports, import_id: UUID) -> tuple[Record, Record]:
    """Return the records of an import's upload, and of what its file was last read as: they are its first ones."""
    first, reading, *later = ports.events.history(import_id, limit=3)
    while later and isinstance(later[0].event, EncodingChosen):
        reading = later[0]
        later = ports.events.history(import_id, after=reading.originator_version, limit=1)
    return first, reading


def stored_roster(ports: Ports, subscription_id: UUID, digest: str) -> StoredRoster:
    """Open the roster of an import; `digest` is the SHA-256 that it is stored under."""
    return StoredRoster(partial(ports.blobs.chunk, subscription_id, "roster", digest))


def find_session(ports: Ports, origin: Origin) -> Stream[ImportSession]:
    """Load the import of the origin; raises NotFound."""
    if origin.import_id is None:
        raise NotFound(what="import", id=None)
    return find(ports, origin, IMPORT, origin.import_id)


def plan_at(ports: Ports, import_id: UUID, version: int) -> Plan | None:
    """Return what a commit would have done at a version; None if there was no plan (the file was refused, say)."""
    stream = ports.events.load(import_id, import_session.fold, at_version=version)
    match stream:
        case Stream(version=found, state=Reviewing(plan) | Committing(plan) | Stopped(plan)) if found == version:
            return plan
        case _:
            return None
