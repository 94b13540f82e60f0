"""Erasing a person from everything that is stored, in one transaction, while nobody appends.

The log stays as it was sealed: of each text that is replaced, the commitment is kept, and the salt is not. An event
says which records these were, and commits to the new texts (docs/decisions/0034-tamper-evidence.md).
"""

from __future__ import annotations

from hashlib import sha256
from os import urandom
from typing import TYPE_CHECKING

from msgspec import json
from msgspec.structs import replace
from psycopg.errors import LockNotAvailable
from psycopg.sql import SQL, Identifier

from adapters.postgres.last_texts import erase_other_texts, require_ended, running_import
from adapters.postgres.personal_data import (
    Found,
    StoredBlob,
    blobs_naming,
    blobs_of,
    chunks_of,
    find,
    found_in,
    records_naming,
)
from adapters.postgres.recorder import EventColumns, append_within
from adapters.postgres.rewriting import Rewriting
from adapters.postgres.rights import role_keys
from adapters.postgres.sealed_log import lock_tree, seal_next
from application.forgetting import ForgettingResult
from application.records import Record, decode_origin
from application.redacting import redacted_roster
from domain.access import ROLLCALL
from domain.errors import Busy, NotShownYet
from domain.forgetting import ERASED_AN_EVENT, PersonForgotten, Redaction, forgetting_id, pseudonym

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime
    from uuid import UUID

    from psycopg import Cursor
    from psycopg.rows import DictRow

    from adapters.postgres.datastore import Datastore
    from application.forgetting import Holdings
    from application.records import Origin
    from domain.forgetting import Erased
    from projections.projector import Projector

PATIENCE = "10s"
PATIENCE_TO_ALTER = "200ms"  # meanwhile, everybody else waits for the table
TOPIC = str(PersonForgotten.__struct_config__.tag)
OF_EMPTY_TABLES = """
FROM pg_stats AS s JOIN pg_class AS c ON c.relname = s.tablename AND c.relnamespace = s.schemaname::regnamespace
JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attname = s.attname
WHERE s.schemaname = current_schema() AND c.relkind = 'r' AND c.reltuples = 0
"""
NOBODY = "nobody@forgotten.invalid"


class PostgresErasure:
    """See `forgetting.Erasure`."""

    def __init__(self, datastore: Datastore, projectors: Sequence[Projector]) -> None:
        self._datastore = datastore
        self._projectors = projectors

    def holdings(self, scope: UUID, email: str) -> Holdings:
        """Return how much names a canonical address in a scope."""
        with self._datastore.connect() as connection, connection.cursor() as cursor:
            return find(cursor, scope, Redaction(email, NOBODY)).holdings()

    def running_import(self, scope: UUID, email: str) -> UUID | None:
        """Return an import that runs now and names a person, as far as the list of imports shows; None if none does."""
        with self._datastore.connect() as connection, connection.cursor() as cursor:
            return running_import(cursor, scope, Redaction(email, NOBODY))

    def head(self) -> int:
        """Return the position of the latest event."""
        with self._datastore.views() as cursor:
            row = cursor.execute("SELECT coalesce(max(notification_id), 0) AS head FROM events").fetchone()
        return int(row["head"]) if row else 0

    def tokens_of(self, scope: UUID, email: str) -> list[UUID]:
        """Return the tokens that a person has issued in a scope and that are not revoked."""
        with self._datastore.views() as cursor:
            cursor.execute(
                "SELECT originator_id AS id FROM events AS e"
                " WHERE subscription_id = %s AND topic = 'token.issued'"
                " AND convert_from(state, 'UTF8')::jsonb ->> 'issuer' = %s"
                " AND NOT EXISTS (SELECT FROM events WHERE originator_id = e.originator_id AND originator_version = 2)"
                " ORDER BY notification_id",
                (scope, email),
            )
            return [row["id"] for row in cursor]

    def has_roles_elsewhere(self, scope: UUID, email: str) -> bool:
        """Return whether a person has a role in another scope."""
        with self._datastore.views() as cursor:
            cursor.execute(
                "SELECT FROM claims WHERE kind = 'role' AND key = ANY(%s) AND subscription_id <> %s LIMIT 1",
                (role_keys(email), scope),
            )
            return cursor.rowcount > 0

    def erase(self, scopes: Sequence[UUID], origin: Origin, email: str, at: datetime) -> ForgettingResult:
        """Erase a person from what is stored of these scopes, all at once, and have the views rebuilt.

        What there is already is looked up before everybody else has to wait. Raises Conflict if the person has a
        licence or a role, NotShownYet if a view doesn't show everything yet that names them, Busy, and ImportRunning.
        """
        person = Redaction(email, pseudonym(urandom(8)))
        with self._datastore.connect() as connection:
            with connection.cursor() as cursor:
                looks = {scope: _Look(cursor, scope, person) for scope in scopes}
            try:
                with connection.transaction(), connection.cursor() as cursor:
                    cursor.execute(f"SET LOCAL lock_timeout = '{PATIENCE}'")
                    cursor.execute("SELECT pg_advisory_xact_lock('events'::regclass::oid::bigint)")
                    return self._erase(cursor, looks, origin, at)
            except LockNotAvailable as error:
                raise Busy from error

    def is_finished(self) -> bool:
        """Return whether no view shows any more what was erased."""
        return all(projector.standing() != "lost" for projector in self._projectors)

    def sweep(self, scope: UUID, email: str) -> None:
        """Erase snapshots that somebody kept who had read the events before."""
        with self._datastore.views() as cursor:
            cursor.execute(
                "DELETE FROM snapshots AS s WHERE convert_from(state, 'UTF8') ILIKE ANY(%s) AND EXISTS ("
                " SELECT FROM events WHERE originator_id = s.originator_id AND originator_version = 1"
                " AND subscription_id = %s)",
                (Redaction(email, NOBODY).patterns, scope),
            )

    def renew_statistics(self) -> bool:
        """Have PostgreSQL's statistics of values made again, from what there is now; False if somebody kept a table."""
        with self._datastore.views() as cursor:
            return _renew_statistics(cursor)

    def _erase(
        self, cursor: Cursor[DictRow], looks: dict[UUID, _Look], origin: Origin, at: datetime
    ) -> ForgettingResult:
        lock_tree(cursor)
        seal_all(cursor)
        results, topics, last, newest = [], set[str](), None, 0
        for scope, look in looks.items():
            found = look.up_to_now(cursor)
            person = look.person
            require_ended(cursor, scope, person.email, found)
            erased = _erase_scope(cursor, scope, person, found)
            results.append(found.holdings())
            if found.records or found.files or found.rosters:
                topics |= {each.topic for each in found.records}
                newest = max([newest, *(each.position for each in found.records)])
                last = _append(cursor, scope, person, origin, at, results[-1], erased)
        everywhere = ROLLCALL in looks
        if last is None:
            return ForgettingResult(None, results[0], everywhere)
        seal_all(cursor)
        for projector in self._projectors:
            names_them = projector.view.names_people and any(tag_of(kind) in topics for kind in projector.view.handlers)
            if names_them and not projector.condemn(cursor, newest):
                raise NotShownYet
        return ForgettingResult(person.stand_in, results[0], everywhere, last.position)


class _Look:
    """What names a person in a scope: nearly all of it is found while others go on working."""

    def __init__(self, cursor: Cursor[DictRow], scope: UUID, person: Redaction) -> None:
        self.scope, self.person = scope, person
        row = cursor.execute("SELECT coalesce(max(notification_id), 0) AS head FROM events").fetchone()
        self._head = row["head"] if row else 0
        self._looked = blobs_of(cursor, scope)
        self._blobs = blobs_naming(cursor, scope, person, self._looked)
        self._records = list(records_naming(cursor, scope, person, self._blobs))

    def up_to_now(self, cursor: Cursor[DictRow]) -> Found:
        """Return it with what has come since; all of it anew if somebody else was forgotten meanwhile."""
        cursor.execute(
            "SELECT FROM events WHERE subscription_id = %s AND notification_id > %s AND topic = %s LIMIT 1",
            (self.scope, self._head, TOPIC),
        )
        if cursor.rowcount:
            return find(cursor, self.scope, self.person)
        blobs = self._blobs | blobs_naming(cursor, self.scope, self.person, blobs_of(cursor, self.scope) - self._looked)
        known = [each for each in self._records if each.position <= self._head]
        later = records_naming(cursor, self.scope, self.person, blobs, self._head)
        return found_in(blobs, [*known, *later])


def _renew_statistics(cursor: Cursor[DictRow]) -> bool:
    with_statistics = cursor.execute(
        "SELECT DISTINCT tablename AS name FROM pg_stats WHERE schemaname = current_schema()"
    ).fetchall()
    for table in with_statistics:
        cursor.execute(SQL("ANALYZE {}").format(Identifier(table["name"])))
    # ANALYZE leaves those of a table that has become empty. To give a column the type that it has drops its own.
    cursor.execute("SELECT c.relname, a.attname, format_type(a.atttypid, a.atttypmod) AS type " + OF_EMPTY_TABLES)
    renewed = True
    for column in cursor.fetchall():
        alter = SQL("ALTER TABLE {} ALTER COLUMN {} TYPE {}")
        named = Identifier(column["relname"]), Identifier(column["attname"]), SQL(column["type"])
        try:
            with cursor.connection.transaction():
                cursor.execute(f"SET LOCAL lock_timeout = '{PATIENCE_TO_ALTER}'")
                cursor.execute(alter.format(*named))
        except LockNotAvailable:  # a backup reads it: it is left to the next
            renewed = False
    return renewed


def tag_of(kind: type) -> str:
    """Return the tag under which events of a kind are stored."""
    return str(getattr(kind, "__struct_config__").tag)  # noqa: B009 - msgspec's, which mypy doesn't know


def seal_all(cursor: Cursor[DictRow]) -> None:
    """Add all that isn't in the tree, which is locked, to it."""
    while seal_next(cursor):
        pass


def _erase_scope(cursor: Cursor[DictRow], scope: UUID, person: Redaction, found: Found) -> list[Erased]:
    """Erase a person from what is stored of a scope, and return which records were rewritten."""
    digests = {old: _replace_roster(cursor, scope, person, old) for old in found.rosters}
    person = Redaction(person.email, person.stand_in, digests)
    for digest in found.files:
        _delete_blob(cursor, scope, StoredBlob("file", digest))
    rewriting = Rewriting(cursor, person)
    records = [each for each in found.records if each.in_event or each.in_origin]
    erased = [
        each
        for at in range(0, len(records), ERASED_AN_EVENT)
        for each in rewriting.rewrite(records[at : at + ERASED_AN_EVENT])
    ]
    erase_other_texts(cursor, scope, person, found, rewriting.renamed)
    return erased


def _replace_roster(cursor: Cursor[DictRow], scope: UUID, person: Redaction, old: str) -> str:
    """Put a roster without the person in the place of one with them, and return its digest."""
    before = StoredBlob("roster", old)
    chunks = redacted_roster(chunks_of(cursor, scope, before), person) or []
    digest = sha256(b"".join(chunks)).hexdigest()
    cursor.execute("INSERT INTO blobs VALUES (%s, 'roster', %s, %s)", (scope, digest, len(chunks)))
    cursor.executemany(
        "INSERT INTO blob_chunks VALUES (%s, 'roster', %s, %s, %s)",
        [(scope, digest, number, chunk) for number, chunk in enumerate(chunks)],
    )
    _delete_blob(cursor, scope, before)
    # Until it is rebuilt, the list of imports has to find the roster.
    cursor.execute(
        "UPDATE imports SET format = jsonb_set(format, '{roster}', to_jsonb(%s::text))"
        " WHERE subscription_id = %s AND format ->> 'roster' = %s",
        (digest, scope, old),
    )
    return digest


def _delete_blob(cursor: Cursor[DictRow], scope: UUID, blob: StoredBlob) -> None:
    for table in ("blob_chunks", "blobs"):
        cursor.execute(f"DELETE FROM {table} WHERE (subscription_id, kind, sha256) = (%s, %s, %s)", (scope, *blob))


def _append(
    cursor: Cursor[DictRow],
    scope: UUID,
    person: Redaction,
    origin: Origin,
    at: datetime,
    held: Holdings,
    erased: Sequence[Erased],
) -> Record:
    """Append what was erased in a scope, and return the last record."""
    stored_origin = person.document(json.encode(replace(origin, subscription_id=scope)))
    parts = [tuple(erased[start : start + ERASED_AN_EVENT]) for start in range(0, len(erased), ERASED_AN_EVENT)]
    counts = (held.records, held.groups, held.imports, held.files)
    events = [PersonForgotten(person.stand_in, *counts, part) for part in parts or [()]]
    stream = forgetting_id(scope)
    row = cursor.execute(
        "SELECT coalesce(max(originator_version), 0) AS version FROM events WHERE originator_id = %s", (stream,)
    ).fetchone()
    versions = [(row["version"] if row else 0) + number for number in range(1, len(events) + 1)]
    columns = EventColumns(
        [stream] * len(events),
        versions,
        [TOPIC] * len(events),
        [json.encode(event) for event in events],
        [None] * len(events),
    )
    position = append_within(cursor, columns, scope, at, stored_origin)
    return Record(stream, versions[-1], at, decode_origin(stored_origin), events[-1], position)
