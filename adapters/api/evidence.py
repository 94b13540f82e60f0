"""The evidence of an import: one file from which somebody else can check what happened, without the database."""

from __future__ import annotations

from contextlib import ExitStack
from functools import partial
from tempfile import TemporaryFile
from typing import IO, TYPE_CHECKING
from uuid import UUID

from litestar import get
from litestar.params import FromPath
from litestar.response import Stream

from adapters.api.imports import IMPORT
from adapters.api.report import REPORT_VIEWS, ViewsBehind
from adapters.composition import Rollcall
from adapters.evidence.archive import PIECE_BYTES
from adapters.evidence.bundle import write_bundle
from adapters.evidence.everything import write_everything
from adapters.http.downloads import note_download
from adapters.http.lookups import find_import, find_subscription
from adapters.http.problems import responses
from adapters.http.requests import AnyRequest, Injected
from adapters.http.security import READERS
from adapters.http.uploads import telling_full_disk
from adapters.postgres import wakeups

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


@get(  # it may take long, so it isn't a `read`, of which only a few run at once
    f"{IMPORT}/evidence.zip",
    media_type="application/zip",
    sync_to_thread=True,
    responses=responses("not-found", "not-sealed", "no-signing-key", "storage-full"),
    opt=READERS,
)
def download_evidence(
    request: AnyRequest, rollcall: Injected[Rollcall], subscription_id: FromPath[UUID], import_id: FromPath[UUID]
) -> Stream:
    """Download the evidence of an import: its file, all its events, and the proof that the signed log holds them.

    Also in it are the report, what was read from the file, and `index.html`, a page for people. Check the bundle with
    `rollcall audit verify BUNDLE --key PUBLIC_KEY`, which needs no database. The bundle of an import that has come to
    rest always has the same bytes. The report shows the state at the time of the request.
    """
    find_import(rollcall, subscription_id, import_id)
    if not rollcall.health.catch_up(*REPORT_VIEWS, seconds=wakeups.READABLE_WITHIN_SECONDS):
        raise ViewsBehind
    row, name = find_import(rollcall, subscription_id, import_id), f"evidence-{import_id}.zip"

    def note() -> None:
        note_download(request, rollcall, subscription_id, "evidence", name, import_id=import_id)

    return _sent(name, partial(write_bundle, rollcall, row), note)


@get(
    "/subscriptions/{subscription_id:uuid}/everything.zip",
    media_type="application/zip",
    sync_to_thread=True,
    responses=responses("not-found", "not-sealed", "storage-full"),
    opt=READERS,
)
def download_everything(request: AnyRequest, rollcall: Injected[Rollcall], subscription_id: FromPath[UUID]) -> Stream:
    """Download everything in a subscription: groups, users, imports with their files, the audit log and all events.

    The groups are an import file, and the users a licence file. If this server signs the log, the archive has the proof
    that nothing in it was altered: check it with `rollcall audit verify FILE.zip --key PUBLIC_KEY`, without a database.
    """
    find_subscription(rollcall, subscription_id)
    if not rollcall.health.catch_up(seconds=wakeups.READABLE_WITHIN_SECONDS):
        raise ViewsBehind
    row, name = find_subscription(rollcall, subscription_id), f"subscription-{subscription_id}.zip"

    def note() -> None:
        note_download(request, rollcall, subscription_id, "subscription", name)

    return _sent(name, partial(write_everything, rollcall, row), note)


def _sent(name: str, write: Callable[[IO[bytes]], None], note: Callable[[], None]) -> Stream:
    """Send an archive once it is written as a whole, and noted."""
    with ExitStack() as opened, telling_full_disk():
        file = opened.enter_context(TemporaryFile())
        write(file)
        note()
        headers = {"Content-Disposition": f'attachment; filename="{name}"', "Content-Length": str(file.tell())}
        opened.pop_all()  # it is closed once it is sent
    return Stream(_pieces(file), media_type="application/zip", headers=headers)


def _pieces(file: IO[bytes]) -> Iterator[bytes]:
    with file:
        file.seek(0)
        while piece := file.read(PIECE_BYTES):
            yield piece
