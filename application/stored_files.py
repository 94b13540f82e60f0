"""Reading a stored file, chunk by chunk."""

from __future__ import annotations

from bisect import bisect_right
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


class StoredFile:
    """The bytes of a file that are fetched when they are asked for; `fetch` returns the chunk with a number.

    Only one chunk is in memory at a time, which is enough for whoever reads it from first to last.
    """

    def __init__(self, fetch: Callable[[int], bytes], size: int) -> None:
        self._fetch = fetch
        self._size = size
        self._starts = [0]  # of the chunks whose place is known, and of the one after them
        self._last: tuple[int, bytes] = (-1, b"")

    def __len__(self) -> int:
        return self._size

    def __getitem__(self, part: slice) -> bytes:
        start, stop, _ = part.indices(self._size)
        pieces = []
        while start < stop:
            number, chunk = self._chunk_at(start)
            piece = chunk[start - self._starts[number] :][: stop - start]
            pieces.append(piece)
            start += len(piece)
        return b"".join(pieces)

    def _chunk_at(self, offset: int) -> tuple[int, bytes]:
        while self._starts[-1] <= offset:
            chunk = self._chunk(len(self._starts) - 1)
            self._starts.append(self._starts[-1] + len(chunk))
        number = bisect_right(self._starts, offset) - 1
        return number, self._chunk(number)

    def _chunk(self, number: int) -> bytes:
        if self._last[0] != number:
            self._last = number, self._fetch(number)
        return self._last[1]
