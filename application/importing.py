"""Upload a file, rename its groups, remove users, discard it."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from hashlib import sha256
from typing import TYPE_CHECKING, TypeAlias

from msgspec import Struct
from msgspec.structs import replace

from application.decisions import CommandResult, append, deciding_anew, find, require, unless_stale
from application.ports import Stream
from application.rosters import StoredRoster, to_chunks
from domain import import_session
from domain.errors import KeyReused, NotFound
from domain.files.roster_file import read_roster
from domain.import_session import (
    Committing,
    Discarded,
    FileUploaded,
    FormatDetected,
    FormatRejected,
    ImportEvent,
    ImportSession,
    Plan,
    Reviewing,
    Stopped,
)
from domain.naming import clean_file_name, email_key, parse_group_name
from domain.problems import FileProblems
from domain.subscription import SubscriptionCreated

if TYPE_CHECKING:
    from collections.abc import Callable
    from uuid import UUID

    from application.ports import Ports
    from application.records import Origin
    from domain.roster import Limits, Roster, RosterGroup

UPLOAD_CHUNK = 1024 * 1024


class ReadRoster(Struct, frozen=True):
    """What a file was read as, and its roster laid out to be stored: chunks that can be gone through again."""

    detected: FormatDetected
    chunks: Iterable[bytes]


ReadFile: TypeAlias = FileProblems | ReadRoster


def upload(
    ports: Ports, origin: Origin, file_name: str, media_type: str, content: bytes, limits: Limits
) -> CommandResult:
    """Read a file that fits the memory, and record it (see `record_upload`)."""
    name = clean_file_name(file_name)
    pieces = [content[start : start + UPLOAD_CHUNK] for start in range(0, len(content), UPLOAD_CHUNK)]
    return record_upload(ports, origin, name, media_type, pieces, read_file(content, name, limits))


def read_file(content: bytes, name: str, limits: Limits) -> ReadFile:
    """Read a file's bytes; pure, so that another process can do it."""
    read = read_roster(content, name, limits)
    return read if isinstance(read, FileProblems) else ReadRoster(detected(read, ""), to_chunks(read))


def record_upload(
    ports: Ports, origin: Origin, name: str, media_type: str, pieces: Iterable[bytes], read: ReadFile
) -> CommandResult:
    """Record a file, its bytes piece by piece, and its verdict, whether it can be read or not.

    `origin.import_id` names the new import; the same upload under the same id is answered from what is there. Raises
    NotFound for a subscription that is not there, and KeyReused for another upload under the same id.
    """
    if origin.import_id is None:
        raise ValueError("an upload needs the id of its import")
    require(ports.events, origin, "subscription", origin.subscription_id, SubscriptionCreated)
    size = sum(len(piece) for piece in pieces)
    with ports.turns.upload(origin.import_id):  # nothing is stored that is then refused
        if ports.events.history(origin.import_id, limit=1):
            uploaded = FileUploaded(name, media_type, size, _sha256(pieces))
            return _uploaded_before(ports, origin, origin.import_id, uploaded)
        uploaded = FileUploaded(name, media_type, size, ports.blobs.put(origin.subscription_id, "file", pieces))
        return append(ports, origin, origin.import_id, 0, [uploaded, _verdict(ports, origin.subscription_id, read)])


def _sha256(pieces: Iterable[bytes]) -> str:
    digest = sha256()
    for piece in pieces:
        digest.update(piece)
    return digest.hexdigest()


def _verdict(ports: Ports, subscription_id: UUID, read: ReadFile) -> FormatDetected | FormatRejected:
    if isinstance(read, FileProblems):
        return FormatRejected(read.problems)
    return replace(read.detected, roster=ports.blobs.put(subscription_id, "roster", read.chunks))


def _uploaded_before(ports: Ports, origin: Origin, import_id: UUID, uploaded: FileUploaded) -> CommandResult:
    if require(ports.events, origin, "import", import_id, FileUploaded) != uploaded:
        raise KeyReused
    return CommandResult(import_id, ports.events.versions([import_id])[import_id])


def detected(read: Roster, digest: str) -> FormatDetected:
    """Say what a file was read as; `digest` is where its roster is kept."""
    return FormatDetected(
        format=read.format,
        encoding=read.encoding,
        delimiter=read.delimiter,
        header=read.header,
        rows=read.rows,
        groups=len(read.entries),
        users=len(read.users),
        memberships=read.memberships,
        problems=read.problem_counts,
        roster=digest,
    )


def rename_group(ports: Ports, origin: Origin, number: int, name: str, expected: int | None) -> CommandResult:
    """Give a group of the file another name; raises GroupNameInvalid, NotFound, Stale and WrongState."""
    new = parse_group_name(name)

    def group_of(plan: Plan) -> RosterGroup:
        return stored_roster(ports, origin.subscription_id, plan.roster).group(number)

    def decide(session: ImportSession) -> ImportEvent | None:
        match session:
            case Reviewing(plan):
                return import_session.rename_group(session, group_of(plan), new)
            case Committing(plan) | Stopped(plan) if plan.name(group_of(plan)) == new:
                return None
            case _:
                raise import_session.wrong_state(session, "edit")

    return _change(ports, origin, expected, decide)


def remove_user(ports: Ports, origin: Origin, number: int, email: str, expected: int | None) -> CommandResult:
    """Leave a user out of a group of the file; raises NotFound, Stale and WrongState."""

    def decide(session: ImportSession) -> ImportEvent | None:
        match session:
            case Reviewing(plan):
                group = stored_roster(ports, origin.subscription_id, plan.roster).group(number)
                return import_session.remove_user(session, group, email_key(email))
            case Committing(plan) | Stopped(plan) if email_key(email) in plan.removed.get(number, ()):
                return None
            case _:
                raise import_session.wrong_state(session, "edit")

    return _change(ports, origin, expected, decide)


def discard(ports: Ports, origin: Origin, expected: int | None) -> CommandResult:
    """Put an import away that has added nothing; raises NotFound, SomethingAdded, Stale and WrongState."""

    def decide(session: ImportSession) -> ImportEvent | None:
        match session:
            case Reviewing() | Stopped():
                return import_session.discard(session)
            case Discarded():
                return None
            case _:
                raise import_session.wrong_state(session, "discard")

    return _change(ports, origin, expected, decide)


def _change(
    ports: Ports,
    origin: Origin,
    expected: int | None,
    decide: Callable[[ImportSession], ImportEvent | None],
) -> CommandResult:
    def attempt() -> CommandResult:
        stream = find_session(ports, origin)
        event: ImportEvent | None = unless_stale(stream, expected, decide)
        if event is None:
            return CommandResult(stream.id, stream.version)
        return append(ports, origin, stream.id, stream.version, [event])

    return deciding_anew(attempt)


def stored_roster(ports: Ports, subscription_id: UUID, digest: str) -> StoredRoster:
    """Open the roster that was read from an import's file."""
    return StoredRoster(partial(ports.blobs.chunk, subscription_id, "roster", digest))


def find_session(ports: Ports, origin: Origin) -> Stream[ImportSession]:
    """Load the import the origin names; raises NotFound."""
    if origin.import_id is None:
        raise NotFound(what="import", id=None)
    return find(ports.events, origin, "import", origin.import_id, FileUploaded, import_session.evolve)


def plan_at(ports: Ports, import_id: UUID, version: int) -> Plan | None:
    """Return what a commit would have done at a version; None before the file was read, or if it was refused."""
    stream = ports.events.load(import_id, import_session.evolve, at_version=version)
    match stream:
        case Stream(version=found, state=Reviewing(plan) | Committing(plan) | Stopped(plan)) if found == version:
            return plan
        case _:
            return None
