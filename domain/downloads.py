"""Downloads: files with personal data that somebody took out of Rollcall.

Each download is a stream of its own with one event, so that none has to wait for another, and no version of an import
changes because somebody has read it. The event is stored: its tag and field names never change.
"""

from __future__ import annotations

from typing import Literal, TypeAlias
from uuid import UUID

from msgspec import Struct

Downloaded: TypeAlias = Literal[
    "file",
    "report",
    "rows-not-added",
    "unlicensed",
    "evidence",
    "groups-user-based",
    "groups-group-based",
    "users",
    "audit",
    "group-users",
    "person",
    "subscription",
]
"""What was downloaded: of an import its file, report, rows that were not added, users without a licence, or evidence;
the exports; the users of a group; what is held of a person; all of a subscription."""


class FileDownloaded(Struct, frozen=True, tag="file.downloaded"):
    """Somebody downloaded a file with personal data; `name` is the file's. Some have an import, which is the origin's.

    This is recorded before the first byte is sent. So nobody can have a file without it, but somebody may not have got
    all of a file that is recorded.
    """

    what: Downloaded
    name: str
    group_id: UUID | None = None
