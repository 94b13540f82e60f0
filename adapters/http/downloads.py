"""Downloads of personal data are in the audit log: each that is sent, and no request that sends nothing."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from urllib.parse import quote

from adapters.http.security import request_origin
from application.recording_downloads import record_download
from domain.downloads import Downloaded, FileDownloaded

if TYPE_CHECKING:
    from uuid import UUID

    from adapters.composition import Rollcall
    from adapters.http.requests import AnyRequest


WITHOUT_CONTENT = "without_content"
"""What the state of a request has if its answer is sent without content: that of HEAD, which routes answer as GET."""


def attachment(name: str) -> str:
    """Return the Content-Disposition of a file, also for clients that don't know `filename*`, such as curl.

    For these, `_` takes the place of what they could take for something else (RFC 6266, appendix D).
    """
    plain = re.sub(r"[^\w .,()+-]", "_", name, flags=re.ASCII)
    return f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(name, safe='')}"


def note_download(
    request: AnyRequest,
    rollcall: Rollcall,
    subscription_id: UUID,
    what: Downloaded,
    name: str,
    *,
    import_id: UUID | None = None,
    group_id: UUID | None = None,
) -> None:
    """Record that a request downloads a file with personal data. Call this once it is certain that it is sent."""
    if WITHOUT_CONTENT not in request.scope["state"]:
        origin = request_origin(request, subscription_id, request.scope["state"]["actor"], import_id)
        record_download(rollcall, origin, FileDownloaded(what, name, group_id))
