"""Recording who takes personal data out of Rollcall."""

from __future__ import annotations

from typing import TYPE_CHECKING

from application.records import NewRecord

if TYPE_CHECKING:
    from application.ports import Ports
    from application.records import Origin
    from domain.downloads import FileDownloaded


def record_download(ports: Ports, origin: Origin, downloaded: FileDownloaded) -> None:
    """Record a download durably. Call this before the first byte is sent."""
    ports.events.append(origin, [NewRecord(ports.new_id(), 1, downloaded)])
