"""Recording who takes personal data out of Rollcall."""

from __future__ import annotations

from typing import TYPE_CHECKING

from application.records import NewRecord
from application.streams import SUBSCRIPTION, find
from domain.errors import NothingToDownload, SubscriptionIsClosed
from domain.subscription import ErasedSubscription

if TYPE_CHECKING:
    from application.ports import Ports
    from application.records import Origin
    from domain.downloads import FileDownloaded


def record_download(ports: Ports, origin: Origin, downloaded: FileDownloaded) -> None:
    """Record a download durably. Call this before the first byte is sent.

    Raises NothingToDownload if the subscription is erased.
    """
    try:
        ports.events.append(origin, [NewRecord(ports.new_id(), 1, downloaded)])
    except SubscriptionIsClosed:
        stream = find(ports, origin, SUBSCRIPTION, origin.subscription_id)
        if not isinstance(stream.state, ErasedSubscription):
            raise
        (erased,) = ports.events.history(stream.id, after=stream.version - 1)
        raise NothingToDownload(day=f"{erased.at:%-d %B %Y}") from None
