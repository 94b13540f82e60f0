"""The page where licences are allocated to all users of a file."""

from __future__ import annotations

from typing import IO, Annotated
from uuid import UUID

from litestar import get, post
from litestar.concurrency import sync_to_thread
from litestar.params import FromPath, QueryParameter
from msgspec import Struct

from adapters.composition import Rollcall
from adapters.console.pages import Page, page
from adapters.console.users import LICENCES
from adapters.http.new_licences import users_of_file
from adapters.http.problem_kinds import KINDS
from adapters.http.problems import FileRefused, Invalid
from adapters.http.rate_limits import RateLimits, TooManyRequests
from adapters.http.requests import AnyRequest, Injected, origin_of, request_key
from adapters.http.security import ADMINISTRATORS
from adapters.http.uploads import FileTooLarge, UploadInterrupted, uploaded_file
from application import licensing
from application.licensing import Allocated
from domain.errors import KeyReused, RollcallError, SeatsExceeded
from domain.naming import clean_file_name
from projections.reports.problem_rows import ProblemRow

FILE = f"{LICENCES}/file"
PROBLEMS_SHOWN = 100
ADVICE = {
    KeyReused: "This form was sent before, with another file. Choose the file again, then send it.",
    Invalid: "Choose a file first.",
}
"""What to say where an error speaks of the request more than of the file."""


class Outcome(Struct, frozen=True):
    """What became of a file: what was allocated, or why nothing was; and what is wrong with it, where."""

    file_name: str = ""
    done: Allocated | None = None
    problems: list[ProblemRow] = []
    error: RollcallError | None = None

    @property
    def status(self) -> int:
        """The status of the page that tells it."""
        if self.done:
            return 200 if self.done.readable else 202
        return KINDS[self.error.code if self.error else "file-refused"].status

    @property
    def said(self) -> str:
        """What was wrong, and what to do."""
        return ADVICE.get(type(self.error), str(self.error)) if self.error else ""

    @property
    def missing(self) -> int:
        """How many seats more were needed."""
        if not isinstance(self.error, SeatsExceeded):
            return 0
        return int(str(self.error.fields["wanted"])) - int(str(self.error.fields["free"]))


@get(FILE, sync_to_thread=True, opt=ADMINISTRATORS)
def show_form(request: AnyRequest, rollcall: Injected[Rollcall], subscription_id: FromPath[UUID]) -> Page:
    """Say what the file looks like, and take it."""
    return _form(request, rollcall, subscription_id)


def _form(request: AnyRequest, rollcall: Rollcall, subscription_id: UUID, outcome: Outcome | None = None) -> Page:
    return page(
        request,
        rollcall,
        "allocate.html",
        of=subscription_id,
        section="users",
        status=outcome.status if outcome else 200,
        outcome=outcome,
        problems=outcome.problems[:PROBLEMS_SHOWN] if outcome else [],
        key=rollcall.new_id(),
        limits=rollcall.settings.limits,
    )


@post(FILE, opt=ADMINISTRATORS, status_code=200)
async def allocate_file(
    request: AnyRequest,
    rollcall: Injected[Rollcall],
    rate_limits: Injected[RateLimits],
    subscription_id: FromPath[UUID],
    key: Annotated[str | None, QueryParameter(description="Names this form.", min_length=1, max_length=255)] = None,
) -> Page:
    """Allocate licences to all users of a file, or for want of seats to none; and say which rows cannot be used."""
    try:
        with rate_limits.count_upload(subscription_id):
            async with uploaded_file(request, "file", rollcall.settings.limits.file_bytes) as sent:
                name = clean_file_name(sent.name)
                outcome = await sync_to_thread(_allocated, request, rollcall, subscription_id, sent.file, name, key)
    except (FileTooLarge, UploadInterrupted, TooManyRequests, Invalid) as error:
        outcome = Outcome(error=error)
    return await sync_to_thread(_form, request, rollcall, subscription_id, outcome)


def _allocated(
    request: AnyRequest, rollcall: Rollcall, subscription_id: UUID, file: IO[bytes], name: str, key: str | None
) -> Outcome:
    file.seek(0)
    content = file.read()
    problems: list[ProblemRow] = []
    try:
        users, problems = users_of_file(content, name, rollcall.settings.limits, request.url.path)
        asked = request_key(request, key, subscription_id, content)
        done = licensing.allocate_licences(rollcall, origin_of(request, subscription_id), users, asked)
    except FileRefused as refused:
        return Outcome(name, problems=refused.problems)
    except (SeatsExceeded, KeyReused) as error:
        return Outcome(name, problems=problems, error=error)
    return Outcome(name, done, problems)


ROUTES = (show_form, allocate_file)
