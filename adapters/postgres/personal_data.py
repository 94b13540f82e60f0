"""What is stored that names a person: records, rosters and files, found by the address in whatever form it is there."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from msgspec import json

from application.forgetting import Holdings
from application.redacting import file_names, redacted_roster
from domain.import_session import EncodingChosen, FileUploaded, FormatDetected

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator
    from uuid import UUID

    from psycopg import Cursor
    from psycopg.rows import DictRow

    from application.ports import BlobKind
    from domain.forgetting import Redaction

READ_AT_ONCE = 2_000
UPLOADED = str(FileUploaded.__struct_config__.tag)
READ = [str(kind.__struct_config__.tag) for kind in (FormatDetected, EncodingChosen)]
FIND = """
SELECT e.notification_id AS position, e.append_position AS append, e.originator_id AS stream, e.topic, e.state,
       a.origin::text AS origin
FROM events AS e JOIN appends AS a ON a.position = e.append_position
WHERE e.subscription_id = %(scope)s AND e.notification_id > %(after)s AND (
    e.topic = ANY(%(about_files)s) OR convert_from(e.state, 'UTF8') ILIKE ANY(%(patterns)s)
    OR a.origin::text ILIKE ANY(%(patterns)s)
)
ORDER BY e.notification_id LIMIT %(limit)s
"""


class Naming(NamedTuple):
    """A record that names a person, in its event, its origin, or both; or that only says which file, which does."""

    position: int
    append: int
    stream: UUID
    topic: str
    in_event: bool
    in_origin: bool


class StoredBlob(NamedTuple):
    """A blob of a subscription, by its kind and digest."""

    kind: BlobKind
    sha256: str


class Found(NamedTuple):
    """All that names a person in a subscription."""

    records: list[Naming]
    rosters: list[str]
    files: list[str]

    def holdings(self) -> Holdings:
        """Return how much that is."""
        named = [each for each in self.records if each.in_event or each.in_origin]
        return Holdings(
            len(named),
            len({each.stream for each in named if each.topic.startswith("group.")}),
            len({each.stream for each in self.records if each.topic.startswith("import.")}),
            len(self.rosters),
            len(self.files),
        )


def blobs_of(cursor: Cursor[DictRow], scope: UUID) -> set[StoredBlob]:
    """Return the blobs of a subscription."""
    rows = cursor.execute("SELECT kind, sha256 FROM blobs WHERE subscription_id = %s", (scope,)).fetchall()
    return {StoredBlob(row["kind"], row["sha256"]) for row in rows}


def chunks_of(cursor: Cursor[DictRow], scope: UUID, blob: StoredBlob) -> list[bytes]:
    """Return what a blob holds."""
    rows = cursor.execute(
        "SELECT body FROM blob_chunks WHERE (subscription_id, kind, sha256) = (%s, %s, %s) ORDER BY number",
        (scope, *blob),
        binary=True,
    )
    return [row["body"] for row in rows]


def blobs_naming(
    cursor: Cursor[DictRow], scope: UUID, person: Redaction, among: Iterable[StoredBlob]
) -> set[StoredBlob]:
    """Return those of the blobs that name a person."""
    found = set()
    for blob in among:
        chunks = chunks_of(cursor, scope, blob)
        if blob.kind == "file":
            names = file_names(b"".join(chunks), person)
        else:
            names = redacted_roster(chunks, person) is not None
        if names:
            found.add(blob)
    return found


def records_naming(
    cursor: Cursor[DictRow], scope: UUID, person: Redaction, blobs: Collection[StoredBlob], after: int = 0
) -> Iterator[Naming]:
    """Yield the records after a position that name a person, or say which file or roster does."""
    rosters = {each.sha256 for each in blobs if each.kind == "roster"}
    files = {each.sha256 for each in blobs if each.kind == "file"}
    wanted = {"scope": scope, "about_files": [UPLOADED, *READ], "patterns": person.patterns, "limit": READ_AT_ONCE}
    while True:
        rows = cursor.execute(FIND, {**wanted, "after": after}, binary=True).fetchall()
        for row in rows:
            about = json.decode(row["state"]) if row["topic"] in {UPLOADED, *READ} else {}
            in_event = person.names_in(row["state"]) or about.get("roster") in rosters
            in_origin, is_about = person.names_in(row["origin"]), about.get("sha256") in files
            if in_event or in_origin or is_about:
                place = (row["position"], row["append"], row["stream"], row["topic"])
                yield Naming(*place, in_event, in_origin)
        if len(rows) < READ_AT_ONCE:
            return
        after = rows[-1]["position"]


def find(cursor: Cursor[DictRow], scope: UUID, person: Redaction) -> Found:
    """Return all that names a person in a subscription."""
    blobs = blobs_naming(cursor, scope, person, blobs_of(cursor, scope))
    return found_in(blobs, records_naming(cursor, scope, person, blobs))


def found_in(blobs: Collection[StoredBlob], records: Iterable[Naming]) -> Found:
    """Return what was found."""
    rosters, files = (sorted(each.sha256 for each in blobs if each.kind == kind) for kind in ("roster", "file"))
    return Found(list(records), rosters, files)
