"""Say in which encodings a file could be, and read it again in the one that somebody chose."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct
from msgspec.structs import replace

from application.decisions import Decision, decide_and_append, unless_stale
from application.importing import ImportResult, file_and_reading, find_session, session_decision
from application.ports import BlobMissing
from domain import import_session
from domain.files.encodings import ENCODINGS, readings, samples
from domain.import_session import FormatDetected, ImportEvent, ImportSession, Reviewing

if TYPE_CHECKING:
    from uuid import UUID

    from application.ports import Ports
    from application.reading import ReadRoster
    from application.records import Origin

SAMPLED_CHUNKS = 4
SAMPLES = 5


class EncodingChoice(Struct, frozen=True):
    """An encoding that a file could be in, its name for people, and how some of the file's cells read in it."""

    encoding: str
    name: str
    samples: tuple[str, ...]


def encoding_choices(ports: Ports, subscription_id: UUID, sha256: str) -> list[EncodingChoice]:
    """Return the encodings that a stored file could be in, the likeliest first, by the first cells beyond ASCII.

    There are none if its beginning, some megabytes, is ASCII. There are none either if the file was erased.
    """
    try:
        chunks = range(min(ports.blobs.chunk_count(subscription_id, "file", sha256), SAMPLED_CHUNKS))
        content = b"".join(ports.blobs.chunk(subscription_id, "file", sha256, number) for number in chunks)
    except BlobMissing:
        return []
    lines = content[: content.rfind(b"\n") + 1] or content
    if lines.isascii():
        return []
    return [
        EncodingChoice(each.encoding, ENCODINGS[each.encoding], samples(lines, each.encoding, SAMPLES))
        for each in readings(lines)
    ]


def choose_encoding(ports: Ports, origin: Origin, read: ReadRoster, expected: int | None) -> ImportResult:
    """Take the import's file as it reads in another encoding.

    Raises NotFound, EditsInTheWay, Stale and WrongState.
    """

    def decide() -> Decision[ImportResult]:
        stream = find_session(ports, origin)
        _, before = file_and_reading(ports, stream.id)

        def decide_on_session(session: ImportSession) -> ImportEvent | None:
            if not isinstance(session, Reviewing) or not isinstance(before.event, FormatDetected):
                raise import_session.wrong_state(session, "edit")
            return import_session.choose_encoding(session, read.detected, before=before.event)

        event = unless_stale(stream, expected, decide_on_session)
        if isinstance(event, FormatDetected):
            event = replace(event, roster=ports.blobs.put(origin.subscription_id, "roster", read.chunks))
        return session_decision(ports, stream, event)

    return decide_and_append(ports, origin, decide)
