"""Erasing a closed subscription, step by step: each is one transaction, and after a crash a worker goes on.

Only closed subscriptions are erased, so nobody else appends anything to it that names people. Each step rewrites the
records of some appends, under proof, as forgetting a person does (docs/decisions/0038-forgetting-a-person.md).
"""

from __future__ import annotations

from contextlib import contextmanager
from functools import partial
from hashlib import sha256
from os import urandom
from typing import TYPE_CHECKING, NamedTuple

from msgspec import json
from psycopg.errors import LockNotAvailable

from adapters.postgres.erasing import PATIENCE, seal_all, tag_of
from adapters.postgres.personal_data import READ, Naming, StoredBlob, chunks_of
from adapters.postgres.recorder import EventColumns, append_within
from adapters.postgres.rewriting import Rewriting
from adapters.postgres.sealed_log import lock_tree
from application.closing import ERASED
from application.ports import NO_CLAIMS, Claim, Claims
from application.redacting import erased_roster
from domain.access import AccessGranted, TokenIssued
from domain.downloads import FileDownloaded
from domain.erasing import SECRET_BYTES, Everybody
from domain.errors import Busy, NotShownYet
from domain.forgetting import ERASED_AN_EVENT, PSEUDONYM, TextsErased, forgetting_id
from domain.subscription import SubscriptionClosed, SubscriptionErased

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import datetime
    from uuid import UUID

    from psycopg import Cursor
    from psycopg.rows import DictRow

    from adapters.postgres.datastore import Datastore
    from adapters.postgres.erasing import PostgresErasure
    from application.records import Event, Origin
    from domain.forgetting import Erased
    from projections.projector import Projector

AT_ONCE = 500
"""How many records a step rewrites, or all of one append if these are more."""
FOLLOWING = """
WITH portion AS (
    SELECT max(append_position) AS last FROM (
        SELECT append_position FROM events WHERE subscription_id = %(scope)s AND notification_id > %(after)s
        ORDER BY notification_id LIMIT %(limit)s
    ) AS following
)
SELECT e.notification_id AS position, e.append_position AS append, e.originator_id AS stream, e.topic, e.state,
       a.origin::text AS origin
FROM events AS e JOIN appends AS a ON a.position = e.append_position, portion
WHERE e.subscription_id = %(scope)s AND e.notification_id > %(after)s AND e.notification_id <= portion.last
ORDER BY e.notification_id
"""
OTHER_TEXTS = (
    "DELETE FROM blob_chunks WHERE subscription_id = %(scope)s AND (kind <> 'roster' OR sha256 <> ALL(%(kept)s))",
    "DELETE FROM blobs WHERE subscription_id = %(scope)s AND (kind <> 'roster' OR sha256 <> ALL(%(kept)s))",
    "DELETE FROM claims WHERE subscription_id = %(scope)s AND kind <> 'closed'",
    "DELETE FROM request_keys WHERE subscription_id = %(scope)s",
    "DELETE FROM commit_failures USING events WHERE import_id = originator_id AND subscription_id = %(scope)s",
    "UPDATE erasings SET secret = '' WHERE subscription_id = %(scope)s",
)


class Begun(NamedTuple):
    """How far the erasing of a subscription has come, and the secret that its stand-ins are made with."""

    secret: bytes
    position: int


class PostgresClosure:
    """See `closing.Closure`."""

    def __init__(self, datastore: Datastore, projectors: Sequence[Projector], erasure: PostgresErasure) -> None:
        self._datastore = datastore
        self._projectors = projectors
        self.erasure = erasure

    def was_exported(self, scope: UUID) -> bool:
        """Return whether somebody has exported a subscription since it was closed."""
        with self._datastore.views() as cursor:
            cursor.execute(
                "SELECT FROM events WHERE subscription_id = %(scope)s AND topic = %(downloaded)s"
                " AND convert_from(state, 'UTF8')::jsonb ->> 'what' = 'subscription' AND notification_id > ("
                " SELECT max(notification_id) FROM events WHERE originator_id = %(scope)s AND topic = %(closed)s)"
                " LIMIT 1",
                {"scope": scope, "downloaded": tag_of(FileDownloaded), "closed": tag_of(SubscriptionClosed)},
            )
            return cursor.rowcount > 0

    def people(self, scope: UUID) -> list[str]:
        """Return the addresses that have or had a role in a subscription, as far as they aren't erased."""
        with self._datastore.views() as cursor:
            rows = cursor.execute(
                "SELECT DISTINCT convert_from(state, 'UTF8')::jsonb ->> 'email' AS email FROM events"
                " WHERE subscription_id = %s AND topic = %s ORDER BY 1",
                (scope, tag_of(AccessGranted)),
            ).fetchall()
        return [row["email"] for row in rows if not PSEUDONYM.fullmatch(row["email"])]

    def tokens(self, scope: UUID) -> list[UUID]:
        """Return the tokens of a subscription that are not revoked, except for those of consumers."""
        with self._datastore.views() as cursor:
            rows = cursor.execute(
                "SELECT originator_id AS id FROM events AS e WHERE subscription_id = %s AND topic = %s"
                " AND convert_from(state, 'UTF8')::jsonb ->> 'role' <> 'consumer'"
                " AND NOT EXISTS (SELECT FROM events WHERE originator_id = e.originator_id AND originator_version = 2)"
                " ORDER BY notification_id",
                (scope, tag_of(TokenIssued)),
            ).fetchall()
        return [row["id"] for row in rows]

    def erase_next(self, origin: Origin, at: datetime) -> bool:
        """Rewrite the next records of a subscription, so that they name nobody; False if there are none."""
        with self._alone() as cursor:
            if _said_erased(cursor, origin.subscription_id):
                return False
            scope, begun = origin.subscription_id, _begun(cursor, origin.subscription_id)
            wanted = {"scope": scope, "after": begun.position, "limit": AT_ONCE}
            rows = cursor.execute(FOLLOWING, wanted, binary=True).fetchall()
            if not rows:
                return False
            seal_all(cursor)
            everybody = Everybody(begun.secret, partial(_erased_roster, cursor, scope, begun.secret))
            if named := [each for row in rows if (each := _naming(row, everybody))]:
                _append(cursor, origin, everybody, at, Rewriting(cursor, everybody).rewrite(named))
                seal_all(cursor)  # an event vouches for new texts once it is sealed
            cursor.execute(
                "UPDATE erasings SET position = %s WHERE subscription_id = %s", (rows[-1]["position"], scope)
            )
            return True

    def finish(self, origin: Origin, version: int, at: datetime) -> int | None:
        """Erase what there is beside the records, say that all is erased, and have the views rebuilt, all at once.

        Returns the position of the event that says it, also if somebody else did it; None if there are more records to
        erase first. `version` is that of the subscription's stream. Raises NotShownYet if a view doesn't show
        everything yet that named people.
        """
        scope = origin.subscription_id
        with self._alone() as cursor:
            if said := _said_erased(cursor, scope):
                return said
            begun = _begun(cursor, scope)
            if _last_position(cursor, scope) > begun.position:
                return None
            everybody = Everybody(begun.secret, str)
            kept, files = _rosters(cursor, scope), _count_files(cursor, scope)
            _erase_snapshots(cursor, scope)
            for each in OTHER_TEXTS:
                cursor.execute(each, {"scope": scope, "kept": kept})
            rewritten, newest = _rewritten(cursor, scope)
            erased = SubscriptionErased(rewritten, files)
            claims = Claims(taken=(Claim("closed", ERASED, scope),))
            position = _store(cursor, origin, everybody, at, scope, version, [erased], claims)
            seal_all(cursor)
            for projector in self._projectors:
                if projector.view.names_people and not projector.condemn(cursor, newest):
                    raise NotShownYet
            return position

    def sweep(self, scope: UUID) -> None:
        """Erase snapshots that somebody kept who had read the events before, and PostgreSQL's statistics of values.

        Raises Busy if a backup reads a table whose statistics are to be erased.
        """
        with self._datastore.views() as cursor:
            _erase_snapshots(cursor, scope)
            if not self.erasure.renew_statistics():
                raise Busy
            cursor.execute("DELETE FROM erasings WHERE subscription_id = %s", (scope,))

    def unfinished(self) -> list[UUID]:
        """Return the subscriptions whose erasing was started and isn't finished, as far as the views show."""
        with self._datastore.views() as cursor:
            cursor.execute(
                "SELECT subscription_id FROM erasings UNION"
                " SELECT subscription_id FROM directory_subscriptions AS s WHERE state = 'erasing' AND NOT EXISTS ("
                " SELECT FROM claims WHERE subscription_id = s.subscription_id AND kind = 'closed' AND key = %s)",
                (ERASED,),
            )
            return [row["subscription_id"] for row in cursor]

    def wait_for_uploads(self) -> None:
        """Wait for uploads that began before a subscription was closed: later ones see that it is (see `blobs`)."""
        with self._datastore.transaction() as cursor:
            cursor.execute(f"SET LOCAL lock_timeout = '{PATIENCE}'")
            cursor.execute("LOCK TABLE blobs IN SHARE MODE")

    @contextmanager
    def _alone(self) -> Iterator[Cursor[DictRow]]:
        """Open a transaction in which nobody else appends or changes the tree; raises Busy."""
        try:
            with self._datastore.connect() as connection, connection.transaction(), connection.cursor() as cursor:
                cursor.execute(f"SET LOCAL lock_timeout = '{PATIENCE}'")
                cursor.execute("SELECT pg_advisory_xact_lock('events'::regclass::oid::bigint)")
                lock_tree(cursor)
                yield cursor
        except LockNotAvailable as error:
            raise Busy from error


def _said_erased(cursor: Cursor[DictRow], scope: UUID) -> int:
    """Return the position of the event that says that a subscription is erased; 0 if there is none yet."""
    row = cursor.execute(
        "SELECT notification_id AS position FROM events WHERE originator_id = %s AND topic = %s",
        (scope, tag_of(SubscriptionErased)),
    ).fetchone()
    return row["position"] if row else 0


def _begun(cursor: Cursor[DictRow], scope: UUID) -> Begun:
    """Begin to erase a subscription, unless that was begun, and return how far it has come."""
    cursor.execute("INSERT INTO erasings VALUES (%s, %s) ON CONFLICT DO NOTHING", (scope, urandom(SECRET_BYTES)))
    row = cursor.execute("SELECT secret, position FROM erasings WHERE subscription_id = %s", (scope,)).fetchone()
    return Begun(bytes(row["secret"]), row["position"]) if row else Begun(b"", 0)


def _naming(row: DictRow, everybody: Everybody) -> Naming | None:
    """Return what is to be rewritten of a record, if anything is."""
    in_event, in_origin = (_differs(row[text], everybody) for text in ("state", "origin"))
    place = (row["position"], row["append"], row["stream"], row["topic"])
    return Naming(*place, in_event, in_origin) if in_event or in_origin else None


def _differs(stored: bytes | str, everybody: Everybody) -> bool:
    return json.encode(json.decode(stored)) != everybody.document(stored)


def _erased_roster(cursor: Cursor[DictRow], scope: UUID, secret: bytes, old: str) -> str:
    """Put a roster that names nobody beside another one, unless it is there, and return its digest."""
    chunks = chunks_of(cursor, scope, StoredBlob("roster", old))
    if not chunks:
        return old
    erased = erased_roster(chunks, Everybody(secret, str))
    digest = sha256(b"".join(erased)).hexdigest()
    if digest != old:
        cursor.execute(
            "INSERT INTO blobs VALUES (%s, 'roster', %s, %s) ON CONFLICT DO NOTHING", (scope, digest, len(erased))
        )
        if cursor.rowcount:
            cursor.executemany(
                "INSERT INTO blob_chunks VALUES (%s, 'roster', %s, %s, %s)",
                [(scope, digest, number, chunk) for number, chunk in enumerate(erased)],
            )
    return digest


def _rosters(cursor: Cursor[DictRow], scope: UUID) -> list[str]:
    """Return the digests of the rosters that events name."""
    cursor.execute(
        "SELECT DISTINCT convert_from(state, 'UTF8')::jsonb ->> 'roster' AS digest FROM events"
        " WHERE subscription_id = %s AND topic = ANY(%s)",
        (scope, READ),
    )
    return [row["digest"] for row in cursor]


def _count_files(cursor: Cursor[DictRow], scope: UUID) -> int:
    cursor.execute("SELECT FROM blobs WHERE subscription_id = %s AND kind = 'file'", (scope,))
    return cursor.rowcount


def _rewritten(cursor: Cursor[DictRow], scope: UUID) -> tuple[int, int]:
    """Return how many records of a subscription were rewritten, and the position of the last of them."""
    row = cursor.execute(
        "SELECT count(*) AS count, coalesce(max(k.position), 0) AS newest FROM erasures AS k"
        " JOIN events AS e ON e.notification_id = k.position WHERE e.subscription_id = %s",
        (scope,),
    ).fetchone()
    return (row["count"], row["newest"]) if row else (0, 0)


def _erase_snapshots(cursor: Cursor[DictRow], scope: UUID) -> None:
    cursor.execute(
        "DELETE FROM snapshots AS s WHERE EXISTS (SELECT FROM events WHERE originator_id = s.originator_id"
        " AND originator_version = 1 AND subscription_id = %s)",
        (scope,),
    )


def _last_position(cursor: Cursor[DictRow], scope: UUID) -> int:
    row = cursor.execute(
        "SELECT max(notification_id) AS last FROM events WHERE subscription_id = %s", (scope,)
    ).fetchone()
    return row["last"] if row else 0


def _append(
    cursor: Cursor[DictRow], origin: Origin, everybody: Everybody, at: datetime, erased: Sequence[Erased]
) -> None:
    """Append which records were rewritten."""
    stream = forgetting_id(origin.subscription_id)
    row = cursor.execute(
        "SELECT coalesce(max(originator_version), 0) AS version FROM events WHERE originator_id = %s", (stream,)
    ).fetchone()
    parts = [tuple(erased[start : start + ERASED_AN_EVENT]) for start in range(0, len(erased), ERASED_AN_EVENT)]
    _store(cursor, origin, everybody, at, stream, row["version"] if row else 0, [TextsErased(part) for part in parts])


def _store(
    cursor: Cursor[DictRow],
    origin: Origin,
    everybody: Everybody,
    at: datetime,
    stream: UUID,
    version: int,
    events: Sequence[Event],
    claims: Claims = NO_CLAIMS,
) -> int:
    """Append events to a stream that has this version, by an origin that names nobody; return the last position."""
    columns = EventColumns(
        [stream] * len(events),
        [version + number for number in range(1, len(events) + 1)],
        [tag_of(type(event)) for event in events],
        [json.encode(event) for event in events],
        [None] * len(events),
    )
    return append_within(cursor, columns, origin.subscription_id, at, everybody.document(json.encode(origin)), claims)
