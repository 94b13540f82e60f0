"""The leaves of the tree over the log: what of a record is under seal, and how it can be forgotten.

A leaf is the record's frame (its place, stream, topic, append and time, see `select_sealable.sql`) and two commitments:
the SHA-256 of a random salt and the event as it is stored, and the same of the origin of its append. The texts, which
name people, can be erased together with their salts: the commitments stay, say nothing without the salts, and the leaf
is proven as before. Why: docs/decisions/0034-tamper-evidence.md.
"""

from __future__ import annotations

from hashlib import sha256
from typing import NamedTuple

from domain.merkle import HASH_BYTES, leaf_hash

SALT_BYTES = 16
POSITION_BYTES = 8
TILE = 256
"""How many leaves or nodes are stored together, as in c2sp.org/tlog-tiles."""


class SealableRecord(NamedTuple):
    """A record in the bytes that are sealed; the frame lacks its last part if the row of its append is missing."""

    position: int
    frame: bytes
    append_position: int
    state: bytes
    origin: bytes


class Salts(NamedTuple):
    """What makes the commitments to the texts of one record say nothing about them."""

    state: bytes
    origin: bytes


def commitment(salt: bytes, text: bytes) -> bytes:
    """Return what stands for a text in a leaf. The salt has a fixed length, so nothing else gives the same."""
    return sha256(salt + text).digest()


def sealed(frame: bytes, state: bytes, origin: bytes) -> bytes:
    """Return the hash of a leaf, of a frame and two commitments."""
    return leaf_hash(frame + state + origin)


class LeafTile(NamedTuple):
    """Up to 256 leaves: for each its position in the log, its two salts and its hash."""

    number: int
    positions: tuple[int, ...] = ()
    salts: tuple[Salts, ...] = ()
    hashes: tuple[bytes, ...] = ()


def pieces(content: bytes, length: int = HASH_BYTES) -> tuple[bytes, ...]:
    """Return what was stored one after the other."""
    return tuple(content[at : at + length] for at in range(0, len(content), length))
