"""The page where a file is handed over."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from litestar import get, post
from litestar.concurrency import sync_to_thread
from litestar.params import FromPath, QueryParameter

from adapters.composition import Rollcall
from adapters.console.pages import Page, page, seen
from adapters.http.file_reader import FileReader
from adapters.http.problem_kinds import KINDS
from adapters.http.problems import Invalid
from adapters.http.rate_limits import RateLimits, TooManyRequests
from adapters.http.requests import AnyRequest, Injected
from adapters.http.security import ADMINISTRATORS
from adapters.http.uploads import FileTooLarge, UploadInterrupted, take_upload
from domain.errors import KeyReused, RollcallError

PATH = "/subscriptions/{subscription_id:uuid}/import"
ADVICE = {
    KeyReused: "This form was sent before, with another file. Choose the file again, then upload it.",
    Invalid: "Choose a file first.",
}
"""What to say where an error speaks of the request more than of the file."""


@get(PATH, sync_to_thread=True, opt=ADMINISTRATORS)
def show_form(request: AnyRequest, rollcall: Injected[Rollcall], subscription_id: FromPath[UUID]) -> Page:
    """Say what the two formats are, and take a file."""
    return _form(request, rollcall, subscription_id)


def _form(request: AnyRequest, rollcall: Rollcall, subscription_id: UUID, error: RollcallError | None = None) -> Page:
    return page(
        request,
        rollcall,
        "import.html",
        of=subscription_id,
        section="imports",
        status=KINDS[error.code].status if error else 200,
        key=rollcall.new_id(),
        limits=rollcall.settings.limits,
        error=ADVICE.get(type(error), str(error)) if error else None,
    )


@post(PATH, opt=ADMINISTRATORS)
async def upload(
    request: AnyRequest,
    rollcall: Injected[Rollcall],
    file_reader: Injected[FileReader],
    rate_limits: Injected[RateLimits],
    subscription_id: FromPath[UUID],
    key: Annotated[str | None, QueryParameter(description="Names this form.", min_length=1, max_length=255)] = None,
) -> Page:
    """Take a file, and go on to its review, or to what is wrong with it."""
    try:
        done = await take_upload(request, rollcall, file_reader, rate_limits, subscription_id, key)
    except (KeyReused, FileTooLarge, UploadInterrupted, TooManyRequests, Invalid) as error:
        return await sync_to_thread(_form, request, rollcall, subscription_id, error)
    where = f"/subscriptions/{subscription_id}/imports/{done.id}"
    return await sync_to_thread(seen, request, rollcall, subscription_id, done, where)


ROUTES = (show_form, upload)
