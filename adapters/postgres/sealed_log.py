"""The tree over the log, as PostgreSQL stores it: it grows with the log, and gives what proofs and checks need."""

from __future__ import annotations

from itertools import groupby
from operator import itemgetter
from os import urandom
from typing import TYPE_CHECKING

from psycopg.rows import tuple_row

from adapters.postgres.erased_records import kept_of, new_texts
from adapters.postgres.own_appends import OwnAppends
from adapters.postgres.statements import statement
from domain.errors import RollcallError
from domain.leaves import (
    NO_RECORDS,
    SALT_BYTES,
    TILE,
    LeafTile,
    Salts,
    Sealable,
    begin_frames,
    filled,
    new_salts,
    pack_positions,
    pieces,
    unpack_positions,
)
from domain.merkle import HASH_BYTES, complete_root

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from uuid import UUID

    from psycopg import Cursor
    from psycopg.rows import DictRow

    from adapters.postgres.datastore import Datastore
    from adapters.postgres.event_store import OwnAppend
    from application.verifying import NewTexts
    from domain.leaves import Kept

READ_AT_ONCE = 4_096
"""How many records are read at once. The largest, of 1,000 licences, have some 80,000 bytes."""
TILES_AT_ONCE = 64
TILE_LEVELS = TILE.bit_length() - 1
LAST = 2**63 - 1
WITHOUT_APPEND = (b"", b"")
"""The end of the frame and the origin of a record whose append is gone, which only an alteration can bring about."""


class LeavesDamaged(RollcallError):
    """The leaves of the tree are damaged from record {number} on. Nothing can make them again: they hold random salts.

    Restore the table tree_leaves from a backup.
    """

    code = "leaves-damaged"


class SealedLog:
    """The tree over the log. Whoever adds to it does so alone, over all machines."""

    def __init__(self, datastore: Datastore) -> None:
        self._datastore = datastore
        self._own = OwnAppends()

    def take(self, own: OwnAppend) -> None:
        """Keep what this process has appended to seal it, if this process seals."""
        self._own.take(own)

    def seal(self, most: int = READ_AT_ONCE) -> bool:
        """Add the next records of the log to the tree, about `most` at once; False if that was all there were."""
        with self._datastore.transaction() as cursor:
            lock_tree(cursor)
            return seal_next(cursor, most, self._own)

    def size(self) -> int:
        """Return how many records the tree holds."""
        with self._datastore.views() as cursor:
            tile, _ = _end_of_tree(cursor)
        return tile.number * TILE + len(tile.positions)

    def subtree(self, level: int, index: int) -> bytes:
        """Return the hash of a complete subtree (see `merkle.Subtree`)."""
        tile_level, within = divmod(level, TILE_LEVELS)
        number, first = divmod(index << within, TILE)
        wanted = [first * HASH_BYTES + 1, HASH_BYTES << within, number]
        query = "SELECT substring(hashes FROM %s FOR %s) AS hashes FROM tree_leaves WHERE number = %s"
        if tile_level:
            query = "SELECT substring(hashes FROM %s FOR %s) AS hashes FROM tree_nodes WHERE number = %s AND level = %s"
            wanted.append(tile_level)
        with self._datastore.views() as cursor:
            row = cursor.execute(query, wanted).fetchone()
        return complete_root(pieces(row["hashes"] if row else b""))

    def position(self, subscription_id: UUID, stream: UUID, version: int) -> int | None:
        """Return the position of an event of a subscription, by its stream and version; None if there is none."""
        with self._datastore.views() as cursor:
            row = cursor.execute(
                "SELECT notification_id FROM events"
                " WHERE (originator_id, originator_version, subscription_id) = (%s, %s, %s)",
                (stream, version, subscription_id),
            ).fetchone()
        return row["notification_id"] if row else None

    def sealed(self, position: int) -> tuple[int, Sealable, Salts] | None:
        """Return the record at a position of the log with its index in the tree and its salts; None if it isn't in it.

        The record is as it is now, whatever it was when it was sealed.
        """
        with self._datastore.views() as cursor:
            query = "SELECT * FROM tree_leaves WHERE last_position >= %s ORDER BY last_position LIMIT 1"
            row = cursor.execute(query, (position,)).fetchone()
            tile = tile_of(row) if row else LeafTile(0)
            record = read_records(cursor, position - 1, 1)
        if position not in tile.positions or position not in record.positions:
            return None
        at = tile.positions.index(position)
        return tile.number * TILE + at, record, Salts(*(each[at : at + 1] for each in tile.salts))

    def count_unsealed(self) -> int:
        """Return how many records of the log are not in the tree yet."""
        with self._datastore.views() as cursor:
            _, last = _end_of_tree(cursor)
            return _count_after(cursor, last)

    def describe(self, position: int) -> str | None:
        """Return which record is at a position now, for people who look into it; None if there is none."""
        with self._datastore.views() as cursor:
            query = "SELECT topic, originator_version, originator_id, at FROM records WHERE notification_id = %s"
            row = cursor.execute(query, (position,)).fetchone()
        if row is None:
            return None
        stream = f"version {row['originator_version']} of {row['originator_id']}"
        return f"{row['topic']}, {stream}, {row['at']:%Y-%m-%d %H:%M:%S} UTC"

    def rebuild_nodes(self) -> int:
        """Make the nodes above the leaves again, and return how many were others; raises LeavesDamaged."""
        with self._datastore.transaction() as cursor:
            lock_tree(cursor)
            before = _nodes(cursor)
            cursor.execute("DELETE FROM tree_nodes")
            for tiles in _full_tiles(cursor):
                _add_nodes(cursor, 1, [(each.number, complete_root(each.hashes)) for each in tiles])
            after = _nodes(cursor)
        return sum(before.get(place) != node for place, node in after.items()) + len(before.keys() - after.keys())

    def lag(self, size: int) -> tuple[int, float]:
        """Return how many records come after the first `size`, and how many seconds ago the first of them was made.

        Those in the tree are not counted one by one: after a large import, there are very many for up to a minute.
        """
        with self._datastore.views() as cursor:
            number, at = divmod(size, TILE)
            row = cursor.execute("SELECT positions FROM tree_leaves WHERE number = %s", (number,)).fetchone()
            sealed = unpack_positions(row["positions"])[at:] if row else ()
            tile, last = _end_of_tree(cursor)
            in_tree = tile.number * TILE + len(tile.positions)
            found = cursor.execute(
                "SELECT extract(epoch FROM now() - at)::float8 AS seconds FROM records"
                " WHERE notification_id > %s ORDER BY notification_id LIMIT 1",
                (sealed[0] - 1 if sealed else last,),
            ).fetchone()
            return max(in_tree - size, 0) + _count_after(cursor, last), max(found["seconds"] if found else 0.0, 0.0)

    # --- for checks -------------------------------------------------------------------------------------------------

    def records(self) -> Iterator[Sealable]:
        """Yield all records of the log in order, some at a time, in the bytes that are sealed."""
        after = 0
        while True:
            with self._datastore.views() as cursor:
                found = read_records(cursor, after, READ_AT_ONCE)
            if not found.positions:
                return
            yield found
            after = found.positions[-1]

    def tiles(self) -> Iterator[LeafTile]:
        """Yield the leaves of the tree, in order."""
        number = 0
        while True:
            with self._datastore.views() as cursor:
                query = "SELECT * FROM tree_leaves WHERE number >= %s ORDER BY number LIMIT %s"
                rows = cursor.execute(query, (number, TILES_AT_ONCE), binary=True).fetchall()
            if not rows:
                return
            yield from map(tile_of, rows)
            number = rows[-1]["number"] + 1

    def nodes(self) -> dict[tuple[int, int], bytes]:
        """Return the nodes above full tiles, by level (1 is above the leaves' tiles) and number."""
        with self._datastore.views() as cursor:
            return _nodes(cursor)

    def erased(self, among: Sequence[int] | None = None) -> dict[int, Kept]:
        """Return what is kept of the records that were erased, or of some of them, by position."""
        with self._datastore.views() as cursor:
            return kept_of(cursor, among)

    def new_texts(self) -> dict[int, NewTexts]:
        """Return what sealed events say about erased records before them, by position. The latest ones count."""
        with self._datastore.views() as cursor:
            return new_texts(cursor)


def _nodes(cursor: Cursor[DictRow]) -> dict[tuple[int, int], bytes]:
    rows = cursor.execute("SELECT * FROM tree_nodes", binary=True).fetchall()
    return {
        (row["level"], row["number"] * TILE + at): node for row in rows for at, node in enumerate(pieces(row["hashes"]))
    }


def _full_tiles(cursor: Cursor[DictRow]) -> Iterator[list[LeafTile]]:
    """Yield all tiles that are full, some at a time; raises LeavesDamaged if one is missing or has lost a part."""
    number = 0
    while True:
        query = "SELECT * FROM tree_leaves WHERE number >= %s ORDER BY number LIMIT %s"
        tiles = [tile_of(row) for row in cursor.execute(query, (number, TILES_AT_ONCE), binary=True).fetchall()]
        is_last = len(tiles) < TILES_AT_ONCE
        for at, each in enumerate(tiles, start=number):
            if each.number != at or (len(each.hashes) != TILE and not (is_last and each is tiles[-1])):
                raise LeavesDamaged(number=f"{at * TILE + 1:,}")
        yield [each for each in tiles if len(each.hashes) == TILE]
        if is_last:
            return
        number += TILES_AT_ONCE


def lock_tree(cursor: Cursor[DictRow]) -> None:
    """Be the only one that changes the tree, until the transaction ends."""
    cursor.execute("SELECT pg_advisory_xact_lock('tree_leaves'::regclass::oid::bigint)")


def seal_next(cursor: Cursor[DictRow], most: int = READ_AT_ONCE, own: OwnAppends | None = None) -> bool:
    """Add the next records of the log to the tree, which is locked; False if that was all there were."""
    tile, after = _end_of_tree(cursor)
    at_once = max(most - len(tile.positions), 1)  # so that the next ones begin with a tile
    records = _next_records(cursor, after, at_once, own or OwnAppends())
    if records.positions:
        salts = new_salts(records, urandom(2 * SALT_BYTES * len(records.positions)))
        tiles = list(filled(tile, records, salts))
        write_tiles(cursor, tiles)
        full = [each for each in tiles if len(each.hashes) == TILE]
        _add_nodes(cursor, 1, [(each.number, complete_root(each.hashes)) for each in full])
    return len(records.positions) >= at_once


def _end_of_tree(cursor: Cursor[DictRow]) -> tuple[LeafTile, int]:
    """Return the tile to go on with, and the position of the last record in the tree."""
    query = "SELECT * FROM tree_leaves ORDER BY number DESC LIMIT 1"
    row = cursor.execute(query, prepare=True, binary=True).fetchone()
    if row is None:
        return LeafTile(0), 0
    tile = tile_of(row)
    return (tile if len(tile.positions) < TILE else LeafTile(tile.number + 1)), tile.positions[-1]


def _count_after(cursor: Cursor[DictRow], position: int) -> int:
    # Between two positions, PostgreSQL follows the index. After one, it may read the whole log, without statistics.
    query = (
        "SELECT count(*) FROM events"
        " WHERE notification_id > %s AND notification_id <= (SELECT max(notification_id) FROM events)"
    )
    row = cursor.execute(query, (position,)).fetchone()
    return row["count"] if row else 0


def read_records(cursor: Cursor[DictRow], after: int, limit: int, until: int | None = None) -> Sealable:
    """Return the next records after a position, and up to another if it is given."""
    with cursor.connection.cursor(row_factory=tuple_row) as rows:
        wanted = {"after": after, "limit": limit, "until": LAST if until is None else until}
        found = rows.execute(statement("select_sealable"), wanted, prepare=True, binary=True).fetchall()
    appends = _ends(cursor, list(dict.fromkeys(map(itemgetter(1), found))))
    ends = [appends.get(append, WITHOUT_APPEND) for _, append, _, _ in found]
    return Sealable(
        [position for position, _, _, _ in found],
        [frame + end for (_, _, _, frame), (end, _) in zip(found, ends, strict=True)],
        [state for _, _, state, _ in found],
        [origin for _, origin in ends],
    )


def _ends(cursor: Cursor[DictRow], appends: Sequence[int]) -> dict[int, tuple[bytes, bytes]]:
    """Return the end of the frames and the origin of the records of each append, by its position."""
    with cursor.connection.cursor(row_factory=tuple_row) as rows:
        rows.execute(statement("select_sealable_appends"), {"positions": appends}, prepare=True, binary=True)
        return {position: (end, origin) for position, end, origin in rows}


def _next_records(cursor: Cursor[DictRow], after: int, most: int, own: OwnAppends) -> Sealable:
    """Return the next records after a position, `most` or a few more: those that are not in memory are read."""
    found = NO_RECORDS
    while (missing := most - len(found.positions)) > 0:
        last = found.positions[-1] if found.positions else after
        appends, gap_end = own.following(last, missing)
        more = _appended(cursor, appends) if appends else read_records(cursor, last, missing, gap_end)
        found = found.followed_by(more)
        if not more.positions:
            if not appends and gap_end is None:
                break
            own.forget()  # the log went back
    return found


def _appended(cursor: Cursor[DictRow], appends: Sequence[OwnAppend]) -> Sealable:
    """Return the records of appends of this process, as `read_records` does; none if the log has lost one.

    The ids of the appends prove that it has them. Nothing that is stored is rewritten before it is sealed.
    """
    found, ends = NO_RECORDS, _ends(cursor, [each.mark.position for each in appends])
    for each in appends:
        end, origin = ends.get(each.mark.position, WITHOUT_APPEND)
        if not end.startswith(each.mark.id.bytes):
            return NO_RECORDS
        found = found.followed_by(sealable(each, end, origin))
    return found


def sealable(own: OwnAppend, end: bytes, origin: bytes) -> Sealable:
    """Return the records of an append of this process; the end of their frames and their origin are the append's."""
    ids, _, _, states, _ = own.events
    positions = range(own.mark.position - len(ids) + 1, own.mark.position + 1)
    frames = begin_frames(own.mark.position, own.subscription_id, zip(positions, *own.events, strict=True))
    return Sealable(positions, [frame + end for frame in frames], states, [origin] * len(ids))


def tile_of(row: DictRow) -> LeafTile:
    """Return the tile that a row of `tree_leaves` holds."""
    salts = Salts(pieces(row["event_salts"], SALT_BYTES), pieces(row["origin_salts"], SALT_BYTES))
    return LeafTile(row["number"], unpack_positions(row["positions"]), salts, pieces(row["hashes"]))


def write_tiles(cursor: Cursor[DictRow], tiles: Sequence[LeafTile]) -> None:
    """Write tiles that are new or have changed."""
    cursor.execute(
        "INSERT INTO tree_leaves (number, last_position, positions, event_salts, origin_salts, hashes)"
        " SELECT * FROM unnest(%b::bigint[], %b::bigint[], %b::bytea[], %b::bytea[], %b::bytea[], %b::bytea[])"
        " ON CONFLICT (number) DO UPDATE SET last_position = excluded.last_position, positions = excluded.positions,"
        " event_salts = excluded.event_salts, origin_salts = excluded.origin_salts, hashes = excluded.hashes",
        (
            [each.number for each in tiles],
            [each.positions[-1] for each in tiles],
            [pack_positions(each.positions) for each in tiles],
            [b"".join(each.salts.events) for each in tiles],
            [b"".join(each.salts.origins) for each in tiles],
            [b"".join(each.hashes) for each in tiles],
        ),
    )


def _add_nodes(cursor: Cursor[DictRow], level: int, nodes: Sequence[tuple[int, bytes]]) -> None:
    """Add the nodes above tiles that are full, and those above the nodes."""
    above = []
    for number, group in groupby(nodes, key=lambda node: node[0] // TILE):
        row = cursor.execute(
            "INSERT INTO tree_nodes (level, number, hashes) VALUES (%b, %b, %b) ON CONFLICT (level, number)"
            " DO UPDATE SET hashes = tree_nodes.hashes || excluded.hashes RETURNING hashes",
            (level, number, b"".join(node for _, node in group)),
            binary=True,
        ).fetchone()
        hashes = pieces(row["hashes"] if row else b"")
        if len(hashes) == TILE:
            above.append((number, complete_root(hashes)))
    if above:
        _add_nodes(cursor, level + 1, above)
