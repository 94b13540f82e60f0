"""What is in an evidence bundle. docs/auditing.md describes it for people who write a program of their own."""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import UUID

from msgspec import Struct, json

from domain.signed_note import KEY_NAME

if TYPE_CHECKING:
    from collections.abc import Sequence

PAGE, MANIFEST, CHECKPOINT, EVENTS, PROOF, REPORT = (
    "index.html",
    "manifest.txt",
    "checkpoint.txt",
    "events.ndjson",
    "proof.json",
    "report.csv",
)
UPLOAD = "upload"
"""How the name of the uploaded file begins here. What it was called is in its event."""
ROSTERS = "rosters/"
FILES = "files/"
"""How the names of uploaded files begin in the export of a subscription. Their SHA-256 follows."""
EVERYTHING = UUID(int=0)
"""What stands in a manifest for the import if everything in the subscription was bundled."""
TITLE = "rollcall evidence 1"
LONGEST_PROOF_BYTES = 1 << 28


class EvidenceRecord(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """A record of the log with the index of its leaf, as a line of JSON; its frame and its salts are in base64.

    The leaf is the frame, SHA-256(event_salt ‖ event) and SHA-256(origin_salt ‖ origin). The texts are the stored ones.
    If one was erased, because it named a person who was forgotten, the commitment that was kept of it takes the place
    of the digest in the leaf: `erased_event`, `erased_origin`. The text is then the one that was put in its place.
    """

    index: int
    frame: bytes
    event: str
    event_salt: bytes
    origin: str
    origin_salt: bytes
    erased_event: bytes | None = None
    erased_origin: bytes | None = None


class EvidenceProof(Struct, frozen=True, forbid_unknown_fields=True):
    """What leads from the leaves of all records to the root in the checkpoint (see `multiproof`); base64."""

    size: int
    hashes: list[bytes]


class Listed(Struct, frozen=True):
    """A file of the bundle, as the manifest lists it."""

    name: str
    sha256: str
    size: int


class Manifest(Struct, frozen=True):
    """What was bundled, and by which log: an import, or EVERYTHING in a subscription."""

    origin: str
    subscription_id: str
    import_id: str
    files: tuple[Listed, ...]

    @property
    def is_everything(self) -> bool:
        """Return whether a whole subscription was bundled."""
        return self.import_id == str(EVERYTHING)

    def text(self) -> str:
        """Return it as the text of a note. Its second line is no number, so that it is never a checkpoint."""
        head = (TITLE, f"log {self.origin}", f"subscription {self.subscription_id}", f"import {self.import_id}")
        lines = (f"{each.sha256} {each.size} {each.name}" for each in self.files)
        return "".join(f"{line}\n" for line in (*head, *lines))


def parse_manifest(text: str) -> Manifest:
    """Return a manifest from its text; raises ValueError."""
    title, *lines = text[:-1].split("\n")
    head, files = lines[:3], [line.split(" ") for line in lines[3:]]
    names = [line.partition(" ")[0] for line in head]
    is_listed = all(len(each) == len(Listed.__struct_fields__) for each in files)
    if title != TITLE or names != ["log", "subscription", "import"] or not is_listed:
        raise ValueError(text)
    origin, subscription, import_id = (line.partition(" ")[2] for line in head)
    listed = tuple(Listed(name, digest, int(size)) for digest, size, name in files)
    found = Manifest(origin, subscription, import_id, listed)
    if found.text() != text or not KEY_NAME.fullmatch(origin):
        raise ValueError(text)
    return found


def lines(records: Sequence[EvidenceRecord]) -> bytes:
    """Return records as lines of JSON."""
    return b"".join(json.encode(record) + b"\n" for record in records)
