"""The pages to allocate licences on to all users in a file: upload it, review what it would do, allocate.

The file is stored as the files of imports are, so that what is allocated is what was reviewed. Its address is its
SHA-256; nothing else is kept of it.
"""

from __future__ import annotations

from typing import IO, Annotated
from urllib.parse import urlencode
from uuid import UUID

from litestar import get, post
from litestar.concurrency import sync_to_thread
from litestar.params import FromPath, QueryParameter

from adapters.composition import Rollcall
from adapters.console.forms import Form, Refusal, answer_form
from adapters.console.pages import Page, page, see_other
from adapters.console.upload import upload_error
from adapters.console.users import LICENCES
from adapters.http.file_reader import Pieces
from adapters.http.new_licences import LicenceRequest, licences_of_file
from adapters.http.paging import MOST
from adapters.http.problem_kinds import KINDS
from adapters.http.problems import FileRefused, Invalid
from adapters.http.rate_limits import RateLimits, TooManyRequests
from adapters.http.reads import read
from adapters.http.requests import AnyRequest, Injected, checked_text, origin_of, request_key
from adapters.http.security import ADMINISTRATORS
from adapters.http.uploads import FileTooLarge, StorageFull, UploadInterrupted, uploaded_file
from application import licensing
from application.ports import BlobMissing
from domain.errors import NotFound, Refused, RollcallError
from domain.naming import clean_file_name
from projections.reports.problem_rows import ProblemRow

PATH = f"{LICENCES}/file"
FILE = f"{PATH}/{{sha256:str}}"
PROBLEMS_SHOWN = 100
USERS_SHOWN = 100

Name = Annotated[str, QueryParameter(description="The name of the file.", max_length=1_000)]
Allocated = Annotated[int | None, QueryParameter(ge=0, le=MOST, description="A count to show in a notice.")]


# --- upload ---------------------------------------------------------------------------------------------------------


@read(PATH, opt=ADMINISTRATORS)
def show_form(request: AnyRequest, rollcall: Injected[Rollcall], subscription_id: FromPath[UUID]) -> Page:
    """Show the form, and the format of the file."""
    return _form(request, rollcall, subscription_id)


def _form(
    request: AnyRequest,
    rollcall: Rollcall,
    subscription_id: UUID,
    error: RollcallError | None = None,
    problems: list[ProblemRow] | None = None,
) -> Page:
    """Return the form, and on it why an upload failed, or the `problems` for which a file was refused."""
    return page(
        request,
        rollcall,
        "licence-file.html",
        subscription_id=subscription_id,
        section="users",
        status=KINDS[error.code if error else "file-refused"].status if error or problems else 200,
        error=upload_error(error) if error else "",
        problems=(problems or [])[:PROBLEMS_SHOWN],
        more_problems=max(0, len(problems or []) - PROBLEMS_SHOWN),
        key="",
        limits=rollcall.settings.limits,
    )


@post(PATH, opt=ADMINISTRATORS, status_code=200)
async def upload(
    request: AnyRequest,
    rollcall: Injected[Rollcall],
    rate_limits: Injected[RateLimits],
    subscription_id: FromPath[UUID],
) -> Page:
    """Take a file, and redirect to its review; or say why it is refused."""
    try:
        with rate_limits.count_upload(subscription_id):
            async with uploaded_file(request, "file", rollcall.settings.limits.file_bytes) as sent:
                name = clean_file_name(sent.name)
                where = await sync_to_thread(_stored, request, rollcall, subscription_id, sent.file, name)
    except (FileTooLarge, StorageFull, UploadInterrupted, TooManyRequests, Invalid) as error:
        return await sync_to_thread(_form, request, rollcall, subscription_id, error)
    except FileRefused as refused:
        return await sync_to_thread(_form, request, rollcall, subscription_id, None, refused.problems)
    return see_other(where)


def _stored(request: AnyRequest, rollcall: Rollcall, subscription_id: UUID, file: IO[bytes], name: str) -> str:
    """Store a file that can be read, and return the address of its review."""
    content = b"".join(Pieces(file))
    licences_of_file(content, name, rollcall.settings.limits, request.url.path)
    digest = rollcall.blobs.put(subscription_id, "file", Pieces(file))
    return f"{request.url.path}/{digest}?{urlencode({'name': name})}"


# --- review ---------------------------------------------------------------------------------------------------------


@get(FILE, opt=ADMINISTRATORS, sync_to_thread=True)  # it may take long, so it isn't a `read`
def review(
    request: AnyRequest,
    rollcall: Injected[Rollcall],
    subscription_id: FromPath[UUID],
    sha256: FromPath[str],
    name: Name = "licences.csv",
    allocated: Allocated = None,
) -> Page:
    """Show whom a stored file would allocate licences to, and how many seats that takes; or how many it allocated."""
    wanted = _read_again(request, rollcall, subscription_id, sha256, name)
    return _review(request, rollcall, subscription_id, sha256, name, wanted, allocated=allocated)


def _review(
    request: AnyRequest,
    rollcall: Rollcall,
    subscription_id: UUID,
    sha256: str,
    name: str,
    wanted: LicenceRequest,
    *,
    allocated: int | None = None,
    refusal: Refusal | None = None,
) -> Page:
    plan = licensing.plan_allocation(rollcall, origin_of(request, subscription_id), wanted.users)
    path = f"/subscriptions/{subscription_id}/licences/file/{sha256}"
    here = f"{path}?{urlencode({'name': name})}"
    return page(
        request,
        rollcall,
        "licence-review.html",
        subscription_id=subscription_id,
        section="users",
        status=refusal.status if refusal else 200,
        own_address=here if refusal or allocated is not None else "",
        path=path,
        file_name=name,
        plan=plan,
        seats=plan.seats,
        new=plan.new[:USERS_SHOWN],
        refused=sum(problem.count for problem in wanted.problems if problem.severity == "error"),
        problems=wanted.problems[:PROBLEMS_SHOWN],
        more_problems=max(0, len(wanted.problems) - PROBLEMS_SHOWN),
        passed_over=wanted.passed_over,
        allocated=allocated,
        refusal=refusal,
        key=rollcall.new_id(),
    )


def _read_again(
    request: AnyRequest, rollcall: Rollcall, subscription_id: UUID, sha256: str, name: str
) -> LicenceRequest:
    """Return what a stored file asks for; raises NotFound, and FileRefused if it is no licence file."""
    digest = checked_text(sha256)
    try:
        chunks = range(rollcall.blobs.chunk_count(subscription_id, "file", digest))
        content = b"".join(rollcall.blobs.chunk(subscription_id, "file", digest, number) for number in chunks)
    except BlobMissing as missing:
        raise NotFound(what="file", id=digest) from missing
    return licences_of_file(content, checked_text(name, "name"), rollcall.settings.limits, request.url.path)


@post(FILE, sync_to_thread=True, opt=ADMINISTRATORS)
def allocate(
    request: AnyRequest,
    rollcall: Injected[Rollcall],
    form: Injected[Form],
    subscription_id: FromPath[UUID],
    sha256: FromPath[str],
) -> Page:
    """Allocate licences to all users in a stored file or, if there are too few seats, to none."""
    name = form.field("name")
    wanted = _read_again(request, rollcall, subscription_id, sha256, name)
    key = request_key(request, form.field("key"), subscription_id, sha256.encode())

    def command() -> licensing.AllocationResult:
        return licensing.allocate_licences(rollcall, origin_of(request, subscription_id), wanted.users, key)

    def following(effect: licensing.AllocationResult) -> str:
        return f"{request.url.path}?{urlencode({'name': name, 'allocated': effect.allocated})}"

    def refused(error: Refused) -> Page:
        return _review(request, rollcall, subscription_id, sha256, name, wanted, refusal=Refusal(error))

    return answer_form(request, rollcall, subscription_id, command, following, refused)


ROUTES = (show_form, upload)
"""Those that take files."""
REVIEW = (review, allocate)
