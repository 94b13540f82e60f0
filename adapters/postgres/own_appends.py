"""What this process has appended and the tree hasn't got yet, so that it isn't read again to be sealed."""

from __future__ import annotations

from bisect import bisect_left, insort
from operator import attrgetter
from threading import Lock
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from adapters.postgres.event_store import OwnAppend

KEPT_BYTES = 16_000_000
"""How much is kept, as stored. A large import appends some 8 MB a second and is sealed once a second."""
BEFORE = attrgetter("before.position")


class OwnAppends:
    """The latest appends of this process, if anybody in it asks for them."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._kept: list[OwnAppend] = []  # in the order of the log
        self._bytes = 0
        self._is_asked = False

    def take(self, own: OwnAppend) -> None:
        """Keep an append, and forget the oldest if that is too much."""
        with self._lock:
            if self._is_asked:
                insort(self._kept, own._replace(batch=None), key=BEFORE)  # decoded, it takes twice as much
                self._bytes += own.bytes
                while self._bytes > KEPT_BYTES:
                    self._forget_first(1)

    def following(self, position: int, most: int) -> tuple[list[OwnAppend], int | None]:
        """Return the appends that follow a position without a gap, until they have `most` events or a few more.

        If there is a gap, return none, and the position where it ends; None if nothing is kept behind it. What comes
        before the position is forgotten. A log that went back may have lost what is returned.
        """
        with self._lock:
            self._is_asked = True
            self._forget_first(bisect_left(self._kept, position, key=BEFORE))
            if self._kept and self._kept[0].before.position > position:
                return [], self._kept[0].before.position
            found, count = [], 0
            for own in self._kept:
                if own.before.position != position or count >= most:
                    break
                found.append(own)
                position, count = own.mark.position, count + len(own.events.states)
            return found, None

    def forget(self) -> None:
        """Forget all, because the log went back."""
        with self._lock:
            self._forget_first(len(self._kept))

    def _forget_first(self, count: int) -> None:
        self._bytes -= sum(own.bytes for own in self._kept[:count])
        del self._kept[:count]
