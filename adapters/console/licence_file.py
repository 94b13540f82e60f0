"""The page to allocate licences on, to all users in a file."""

from __future__ import annotations

from typing import IO
from uuid import UUID

from litestar import post
from litestar.concurrency import sync_to_thread
from litestar.params import FromPath
from msgspec import Struct

from adapters.composition import Rollcall
from adapters.console.pages import Page, page
from adapters.console.upload import FormKey, upload_error
from adapters.console.users import LICENCES
from adapters.http.new_licences import users_of_file
from adapters.http.problem_kinds import KINDS
from adapters.http.problems import FileRefused, Invalid
from adapters.http.rate_limits import RateLimits, TooManyRequests
from adapters.http.reads import read
from adapters.http.requests import AnyRequest, Injected, origin_of, request_key
from adapters.http.security import ADMINISTRATORS
from adapters.http.uploads import FileTooLarge, StorageFull, UploadInterrupted, uploaded_file
from application import licensing
from application.licensing import AllocationResult
from domain.errors import KeyReused, RollcallError, SeatsExceeded
from domain.naming import clean_file_name
from projections.reports.problem_rows import ProblemRow

PATH = f"{LICENCES}/file"
PROBLEMS_SHOWN = 100


class FileResult(Struct, frozen=True):
    """The result of a file: what was allocated, or the error that nothing was; and the problems in the file.

    Without an allocation and an error, the problems are why the file was refused.
    """

    file_name: str = ""
    allocation: AllocationResult | None = None
    problems: list[ProblemRow] = []
    error: RollcallError | None = None

    @property
    def status(self) -> int:
        """The HTTP status of the page that shows it."""
        if self.allocation:
            return 200 if self.allocation.readable else 202
        return KINDS[self.error.code if self.error else "file-refused"].status

    @property
    def message(self) -> str:
        """What went wrong, and what to do."""
        return upload_error(self.error) if self.error else ""

    @property
    def missing_seats(self) -> int:
        """How many more seats would have been needed."""
        if not isinstance(self.error, SeatsExceeded):
            return 0
        return int(str(self.error.fields["wanted"])) - int(str(self.error.fields["free"]))


@read(PATH, opt=ADMINISTRATORS)
def show_form(request: AnyRequest, rollcall: Injected[Rollcall], subscription_id: FromPath[UUID]) -> Page:
    """Show the form, and the format of the file."""
    return _form(request, rollcall, subscription_id)


def _form(request: AnyRequest, rollcall: Rollcall, subscription_id: UUID, result: FileResult | None = None) -> Page:
    return page(
        request,
        rollcall,
        "licence-file.html",
        subscription_id=subscription_id,
        section="users",
        status=result.status if result else 200,
        result=result,
        problems=result.problems[:PROBLEMS_SHOWN] if result else [],
        key=rollcall.new_id(),
        limits=rollcall.settings.limits,
    )


@post(PATH, opt=ADMINISTRATORS, status_code=200)
async def allocate_file(
    request: AnyRequest,
    rollcall: Injected[Rollcall],
    rate_limits: Injected[RateLimits],
    subscription_id: FromPath[UUID],
    key: FormKey = None,
) -> Page:
    """Allocate licences to all users in a file or, if there are too few seats, to none. Show the rows with problems."""
    try:
        with rate_limits.count_upload(subscription_id):
            async with uploaded_file(request, "file", rollcall.settings.limits.file_bytes) as sent:
                name = clean_file_name(sent.name)
                result = await sync_to_thread(_allocate, request, rollcall, subscription_id, sent.file, name, key)
    except (FileTooLarge, StorageFull, UploadInterrupted, TooManyRequests, Invalid) as error:
        result = FileResult(error=error)
    return await sync_to_thread(_form, request, rollcall, subscription_id, result)


def _allocate(
    request: AnyRequest, rollcall: Rollcall, subscription_id: UUID, file: IO[bytes], name: str, key: str | None
) -> FileResult:
    file.seek(0)
    content = file.read()
    problems: list[ProblemRow] = []
    try:
        users, problems = users_of_file(content, name, rollcall.settings.limits, request.url.path)
        idempotency_key = request_key(request, key, subscription_id, content)
        allocation = licensing.allocate_licences(rollcall, origin_of(request, subscription_id), users, idempotency_key)
    except FileRefused as refused:
        return FileResult(name, problems=refused.problems)
    except (SeatsExceeded, KeyReused) as error:
        return FileResult(name, problems=problems, error=error)
    return FileResult(name, allocation, problems)


ROUTES = (show_form, allocate_file)
