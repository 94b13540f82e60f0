"""The page to upload a file of groups on."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from litestar import post
from litestar.concurrency import sync_to_thread
from litestar.params import FromPath, QueryParameter

from adapters.composition import Rollcall
from adapters.console.forms import redirect_when_readable
from adapters.console.pages import Page, page
from adapters.http.file_reader import FileReader, FileTakesTooMuchMemory
from adapters.http.problem_kinds import KINDS
from adapters.http.problems import Invalid
from adapters.http.rate_limits import RateLimits, TooManyRequests
from adapters.http.reads import read
from adapters.http.requests import AnyRequest, Injected
from adapters.http.security import ADMINISTRATORS
from adapters.http.uploads import FileTooLarge, StorageFull, UploadInterrupted, take_upload
from domain.errors import KeyReused, RollcallError

PATH = "/subscriptions/{subscription_id:uuid}/import"

FormKey = Annotated[
    str | None,
    QueryParameter(
        description="Identifies the form, so that submitting it twice uploads once.", min_length=1, max_length=255
    ),
]


def upload_error(error: RollcallError) -> str:
    """Return what a page says of an upload that failed. Some errors speak of requests; a page speaks of the file."""
    match error:
        case KeyReused():
            return "You’ve already submitted this form with a different file. Choose the file again, then upload it."
        case Invalid():
            return "Choose a file first."
        case _:
            return str(error)


@read(PATH, opt=ADMINISTRATORS)
def show_form(request: AnyRequest, rollcall: Injected[Rollcall], subscription_id: FromPath[UUID]) -> Page:
    """Show the form, and the two formats of files."""
    return _form(request, rollcall, subscription_id)


def _form(request: AnyRequest, rollcall: Rollcall, subscription_id: UUID, error: RollcallError | None = None) -> Page:
    return page(
        request,
        rollcall,
        "upload.html",
        subscription_id=subscription_id,
        section="imports",
        status=KINDS[error.code].status if error else 200,
        key=rollcall.new_id(),
        limits=rollcall.settings.limits,
        error=upload_error(error) if error else None,
    )


@post(PATH, opt=ADMINISTRATORS)
async def upload(
    request: AnyRequest,
    rollcall: Injected[Rollcall],
    file_reader: Injected[FileReader],
    rate_limits: Injected[RateLimits],
    subscription_id: FromPath[UUID],
    key: FormKey = None,
) -> Page:
    """Take a file, and redirect to its import: to the review, or to the problems for which it was refused."""
    try:
        done = await take_upload(request, rollcall, file_reader, rate_limits, subscription_id, key)
    except (
        KeyReused,
        FileTooLarge,
        FileTakesTooMuchMemory,
        StorageFull,
        UploadInterrupted,
        TooManyRequests,
        Invalid,
    ) as error:
        return await sync_to_thread(_form, request, rollcall, subscription_id, error)
    where = f"/subscriptions/{subscription_id}/imports/{done.id}"
    return await sync_to_thread(redirect_when_readable, request, rollcall, subscription_id, done, where)


ROUTES = (show_form, upload)
