"""Why an uploaded file is gone: it was kept long enough, it named somebody forgotten, or all was erased."""

from __future__ import annotations

from typing import TYPE_CHECKING

from application.ports import BlobMissing
from domain import subscription
from domain.errors import FileErased
from domain.forgetting import forgetting_id
from domain.retention import FileExpired, expiry_id
from domain.subscription import ErasedSubscription, ErasingSubscription

if TYPE_CHECKING:
    from uuid import UUID

    from application.ports import Ports

ERASED = "It was erased with everything else in this subscription."
FORGOTTEN = "It named a person who was forgotten."
UNEXPLAINED = "Nothing in the log says why. Ask your operator to restore it from a backup."


def file_erased(ports: Ports, subscription_id: UUID, import_id: UUID, sha256: str) -> FileErased | None:
    """Return that the file of an import is gone, and why; None if it is there."""
    try:
        ports.blobs.chunk_count(subscription_id, "file", sha256)
    except BlobMissing:
        return FileErased(why=why_erased(ports, subscription_id, import_id) or UNEXPLAINED)
    return None


def why_erased(ports: Ports, subscription_id: UUID, import_id: UUID) -> str:
    """Return why the file of an import, which is gone, was erased; nothing if the log doesn't say that it was."""
    for record in ports.events.history(expiry_id(import_id), limit=1):
        if isinstance(record.event, FileExpired):
            days = "a day" if record.event.days == 1 else f"{record.event.days:,} days"
            return f"It was erased on {record.at:%-d %B %Y}, because files are kept for {days}."
    stream = ports.events.load(subscription_id, subscription.fold)
    if stream and isinstance(stream.state, (ErasingSubscription, ErasedSubscription)):
        return ERASED
    return FORGOTTEN if ports.events.history(forgetting_id(subscription_id), limit=1) else ""
