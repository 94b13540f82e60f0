"""Blobs in memory (see `ports.Blobs`)."""

from __future__ import annotations

from hashlib import sha256
from typing import TYPE_CHECKING

from application.ports import BlobMissing

if TYPE_CHECKING:
    from collections.abc import Iterable
    from uuid import UUID

    from application.ports import BlobKind


class MemoryBlobs:
    """The chunks of each blob. A blob never changes, and threads may share the store."""

    def __init__(self) -> None:
        self._chunks: dict[tuple[UUID, BlobKind, str], tuple[bytes, ...]] = {}

    def put(self, subscription_id: UUID, kind: BlobKind, chunks: Iterable[bytes]) -> str:
        """Store the chunks, unless they are there, and return the hexadecimal SHA-256 of all of them."""
        stored = tuple(chunks)
        digest = sha256(b"".join(stored)).hexdigest()
        self._chunks.setdefault((subscription_id, kind, digest), stored)
        return digest

    def chunk(self, subscription_id: UUID, kind: BlobKind, sha256: str, number: int) -> bytes:
        """Return one chunk, counted from 0; raises BlobMissing."""
        chunks = self._chunks[subscription_id, kind, sha256]
        if not 0 <= number < len(chunks):
            raise BlobMissing((subscription_id, kind, sha256, number))
        return chunks[number]

    def chunk_count(self, subscription_id: UUID, kind: BlobKind, sha256: str) -> int:
        """Return how many chunks a blob has; raises BlobMissing."""
        return len(self._chunks[subscription_id, kind, sha256])
