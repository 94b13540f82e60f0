"""The leaves of the tree over the log: what of a record is sealed, and how it can be forgotten nevertheless.

A leaf is the record's frame (its place, stream, topic, append and time) and two commitments: the SHA-256 of a random
salt and the event as it is stored, and the same of its origin. The two texts, which name people, can be erased together
with their salts. The commitments then stay: they say nothing without the salts, and the leaf is proven as before.

Frames are made by PostgreSQL from what it stores: see `select_sealable.sql`. docs/auditing.md describes them.
"""

from __future__ import annotations

import struct
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from itertools import groupby
from struct import Struct, pack, unpack
from typing import TYPE_CHECKING, NamedTuple, Self
from uuid import UUID

from domain.merkle import HASH_BYTES, LEAF

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

SALT_BYTES = 16
POSITION_BYTES = 8
_SCOPE = slice(33, 49)  # after the version, the position, the stream and its version
TILE = 256
"""How many leaves or nodes are stored together, as in c2sp.org/tlog-tiles."""


FRAME_VERSION = 1
FRAME_BEGIN = 50
FRAME_END = 48
EPOCH = datetime(2000, 1, 1, tzinfo=UTC)
_FRAME_BEGIN = Struct(">Bq16sq16sB")


class Frame(NamedTuple):
    """What a frame says of a record."""

    position: int
    stream: UUID
    version: int
    subscription_id: UUID
    import_group: int | None
    topic: str
    append_position: int
    append_id: UUID
    at: datetime

    @classmethod
    def parse(cls, content: bytes) -> Self:
        """Return what a frame says; raises ValueError."""
        begin, middle, end = content[:FRAME_BEGIN], content[FRAME_BEGIN:-FRAME_END], content[-FRAME_END:]
        try:
            layout, position, stream, version, subscription, has_group = _FRAME_BEGIN.unpack(begin)
            group, middle = (unpack(">i", middle[:4])[0], middle[4:]) if has_group else (None, middle)
            (length,) = unpack(">i", middle[:4])
            append, append_id, _, microseconds = unpack(">q16s16sq", end)
        except struct.error:
            raise ValueError(content) from None
        topic = middle[4:]
        if layout != FRAME_VERSION or length != len(topic):
            raise ValueError(content)
        at = EPOCH + timedelta(microseconds=microseconds)
        streams = UUID(bytes=stream), version, UUID(bytes=subscription)
        return cls(position, *streams, group, topic.decode(), append, UUID(bytes=append_id), at)


class Sealable(NamedTuple):
    """Consecutive records in the bytes that are sealed, column by column: there are many.

    Records of one append have the same object as their origin.
    """

    positions: Sequence[int]
    frames: Sequence[bytes]
    states: Sequence[bytes]
    origins: Sequence[bytes]

    def part(self, begin: int, end: int | None = None) -> Sealable:
        """Return some of the records."""
        part = slice(begin, end)
        return Sealable(self.positions[part], self.frames[part], self.states[part], self.origins[part])

    def followed_by(self, more: Sealable) -> Sealable:
        """Return these records and others after them."""
        return Sealable(
            [*self.positions, *more.positions],
            [*self.frames, *more.frames],
            [*self.states, *more.states],
            [*self.origins, *more.origins],
        )


NO_RECORDS = Sealable((), (), (), ())


class Salts(NamedTuple):
    """The salts of consecutive records: each event's, and its origin's."""

    events: Sequence[bytes]
    origins: Sequence[bytes]

    def part(self, begin: int, end: int | None = None) -> Salts:
        """Return those of some of the records."""
        return Salts(self.events[begin:end], self.origins[begin:end])


class Kept(NamedTuple):
    """The commitments of a record whose texts were erased, as they were sealed; None for a text that wasn't."""

    event: bytes | None
    origin: bytes | None


class LeafTile(NamedTuple):
    """Up to 256 consecutive leaves: their positions in the log, salts and hashes."""

    number: int
    positions: tuple[int, ...] = ()
    salts: Salts = Salts((), ())
    hashes: tuple[bytes, ...] = ()


def begin_frames(
    append_position: int, subscription_id: UUID, events: Iterable[tuple[int, UUID, int, str, bytes, int | None]]
) -> list[bytes]:
    """Return the frames of the events of an append without their end, which is the append's.

    It is what `select_sealable.sql` selects. Each event has a position, a stream, a version, a topic, its text and the
    number of its group in the import's file.
    """
    scope, append, topics = subscription_id.bytes, pack(">q", append_position), dict[str, bytes]()
    frames = []
    for position, stream, version, topic, _, group in events:
        if (middle := topics.get(topic)) is None:
            name = topic.encode()
            middle = topics[topic] = pack(">i", len(name)) + name + append
        begin = _FRAME_BEGIN.pack(FRAME_VERSION, position, stream.bytes, version, scope, group is not None)
        frames.append(begin + middle if group is None else begin + pack(">i", group) + middle)
    return frames


def commitment(salt: bytes, text: bytes) -> bytes:
    """Return what stands for a text in a leaf."""
    return sha256(salt + text).digest()


def leaf_hashes(records: Sealable, salts: Salts) -> tuple[bytes, ...]:
    """Return the hashes of records' leaves: of the frame, the commitment to the event, and that to its origin."""
    hashes: list[bytes] = []
    last_origin, last_salt, in_leaf = None, None, b""
    for frame, state, origin, salt, other in zip(*records[1:], *salts, strict=True):
        if origin is not last_origin or other != last_salt:
            last_origin, last_salt, in_leaf = origin, other, commitment(other, origin)
        hashes.append(sha256(LEAF + frame + sha256(salt + state).digest() + in_leaf).digest())  # inline: it is most
    return tuple(hashes)


def scope_in(frame: bytes) -> bytes:
    """Return the subscription in a record's frame, as 16 bytes."""
    return frame[_SCOPE]


def leaf_hash_of(record: Sealable, salts: Salts, kept: Kept | None = None) -> bytes:
    """Return the hash of one record's leaf, as `leaf_hashes` does, also if its texts were erased since."""
    event, origin = kept or (None, None)
    event = event or commitment(salts.events[0], record.states[0])
    origin = origin or commitment(salts.origins[0], record.origins[0])
    return sha256(LEAF + record.frames[0] + event + origin).digest()


def new_salts(records: Sealable, random: bytes) -> Salts:
    """Return salts for records, from 32 random bytes for each; those of one append share the origin's."""
    events = pieces(random[: SALT_BYTES * len(records.positions)], SALT_BYTES)
    spare = iter(pieces(random[SALT_BYTES * len(events) :], SALT_BYTES))
    origins: list[bytes] = []
    for _, same in groupby(records.origins, key=id):
        origins += [next(spare)] * len(list(same))
    return Salts(events, origins)


def filled(tile: LeafTile, records: Sealable, salts: Salts) -> Iterator[LeafTile]:
    """Yield a tile with the leaves of records added, and those that follow it."""
    positions, hashes = (*tile.positions, *records.positions), (*tile.hashes, *leaf_hashes(records, salts))
    events, origins = (*tile.salts.events, *salts.events), (*tile.salts.origins, *salts.origins)
    for number, at in enumerate(range(0, len(positions), TILE), start=tile.number):
        part = slice(at, at + TILE)
        yield LeafTile(number, positions[part], Salts(events[part], origins[part]), hashes[part])


def pack_positions(positions: Sequence[int]) -> bytes:
    """Return positions as they are stored."""
    return pack(f">{len(positions)}q", *positions)


def unpack_positions(content: bytes) -> tuple[int, ...]:
    """Return the positions that were stored. A part of one that is left over is passed over."""
    count = len(content) // POSITION_BYTES
    return unpack(f">{count}q", content[: count * POSITION_BYTES])


def pieces(content: bytes, length: int = HASH_BYTES) -> tuple[bytes, ...]:
    """Return what is stored one after the other. The last piece is shorter if a part of it was lost."""
    count, rest = divmod(len(content), length)
    found = unpack(f"{length}s" * count, content[: len(content) - rest])  # in a fifth of the time that slices take
    return (*found, content[-rest:]) if rest else found
