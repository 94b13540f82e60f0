"""Checking that nobody altered the log: each record against its leaf, and the tree against checkpoints."""

from __future__ import annotations

from bisect import bisect_right
from itertools import zip_longest
from typing import TYPE_CHECKING, Literal, NamedTuple, Protocol, TypeAlias

from msgspec import Struct

from domain.leaves import (
    NO_RECORDS,
    TILE,
    Kept,
    LeafTile,
    Salts,
    Sealable,
    commitment,
    leaf_hash_of,
    leaf_hashes,
    scope_in,
)
from domain.merkle import Frontier, complete_root
from domain.signed_note import Checkpoint

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

TILE_LEVEL = TILE.bit_length() - 1
Kind: TypeAlias = Literal["altered", "missing", "inserted", "damaged", "cut", "rewritten", "erased"]


class NewTexts(NamedTuple):
    """What sealed events say about a record that was erased: the commitments to its new texts, in this subscription."""

    scope: bytes
    event: bytes | None
    origin: bytes | None


class SealedRecords(Protocol):
    """What there is to check: the records of the log, and the tree over them."""

    def tiles(self) -> Iterator[LeafTile]:
        """Yield the leaves of the tree, in order."""
        ...

    def records(self) -> Iterator[Sealable]:
        """Yield all records of the log in order, some at a time."""
        ...

    def nodes(self) -> Mapping[tuple[int, int], bytes]:
        """Return the stored nodes above full tiles, by level (1 is above the leaves' tiles) and number."""
        ...

    def erased(self) -> Mapping[int, Kept]:
        """Return what is kept of the records that were erased, by position."""
        ...

    def new_texts(self) -> Mapping[int, NewTexts]:
        """Return what sealed events say about erased records before them, by position. The latest ones count."""
        ...


class Finding(Struct, frozen=True):
    """The first record that does not fit. It is `number`, counted from 1, or one from there to `last`.

    - `altered`, `missing`, `inserted`: the record at `position` is not as it was sealed, is gone, or was added.
    - `erased`: its texts were replaced, and it is not as an event says that this left it.
    - `damaged`: the stored tree lacks a part, or has a wrong one. Nodes above sound leaves are `is_repairable`.
    - `cut`: the tree ends before `last`, but `checkpoint` was made over more.
    - `rewritten`: the tree of this many records is not that of `checkpoint` any more.

    In the last two cases, records and tree fit each other. Up to `number`, an earlier checkpoint vouches for both.
    """

    kind: Kind
    number: int
    last: int
    position: int | None = None
    checkpoint: Checkpoint | None = None
    is_repairable: bool = False


class Verified(Struct, frozen=True):
    """How many records were checked, how many checkpoints vouch for, what was found, and how many were erased."""

    records: int
    covered: int
    finding: Finding | None = None
    erased: int = 0


def verify(log: SealedRecords, checkpoints: Iterable[Checkpoint]) -> Verified:
    """Check the log against its tree, and the tree against checkpoints, until something doesn't fit.

    Checkpoints have to be read before, because the log grows meanwhile.
    """
    expected = list(checkpoints)
    while True:
        check = _Check(log, expected)
        finding = next(check.findings(), None)
        if finding is None or check.new_texts == log.new_texts():  # otherwise somebody was forgotten meanwhile
            return Verified(check.tree.size, check.covered, finding, len(check.erased))


class _Check:
    def __init__(self, log: SealedRecords, checkpoints: Iterable[Checkpoint]) -> None:
        self._log = log
        self._batches = log.records()
        self._read = NO_RECORDS
        self._checkpoints = sorted(checkpoints, key=lambda each: each.size, reverse=True)  # the next one is the last
        self._roots: list[bytes] = []
        self.tree = Frontier()
        self.covered = 0
        self.erased = log.erased()
        self.new_texts = log.new_texts()

    def findings(self) -> Iterator[Finding]:
        """Yield what doesn't fit, in order. After the first finding nothing is certain."""
        yield from self._meet_checkpoints()
        for tile in self._log.tiles():
            if not self._is_sound(tile):
                yield self._at("damaged", 0)
            yield from self._compare(tile, self._take(max(tile.positions)))
            yield from self._grow(tile)
        if self._checkpoints:
            yield Finding("cut", self.covered + 1, self.tree.size + 1, checkpoint=self._checkpoints[-1])
        yield from self._compare_nodes()

    def _at(self, kind: Kind, at: int, position: int | None = None) -> Finding:
        """Return a finding about the leaf that comes so many after those of the tree."""
        number = self.tree.size + at + 1
        return Finding(kind, number, number, position)

    def _is_sound(self, tile: LeafTile) -> bool:
        """Return whether a tile is the next one, and complete; all tiles but the last are full."""
        counts = {len(tile.positions), *map(len, tile.salts), len(tile.hashes)}
        return tile.number * TILE == self.tree.size and len(counts) == 1 and 0 not in counts

    def _take(self, until: int) -> Sealable:
        """Return the records up to a position that weren't taken yet."""
        while not self._read.positions or self._read.positions[-1] < until:
            more = next(self._batches, None)
            if more is None:
                break
            self._read = self._read.followed_by(more)
        count = bisect_right(self._read.positions, until)
        taken, self._read = self._read.part(0, count), self._read.part(count)
        return taken

    def _compare(self, tile: LeafTile, records: Sealable) -> Iterator[Finding]:
        """Compare records with the leaves of a tile."""
        if tuple(records.positions) == tile.positions and leaf_hashes(records, tile.salts) == tile.hashes:
            return
        found, wanted = records.positions, tile.positions
        differences = (at for at, (one, other) in enumerate(zip_longest(found, wanted)) if one != other)
        same = next(differences, len(found))
        salts = Salts(*(each[:same] for each in tile.salts))
        hashes = list(leaf_hashes(records.part(0, same), salts))
        erased = self.erased.keys() & found[:same]
        for at in range(same) if erased else ():
            if found[at] in erased:
                hashes[at] = leaf_hash_of(records.part(at, at + 1), salts.part(at, at + 1), self.erased[found[at]])
        for at, (one, other) in enumerate(zip(hashes, tile.hashes, strict=False)):
            if one != other:
                yield self._at("altered", at, found[at])
            if found[at] in erased and not self._is_recorded(records.part(at, at + 1), salts.part(at, at + 1)):
                yield self._at("erased", at, found[at])
        if same < len(found) and (same == len(wanted) or found[same] < wanted[same]):
            yield self._at("inserted", same, found[same])
        elif same < len(wanted):
            yield self._at("missing", same, wanted[same])

    def _is_recorded(self, record: Sealable, salts: Salts) -> bool:
        """Return whether the new texts of an erased record are those that an event of its subscription names."""
        kept, said = self.erased[record.positions[0]], self.new_texts.get(record.positions[0])
        return (
            said is not None
            and said.scope == scope_in(record.frames[0])
            and (kept.event is None or said.event == commitment(salts.events[0], record.states[0]))
            and (kept.origin is None or said.origin == commitment(salts.origins[0], record.origins[0]))
        )

    def _grow(self, tile: LeafTile) -> Iterator[Finding]:
        """Add a tile to the tree. Where a checkpoint is within it, leaf by leaf."""
        is_full = len(tile.hashes) == TILE
        if is_full:
            self._roots.append(complete_root(tile.hashes))
        if is_full and not (self._checkpoints and self._checkpoints[-1].size < self.tree.size + TILE):
            self.tree.add(self._roots[-1], TILE_LEVEL)
            yield from self._meet_checkpoints()
            return
        for each in tile.hashes:
            self.tree.add(each)
            yield from self._meet_checkpoints()

    def _meet_checkpoints(self) -> Iterator[Finding]:
        """Compare the tree with the checkpoints of its size."""
        while self._checkpoints and self._checkpoints[-1].size <= self.tree.size:
            checkpoint = self._checkpoints.pop()
            if checkpoint.root != self.tree.root():
                yield Finding("rewritten", self.covered + 1, checkpoint.size, checkpoint=checkpoint)
            self.covered = checkpoint.size

    def _compare_nodes(self) -> Iterator[Finding]:
        """Compare the stored nodes with what they should be."""
        stored, level, leaves, nodes = self._log.nodes(), 1, TILE, self._roots
        while nodes:
            for at, node in enumerate(nodes):
                if stored.get((level, at)) != node:
                    yield Finding("damaged", at * leaves + 1, at * leaves + 1, is_repairable=True)
            level, leaves = level + 1, leaves * TILE
            nodes = [complete_root(nodes[at : at + TILE]) for at in range(0, len(nodes) // TILE * TILE, TILE)]
