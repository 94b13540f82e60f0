"""The export of a whole subscription: everything that is held of it, in one archive.

If the log is signed here, the archive proves itself as the evidence of an import does (see `bundle`), for all records.
"""

from __future__ import annotations

from contextlib import suppress
from functools import partial
from typing import IO, TYPE_CHECKING

from msgspec import json

from adapters.evidence.archive import Archive
from adapters.evidence.bundle import Files, checkpoint_for, ending, records_in
from adapters.evidence.contents import (
    CHECKPOINT,
    EVENTS,
    EVERYTHING,
    FILES,
    MANIFEST,
    PROOF,
    ROSTERS,
    EvidenceProof,
    Manifest,
    lines,
)
from adapters.exports import export, import_report
from adapters.postgres.sealed_stream import last_append_of_subscription, records_of_subscription
from application.ports import BlobMissing
from domain.multiproof import prove_many
from domain.signed_note import signed, unverified
from projections.import_list import read as import_list

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from uuid import UUID

    from adapters.composition import Rollcall
    from application.ports import BlobKind
    from projections.directory.read import SubscriptionRow
    from projections.import_list.read import ImportRow

README = "README.txt"
TOLD = """\
Everything that Rollcall holds of the subscription {name} ({id}).

subscription.json    its name, seats and state
groups.csv           its groups with their users, as a file to import
users.csv            its users with a licence, as a licence file
imports.ndjson       its imports, and what became of them
files/               the uploaded files under their SHA-256, as imports.ndjson names them
reports/             what became of each row of an import, by the import's id
rosters/             what Rollcall read from the files, compressed
audit-log.ndjson     who did what, newest first
events.ndjson        all events, as they are stored and sealed
{proof}
"""
PROVEN = """\
proof.json, checkpoint.txt and manifest.txt prove that nothing was altered:

    rollcall audit verify FILE.zip --key PUBLIC_KEY"""
UNPROVEN = "This server doesn't sign the log, so nothing in here proves that it wasn't altered."


def write_everything(rollcall: Rollcall, row: SubscriptionRow, out: IO[bytes]) -> None:
    """Write all that is held of a subscription to a file; raises NoCheckpoint, Unsealed and ArchiveTooLarge."""
    files, keys = Files(Archive(out)), rollcall.settings.checkpoints.signing_keys()
    proof = PROVEN if keys else UNPROVEN
    files.add(README, [TOLD.format(name=row.name, id=row.id, proof=proof).encode()])
    files.add("subscription.json", [json.encode(row)])
    files.add("groups.csv", export(rollcall.views, row.id, "groups-group-based", "csv"))
    files.add("users.csv", export(rollcall.views, row.id, "users", "csv"))
    with rollcall.views() as cursor:
        imports = import_list.imports(cursor, row.id, limit=None)
    files.add("imports.ndjson", (json.encode(each) + b"\n" for each in imports))
    for each in imports:
        files.add(f"reports/{each.id}.csv", import_report(rollcall, each))
    _add_blobs(rollcall, files, imports)
    files.add("audit-log.ndjson", export(rollcall.views, row.id, "audit", "ndjson"))
    last = last_append_of_subscription(rollcall.datastore, row.id)
    while rollcall.sealed_log.seal():
        pass
    indexes: list[int] = []
    files.add(EVENTS, _events(rollcall, row, last, indexes))
    if keys:
        _prove(rollcall, row, files, indexes, checkpoint_for(rollcall, last))
    files.close()


def _prove(rollcall: Rollcall, row: SubscriptionRow, files: Files, indexes: list[int], note: str) -> None:
    origin, size = unverified(note)[:2]
    files.add(CHECKPOINT, [note.encode()])
    files.add(PROOF, [json.encode(EvidenceProof(size, prove_many(indexes, size, rollcall.sealed_log.subtree)))])
    manifest = Manifest(origin, str(row.id), str(EVERYTHING), tuple(files.listed)).text()
    keys = rollcall.settings.checkpoints.signing_keys()
    files.add(MANIFEST, [signed(manifest, [key.sign(manifest) for key in keys]).encode()])


def _add_blobs(rollcall: Rollcall, files: Files, imports: Sequence[ImportRow]) -> None:
    """Add the uploaded files that are there, and what was read from them, each once."""
    wanted: dict[tuple[UUID, BlobKind, str], str] = {}
    for each in imports:
        wanted[each.subscription_id, "file", each.sha256] = FILES + each.sha256 + ending(each.file_name)
        if each.read:
            wanted[each.subscription_id, "roster", each.read.roster] = ROSTERS + each.read.roster
    for place, name in wanted.items():
        with suppress(BlobMissing):  # it was erased: see application.erased_files
            count = rollcall.blobs.chunk_count(*place)
            files.add(name, map(partial(rollcall.blobs.chunk, *place), range(count)))


def _events(rollcall: Rollcall, row: SubscriptionRow, last: int, indexes: list[int]) -> Iterator[bytes]:
    for found in records_of_subscription(rollcall.datastore, row.id, last):
        indexes += found.indexes
        yield lines(list(records_in(found)))
