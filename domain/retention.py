"""How long uploaded files are kept, and what records that one was erased when its time had come.

Each file that is erased is a stream of its own with one event, as downloads are, so that no version of an import
changes after it has ended. The event is stored: its tag and field names never change.
"""

from __future__ import annotations

from uuid import UUID, uuid5

from msgspec import Struct

UNUSED_STATES = ("rejected", "discarded")
USED_STATES = ("completed", "closed", "undone", "partly_undone", "stopped", "reviewing")
"""The states of all other imports that aren't running. If they go on, they need what was read from the file, not it."""


class FileExpired(Struct, frozen=True, tag="file.expired"):
    """Rollcall erased an uploaded file, after it had been kept for `days`.

    The origin's import is the one whose file it was; `name` is the file's. A licence file has neither.
    """

    name: str
    days: int


class Retention(Struct, frozen=True):
    """For how many days files are kept after anything has happened to their imports; None for ever.

    `unused_days` are for those of rejected and discarded imports, and for licence files after their upload. They are
    not more than `days`.
    """

    days: int | None = None
    unused_days: int | None = None


def expiry_id(import_id: UUID) -> UUID:
    """Return the stream that says when the file of an import was erased after its retention."""
    return uuid5(import_id, "file-expired")
