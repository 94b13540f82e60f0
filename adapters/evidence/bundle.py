"""Making the evidence of an import: everything from which somebody else can check what happened, in one archive.

The same events and checkpoint give the same bytes. The checkpoint is the earliest that vouches for all of the events,
so the bundle of an import that has come to rest stays the same. If there is none yet, a worker is asked to sign one.
"""

from __future__ import annotations

from hashlib import sha256
from pathlib import PurePath
from typing import IO, TYPE_CHECKING

from msgspec import json

from adapters.evidence.archive import Archive
from adapters.evidence.contents import (
    CHECKPOINT,
    EVENTS,
    MANIFEST,
    PAGE,
    PROOF,
    REPORT,
    ROSTERS,
    UPLOAD,
    EvidenceProof,
    EvidenceRecord,
    Listed,
    Manifest,
    lines,
)
from adapters.evidence.page import Told, render
from adapters.exports import import_report
from adapters.postgres.sealed_stream import Unsealed, last_append, records_of
from adapters.postgres.wakeups import CHECKPOINTS
from adapters.proofs import NoCheckpoint
from application.erased_files import file_erased
from domain.errors import Refused
from domain.multiproof import prove_many
from domain.signed_note import signed, unverified

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from adapters.composition import Rollcall
    from adapters.postgres.sealed_stream import SealedRecords
    from application.ports import BlobKind
    from projections.import_list.read import ImportRow

KINDS = {".csv", ".txt"}
CHECKPOINT_SECONDS = 5.0
"""How long a bundle waits for a checkpoint. A worker that has nothing else to do signs within one second."""


class NoSigningKey(Refused):
    """This server has no key to sign the evidence with. An operator has to set ROLLCALL_CHECKPOINT_KEY for it, too."""

    code = "no-signing-key"


def write_bundle(rollcall: Rollcall, row: ImportRow, out: IO[bytes]) -> None:
    """Write the evidence of an import to a file; raises NoSigningKey, NoCheckpoint, Unsealed and ArchiveTooLarge."""
    keys = rollcall.settings.checkpoints.signing_keys()
    if not keys:
        raise NoSigningKey
    last = last_append(rollcall.datastore, row.id)
    note = checkpoint_for(rollcall, last)
    origin, size = unverified(note)[:2]
    files = Files(Archive(out))
    told = Told(row.subscription_id, row.id)
    indexes: list[int] = []
    if not (erased := file_erased(rollcall, row.subscription_id, row.id, row.sha256)):
        files.add(UPLOAD + ending(row.file_name), _blob(rollcall, row, "file", row.sha256))
    files.add(EVENTS, _events(rollcall, row, last, told, indexes))
    for digest in told.rosters:
        files.add(ROSTERS + digest, _blob(rollcall, row, "roster", digest))
    files.add(CHECKPOINT, [note.encode()])
    files.add(PROOF, [json.encode(EvidenceProof(size, prove_many(indexes, size, rollcall.sealed_log.subtree)))])
    files.add(REPORT, import_report(rollcall, row))
    files.add(PAGE, [render(told, note, files.listed, erased.why if erased else "")])
    manifest = Manifest(origin, str(row.subscription_id), str(row.id), tuple(files.listed)).text()
    files.add(MANIFEST, [signed(manifest, [key.sign(manifest) for key in keys]).encode()])
    files.close()


def checkpoint_for(rollcall: Rollcall, position: int) -> str:
    """Return the earliest checkpoint that vouches for the log up to a position, and have one signed if there is none.

    Raises NoCheckpoint and Unsealed if no worker does in time.
    """
    deadline = rollcall.elapsed() + CHECKPOINT_SECONDS
    while True:
        count = rollcall.wakeups.count_changes(CHECKPOINTS)
        newest, found = rollcall.checkpoints.newest(), rollcall.sealed_log.sealed(position)
        if newest and found and (note := rollcall.checkpoints.covering(unverified(newest).origin, found[0] + 1)):
            return note
        if rollcall.elapsed() >= deadline:
            raise Unsealed if newest else NoCheckpoint
        rollcall.wakeups.ask_for_checkpoint()
        rollcall.wakeups.wait_for_change(CHECKPOINTS, count)


class Files:
    """An archive that is written, and the list of what is in it."""

    def __init__(self, archive: Archive) -> None:
        self._archive = archive
        self.listed: list[Listed] = []

    def add(self, name: str, pieces: Iterable[bytes]) -> None:
        """Add a file to the archive and to the list; raises ArchiveTooLarge."""
        digest, size = sha256(), 0

        def seen() -> Iterator[bytes]:
            nonlocal size
            for piece in pieces:
                digest.update(piece)
                size += len(piece)
                yield piece

        self._archive.add(name, seen())
        self.listed.append(Listed(name, digest.hexdigest(), size))

    def close(self) -> None:
        """Write the end of the archive."""
        self._archive.close()


def ending(name: str) -> str:
    """Return the ending that a file has here: programs may open those of rosters, and no others."""
    ending = PurePath(name).suffix.lower()
    return ending if ending in KINDS else ".bin"


def _blob(rollcall: Rollcall, row: ImportRow, kind: BlobKind, digest: str) -> Iterator[bytes]:
    for number in range(rollcall.blobs.chunk_count(row.subscription_id, kind, digest)):
        yield rollcall.blobs.chunk(row.subscription_id, kind, digest, number)


def _events(rollcall: Rollcall, row: ImportRow, last: int, told: Told, indexes: list[int]) -> Iterator[bytes]:
    """Yield the records up to the last one as lines, and note what they tell and the indexes of their leaves."""
    for found in records_of(rollcall.datastore, row.id, last):
        indexes += found.indexes
        records = list(records_in(found))
        for record in records:
            told.take(record)
        yield lines(records)


def records_in(found: SealedRecords) -> Iterator[EvidenceRecord]:
    """Yield records as they are bundled."""
    for index, position, frame, event, origin, event_salt, origin_salt in zip(
        found.indexes, *found.records, *found.salts, strict=True
    ):
        kept = found.kept.get(position, (None, None))
        yield EvidenceRecord(index, frame, event.decode(), event_salt, origin.decode(), origin_salt, *kept)
