"""Proofs over the sealed log: that it holds a record, and that it only grew. The API and evidence bundles give them.

The tree is over the records of all subscriptions. A proof has hashes of others' records, and nothing else of them.
"""

from __future__ import annotations

from base64 import b64encode
from typing import TYPE_CHECKING

from msgspec import Struct

from domain.access import TokenIssued
from domain.errors import NotFound, Refused
from domain.leaves import Frame, Kept, commitment, leaf_hash_of
from domain.merkle import prove_consistency, prove_inclusion
from domain.signed_note import unverified

if TYPE_CHECKING:
    from uuid import UUID

    from adapters.composition import Rollcall

WITHHELD = frozenset({str(TokenIssued.__struct_config__.tag)})
"""The events whose text nobody is given: it has the hash of a secret. Their commitment proves them nevertheless."""


class NoCheckpoint(Refused):
    """No checkpoint has been signed yet. An operator has to set ROLLCALL_CHECKPOINT_KEY, and a worker has to run."""

    code = "not-sealed"


class NotInTree(Refused):
    """This event is not among the first {size:,} records. Use a later checkpoint: one is signed every minute."""

    code = "not-sealed"


class TreeSmaller(NotInTree):
    """The tree has only {size:,} records yet. Use the size of a checkpoint, or try again in a minute."""


class CommittedText(Struct, frozen=True):
    """What a leaf commits to: the SHA-256 of the salt and the text. Without the text, the commitment stands for it.

    So it is for tokens, and for texts that were erased because they named a person who was forgotten.
    """

    commitment: str
    salt: str | None
    text: str | None


class InclusionDocument(Struct, frozen=True):
    """The proof that the tree of the first `size` records has a record as its leaf `index`, counted from 0.

    The leaf is the frame and the two commitments; `hashes` lead from it to the root. Bytes are in base64.
    """

    index: int
    size: int
    leaf: str
    hashes: list[str]
    frame: str
    event: CommittedText
    origin: CommittedText


class ConsistencyDocument(Struct, frozen=True):
    """The proof that the tree of `new_size` records begins with that of `old_size` records. Bytes are in base64."""

    old_size: int
    new_size: int
    hashes: list[str]


def checkpoint_size(rollcall: Rollcall) -> int:
    """Return how many records the newest checkpoint vouches for; raises NoCheckpoint."""
    return unverified(newest_checkpoint(rollcall)).size


def newest_checkpoint(rollcall: Rollcall) -> str:
    """Return the newest checkpoint; raises NoCheckpoint."""
    note = rollcall.checkpoints.newest()
    if note is None:
        raise NoCheckpoint
    return note


def inclusion(rollcall: Rollcall, subscription_id: UUID, stream: UUID, version: int, size: int) -> InclusionDocument:
    """Return the proof of an event of a subscription; raises NotFound and NotInTree."""
    _require_size(rollcall, size)
    position = rollcall.sealed_log.position(subscription_id, stream, version)
    if position is None:
        raise NotFound(what="event", id=f"{version} of {stream}")
    found = rollcall.sealed_log.sealed(position)
    if found is None or found[0] >= size:
        raise NotInTree(size=size)
    index, record, salts = found
    hashes = prove_inclusion(index, size, rollcall.sealed_log.subtree)
    kept = rollcall.sealed_log.erased([position]).get(position, Kept(None, None))
    is_withheld = Frame.parse(record.frames[0]).topic in WITHHELD
    return InclusionDocument(
        index,
        size,
        _base64(leaf_hash_of(record, salts, kept)),
        list(map(_base64, hashes)),
        _base64(record.frames[0]),
        _committed(salts.events[0], record.states[0], kept.event, withheld=is_withheld),
        _committed(salts.origins[0], record.origins[0], kept.origin),
    )


def consistency(rollcall: Rollcall, old: int, new: int) -> ConsistencyDocument:
    """Return the proof that the tree of `new` records begins with that of `old`; raises NotInTree."""
    _require_size(rollcall, new)
    hashes = prove_consistency(old, new, rollcall.sealed_log.subtree)
    return ConsistencyDocument(old, new, list(map(_base64, hashes)))


def _require_size(rollcall: Rollcall, size: int) -> None:
    if size > (there := rollcall.sealed_log.size()):
        raise TreeSmaller(size=there)


def _committed(salt: bytes, text: bytes, kept: bytes | None, *, withheld: bool = False) -> CommittedText:
    if kept:
        return CommittedText(_base64(kept), None, None)
    stands_for = _base64(commitment(salt, text))
    return (
        CommittedText(stands_for, None, None) if withheld else CommittedText(stands_for, _base64(salt), text.decode())
    )


def _base64(content: bytes) -> str:
    return b64encode(content).decode()
