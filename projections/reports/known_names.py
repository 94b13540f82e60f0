"""Which encoding of a file gives names that a subscription knows: those of its groups and of people with a licence."""

from __future__ import annotations

from typing import TYPE_CHECKING

from domain.files.encodings import readings, samples
from domain.naming import group_key
from projections.directory import read as directory

if TYPE_CHECKING:
    from uuid import UUID

    from projections.view import ViewCursor

SAMPLED_BYTES = 4 * 1024 * 1024  # of a file are looked at
CELLS = 200  # that are looked up for each encoding


def known_encoding(cursor: ViewCursor, subscription_id: UUID, beginning: bytes) -> str:
    """Return the legacy encoding in which most cells of a file are names that are known, or "" if none of them is."""
    lines = beginning[: beginning.rfind(b"\n") + 1] or beginning
    cells = {each.encoding: samples(lines, each.encoding, CELLS) for each in readings(lines)}
    every = {cell: group_key(cell) for some in cells.values() for cell in some}
    groups = directory.group_ids_by_key(cursor, subscription_id, sorted(set(every.values())))
    known = directory.names_of_people(cursor, subscription_id, every).union(
        cell for cell, key in every.items() if key in groups
    )
    best = max(cells, key=lambda encoding: len(known.intersection(cells[encoding])), default="")
    return best if best and known.intersection(cells[best]) else ""
