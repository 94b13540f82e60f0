"""The records of one stream as they are sealed, with what was recorded together with them."""

from __future__ import annotations

from typing import TYPE_CHECKING, LiteralString, NamedTuple

from adapters.postgres.erased_records import kept_of
from adapters.postgres.sealed_log import READ_AT_ONCE, read_records, tile_of
from domain.errors import Refused
from domain.leaves import TILE, Salts

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from uuid import UUID

    from psycopg import Cursor
    from psycopg.rows import DictRow

    from adapters.postgres.datastore import Datastore
    from domain.leaves import Kept, Sealable


class Unsealed(Refused):
    """The last events aren't sealed and signed yet. Try again in a minute.

    If that goes on, ask your operator whether a worker runs that has ROLLCALL_CHECKPOINT_KEY.
    """

    code = "not-sealed"


class SealedRecords(NamedTuple):
    """Consecutive records with the indexes of their leaves, their salts, and what is kept of those that were erased."""

    indexes: Sequence[int]
    records: Sealable
    salts: Salts
    kept: Mapping[int, Kept]


def last_append(datastore: Datastore, stream: UUID) -> int:
    """Return the position of the last append to a stream, which has events."""
    with datastore.views() as cursor:
        cursor.execute(
            "SELECT append_position FROM events WHERE originator_id = %s ORDER BY originator_version DESC LIMIT 1",
            (stream,),
        )
        return int((cursor.fetchone() or {"append_position": 0})["append_position"])


def records_of(datastore: Datastore, stream: UUID, end: int) -> Iterator[SealedRecords]:
    """Yield the records of all appends to a stream up to a position, in order, some at a time; raises Unsealed.

    The events of one append are one change. So a group's events come with those of the import that caused them.
    """
    made = "SELECT DISTINCT append_position AS position FROM events WHERE originator_id = %s AND append_position <= %s"
    return _records_in(datastore, _runs(datastore, made, stream, end))


def last_append_of_subscription(datastore: Datastore, subscription_id: UUID) -> int:
    """Return the position of the last append to a subscription."""
    with datastore.views() as cursor:
        cursor.execute("SELECT max(position) AS last FROM appends WHERE subscription_id = %s", (subscription_id,))
        return int((cursor.fetchone() or {"last": 0})["last"])


def records_of_subscription(datastore: Datastore, subscription_id: UUID, end: int) -> Iterator[SealedRecords]:
    """Yield all records of a subscription up to a position, in order, some at a time; raises Unsealed."""
    made = "SELECT position FROM appends WHERE subscription_id = %s AND position <= %s"
    return _records_in(datastore, _runs(datastore, made, subscription_id, end))


def _records_in(datastore: Datastore, runs: Sequence[tuple[int, int]]) -> Iterator[SealedRecords]:
    for after, until in runs:
        last = after
        while last < until:
            with datastore.views() as cursor:
                found = read_records(cursor, last, min(READ_AT_ONCE, until - last))
                yield _sealed(cursor, found)
            last = found.positions[-1]


def _runs(datastore: Datastore, made: LiteralString, of: UUID, end: int) -> list[tuple[int, int]]:
    """Return where appends are in the log: after a position, and up to another one. Neighbours are one."""
    with datastore.views() as cursor:
        cursor.execute(
            f"""
            SELECT made.position, coalesce(before.position, 0) AS before FROM ({made}) AS made
            CROSS JOIN LATERAL (SELECT max(position) AS position FROM appends WHERE position < made.position) AS before
            ORDER BY 1
            """,
            (of, end),
        )
        runs: list[tuple[int, int]] = []
        for row in cursor:
            begin = runs.pop()[0] if runs and runs[-1][1] == row["before"] else row["before"]
            runs.append((begin, row["position"]))
    return runs


def _sealed(cursor: Cursor[DictRow], records: Sealable) -> SealedRecords:
    cursor.execute(
        """
        SELECT * FROM tree_leaves WHERE last_position >= %(first)s AND number <= (
            SELECT number FROM tree_leaves WHERE last_position >= %(last)s ORDER BY last_position LIMIT 1
        ) ORDER BY number
        """,
        {"first": records.positions[0], "last": records.positions[-1]},
        binary=True,
    )
    wanted, found, events, origins = set(records.positions), [], [], []
    for tile in map(tile_of, cursor):
        for at, (position, event, origin) in enumerate(zip(tile.positions, *tile.salts, strict=True)):
            if position in wanted:
                found.append(tile.number * TILE + at)
                events.append(event)
                origins.append(origin)
    if len(found) < len(records.positions):
        raise Unsealed
    return SealedRecords(found, records, Salts(events, origins), kept_of(cursor, records.positions))
