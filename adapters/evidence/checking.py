"""Checking an evidence bundle without a database: against the keys of the log, and against itself."""

from __future__ import annotations

from hashlib import sha256
from typing import IO, TYPE_CHECKING
from uuid import UUID

from msgspec import DecodeError, Struct, ValidationError, field, json

from adapters.checkpoint_keys import verify
from adapters.evidence.archive import ArchiveTooLarge, ArchiveUnreadable, ReadArchive
from adapters.evidence.contents import (
    CHECKPOINT,
    EVENTS,
    FILES,
    MANIFEST,
    PAGE,
    PROOF,
    REPORT,
    ROSTERS,
    UPLOAD,
    EvidenceProof,
    EvidenceRecord,
    Manifest,
    parse_manifest,
)
from adapters.evidence.page import Told
from domain.leaves import Frame, Kept, Salts, Sealable, leaf_hash_of
from domain.multiproof import ProofUnfit, root_of_many
from domain.signed_note import Checkpoint, NoteForged, NoteMalformed, opened, opened_text

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from domain.signed_note import VerifierKey

NEEDED = (PAGE, CHECKPOINT, EVENTS, PROOF, REPORT)


class CheckedBundle(Struct):
    """What a bundle proves, if it proves anything: `findings` say in sentences what doesn't fit."""

    findings: list[str] = field(default_factory=list)
    manifest: Manifest | None = None
    checkpoint: Checkpoint | None = None
    told: Told | None = None


def check_bundle(file: IO[bytes], keys: Sequence[VerifierKey]) -> CheckedBundle:
    """Return what a bundle proves to somebody who trusts these keys."""
    checked = CheckedBundle()
    try:
        archive = ReadArchive(file)
    except ArchiveUnreadable:
        checked.findings.append("This is not an evidence bundle, or its directory was altered.")
        return checked
    checked.findings += _Check(archive, keys, checked).findings()
    return checked


class _Check:
    def __init__(self, archive: ReadArchive, keys: Sequence[VerifierKey], checked: CheckedBundle) -> None:
        self._archive = archive
        self._keys = keys
        self._checked = checked

    def findings(self) -> Iterator[str]:
        """Yield what doesn't fit."""
        manifest = self._manifest()
        if isinstance(manifest, str):
            yield manifest
            return
        self._checked.manifest = manifest
        altered = list(self._compare_files(manifest))
        yield from altered
        if altered:
            return  # the files that were altered are named, so nothing more can be said about what is in them
        try:
            yield from self._compare_contents(manifest)
            in_order = [*(each.name for each in manifest.files), MANIFEST]
            if self._archive.names != in_order or not self._archive.is_exact():
                yield "The archive itself was altered, though none of its files was."
        except (ArchiveUnreadable, ArchiveTooLarge):
            yield "The archive itself was altered."

    def _manifest(self) -> Manifest | str:
        """Return the manifest, or what is wrong with it."""
        if MANIFEST not in self._archive.names:
            return f"{MANIFEST} is missing."
        try:
            text, signers = opened_text(self._text(MANIFEST), self._keys, verify)
            if not signers:
                return f"{MANIFEST} isn't signed by a key that you trust. Name its public key with --key."
            return parse_manifest(text)
        except (NoteMalformed, NoteForged, ArchiveUnreadable, ValueError):
            return f"{MANIFEST} was altered, or never signed."

    def _compare_files(self, manifest: Manifest) -> Iterator[str]:
        """Compare the files with the signed list of them."""
        listed = [each.name for each in manifest.files]
        for name in dict.fromkeys(self._archive.names):
            if name not in listed and name != MANIFEST:
                yield f"{name} was added."
        for each in manifest.files:
            if each.name not in self._archive.names:
                yield f"{each.name} is missing."
                continue
            digest = sha256()
            try:
                for piece in self._archive.pieces(each.name):
                    digest.update(piece)
            except ArchiveUnreadable:
                yield f"{each.name} was altered: it can't be read any more."
                continue
            if digest.hexdigest() != each.sha256:
                yield f"{each.name} was altered."
        if not set(NEEDED[1:-1] if manifest.is_everything else NEEDED) <= set(listed):
            yield f"{MANIFEST} lacks a file that every bundle has."

    def _compare_contents(self, manifest: Manifest) -> Iterator[str]:
        """Compare what the files say with each other, and with the log as it was signed."""
        try:
            checkpoint, signers = opened(self._text(CHECKPOINT), self._keys, verify)
        except (NoteMalformed, NoteForged):
            yield f"{CHECKPOINT} was altered, or never signed."
            return
        if not signers or checkpoint.origin != manifest.origin:
            yield f"{CHECKPOINT} isn't signed by a key that you trust, or is of another log."
            return
        self._checked.checkpoint = checkpoint
        records = _Records(manifest)
        try:
            for number, line in enumerate(self._lines(), start=1):
                try:
                    records.take(line)
                except ValueError as error:
                    yield f"{EVENTS}, line {number}: {error}"
                    return
            proof = json.decode(b"".join(self._archive.pieces(PROOF)), type=EvidenceProof)
            root = root_of_many(records.indexes, records.leaves, proof.size, proof.hashes)
        except (ProofUnfit, ValidationError, DecodeError, IndexError):
            yield f"{PROOF} doesn't fit the records."
            return
        if (proof.size, root) != (checkpoint.size, checkpoint.root):
            yield f"The records in {EVENTS} aren't those that the log had when {CHECKPOINT} was signed."
        self._checked.told = records.told
        yield from _compare_names(manifest) if manifest.is_everything else _compare_stored(manifest, records.told)

    def _text(self, name: str) -> str:
        return b"".join(self._archive.pieces(name)).decode()

    def _lines(self) -> Iterator[bytes]:
        rest = b""
        for piece in self._archive.pieces(EVENTS):
            *whole, rest = (rest + piece).split(b"\n")
            yield from whole
        if rest:
            yield rest


class _Records:
    """The records of a bundle, as far as they are read."""

    def __init__(self, manifest: Manifest) -> None:
        self.indexes: list[int] = []
        self.leaves: list[bytes] = []
        self.told = Told(UUID(manifest.subscription_id), UUID(manifest.import_id))

    def take(self, line: bytes) -> None:
        """Read a line; raises ValueError with a sentence that says what is wrong."""
        try:
            record = json.decode(line, type=EvidenceRecord)
            frame = Frame.parse(record.frame)
        except (ValidationError, DecodeError, ValueError):
            raise ValueError("this isn't a record.") from None
        if frame.subscription_id != self.told.subscription_id:
            raise ValueError("this record is of another subscription.")
        if self.indexes and record.index <= self.indexes[-1]:
            raise ValueError("this record is out of order.")
        version = self.told.events + 1
        if frame.stream == self.told.import_id and frame.version != version:
            raise ValueError(f"version {version:,} of the import is missing before it.")
        texts = Sealable([frame.position], [record.frame], [record.event.encode()], [record.origin.encode()])
        self.indexes.append(record.index)
        kept = Kept(record.erased_event, record.erased_origin)
        self.leaves.append(leaf_hash_of(texts, Salts([record.event_salt], [record.origin_salt]), kept))
        try:
            self.told.take(record)
        except (ValidationError, DecodeError, ValueError):
            raise ValueError("this event can't follow on those before it.") from None


def _compare_names(manifest: Manifest) -> Iterator[str]:
    """Compare the digests of files with their names, by which events name them."""
    for each in manifest.files:
        folder, _, name = each.name.partition("/")
        if f"{folder}/" in {FILES, ROSTERS} and name.partition(".")[0] != each.sha256:
            yield f"{each.name} isn't the file that events name."


def _compare_stored(manifest: Manifest, told: Told) -> Iterator[str]:
    """Compare the digests in the events with those of the files."""
    digests = {each.name: each.sha256 for each in manifest.files}
    uploads = [name for name in digests if name.startswith(UPLOAD)]
    if told.uploaded is None or (uploads and [digests[name] for name in uploads] != [told.uploaded.sha256]):
        yield "The uploaded file isn't the one that its event names."
    if {name: digest for name, digest in digests.items() if name.startswith(ROSTERS)} != {
        ROSTERS + digest: digest for digest in told.rosters
    }:
        yield "A roster isn't the one that its event names, or is missing."
