"""Every error as a problem document (RFC 9457): what happened here, what to do, and a page that explains the kind."""

from __future__ import annotations

import re
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

import eventsourcing.persistence
import psycopg
import psycopg_pool
import structlog
from litestar import Request, Response, get
from litestar.exceptions import (
    ClientException,
    HTTPException,
    InternalServerException,
    MethodNotAllowedException,
    NotFoundException,
    ValidationException,
)
from litestar.openapi.datastructures import ResponseSpec
from litestar.params import FromPath
from litestar.response import Template
from msgspec import UNSET, Struct, UnsetType, json

from adapters.http.problem_kinds import KINDS
from adapters.http.rate_limits import TooManyRequests
from adapters.http.security import EVERYBODY
from domain import errors
from domain.errors import RollcallError
from projections.reports.problem_rows import ProblemRow

if TYPE_CHECKING:
    from litestar.types import ExceptionHandlersMap

log = structlog.get_logger(__name__)

MEDIA_TYPE = "application/problem+json"
HEADERS = {
    errors.Busy.code: {"Retry-After": "1"},
    "provider-away": {"Retry-After": "10"},
    "unauthenticated": {"WWW-Authenticate": 'Bearer realm="rollcall"'},  # RFC 6750, section 3
}
"""What tells a client how to go on after some errors."""


class ProblemDocument(Struct, frozen=True):
    """An error. `title` is the same for every occurrence; `detail` says what happened here and what to do."""

    type: str
    title: str
    status: int
    detail: str
    request_id: str
    field: str | UnsetType = UNSET
    problems: list[ProblemRow] | UnsetType = UNSET
    emails: list[str] | UnsetType = UNSET


class VersionRequired(RollcallError):
    """Send the version that you looked at as If-Match; the present one is the ETag of the import."""

    code = "version-required"


class Invalid(RollcallError):
    """{reason}"""

    code = "invalid"


class UnsupportedMediaType(RollcallError):
    """This route takes {expected}, but the request says {found}."""

    code = "unsupported-media-type"


class FileRefused(Exception):
    """The upload is on record, and refused; `location` is where."""

    def __init__(self, location: str, file_name: str, problems: list[ProblemRow]) -> None:
        super().__init__(file_name)
        self.location = location
        self.file_name = file_name
        self.problems = problems


# --- how they become responses --------------------------------------------------------------------------------------


def problem(
    request: Request[Any, Any, Any],
    code: str,
    detail: str,
    *,
    headers: dict[str, str] | None = None,
    field: str | None = None,
    problems: list[ProblemRow] | None = None,
    emails: list[str] | None = None,
) -> Response[bytes]:
    """Return a problem document as a response."""
    content = document(code, detail, request.scope["state"].get("request_id", ""), field, problems, emails)
    return Response(content, status_code=KINDS[code].status, media_type=MEDIA_TYPE, headers=headers)


def document(
    code: str,
    detail: str,
    request_id: str,
    field: str | None = None,
    problems: list[ProblemRow] | None = None,
    emails: list[str] | None = None,
) -> bytes:
    """Return a problem document as JSON."""
    kind = KINDS[code]
    return json.encode(
        ProblemDocument(
            f"/problems/{code}",
            kind.title,
            kind.status,
            detail,
            request_id,
            field or UNSET,
            UNSET if problems is None else problems,
            UNSET if emails is None else emails,
        )
    )


def _of_ours(request: Request[Any, Any, Any], error: RollcallError) -> Response[bytes]:
    field = error.fields.get("field")
    emails = error.fields.get("emails")
    return problem(
        request,
        error.code,
        str(error),
        field=str(field) if field else None,
        headers=headers_of(error),
        emails=list(map(str, emails)) if isinstance(emails, list) else None,
    )


def headers_of(error: RollcallError) -> dict[str, str]:
    """Return what tells a client how to go on after an error."""
    if isinstance(error, TooManyRequests):
        return {"Retry-After": str(error.fields["seconds"])}
    return HEADERS.get(error.code, {})


def _of_a_refused_file(request: Request[Any, Any, Any], error: FileRefused) -> Response[bytes]:
    detail = f"“{error.file_name}” cannot be imported: {error.problems[0].message} {error.problems[0].remedy}"
    return problem(request, "file-refused", detail, headers={"Location": error.location}, problems=error.problems)


def _of_the_framework(request: Request[Any, Any, Any], error: HTTPException) -> Response[bytes]:
    headers = dict(error.headers or {})
    match error:
        case MethodNotAllowedException():
            return problem(request, "method-not-allowed", f"{request.method} does not work here.", headers=headers)
        case NotFoundException():
            return problem(request, "not-found", f"There is nothing at {request.url.path}.", headers=headers)
        case ValidationException(extra=[{"key": str(key), "message": str(message)}, *_]):
            field = _field(request, key, message)
            return problem(request, "invalid", f"{field}: {message}.", field=field, headers=headers)
        case _ if error.status_code == HTTPStatus.REQUEST_ENTITY_TOO_LARGE:
            most = request.route_handler.resolve_request_max_body_size()
            said = f"The body has more than the {most:,} bytes that this route takes. Send fewer at a time."
            return problem(request, "file-too-large", said, headers=headers)
        case ClientException():
            return problem(request, "invalid", error.detail or "The request is malformed.", headers=headers)
        case InternalServerException(detail="client disconnected prematurely"):
            log.info("the request broke off")
            return problem(request, "invalid", "The request broke off.")
        case _:
            return _unexpected(request, error)


def _field(request: Request[Any, Any, Any], key: str, message: str) -> str:
    """Return how a client calls what the framework names by the handler's parameter."""
    if key == "data":
        named = re.search(r"field `([^`]*)`", message)
        return named[1] if named else "body"
    parameter = request.route_handler.parsed_fn_signature.parameters.get(key)
    return str(getattr(parameter and parameter.kwarg_definition, "name", None) or key)


def _of_the_database(request: Request[Any, Any, Any], error: Exception) -> Response[bytes]:
    log.error("the database did not answer as it should", exc_info=error)
    return problem(request, "busy", "The database did not answer. Try again.", headers={"Retry-After": "5"})


def _unexpected(request: Request[Any, Any, Any], error: Exception) -> Response[bytes]:
    log.error("unexpected error", exc_info=error)
    return problem(request, "internal", "Something unexpected happened. Report it with this request_id.")


DATABASE_AWAY = (
    psycopg.OperationalError,
    psycopg.InterfaceError,
    psycopg_pool.PoolTimeout,
    psycopg_pool.PoolClosed,
    eventsourcing.persistence.OperationalError,
    eventsourcing.persistence.InterfaceError,
)
"""What is raised when the database cannot be reached or is too busy; its other errors are mistakes of ours."""

HANDLERS: ExceptionHandlersMap = {
    RollcallError: _of_ours,
    FileRefused: _of_a_refused_file,
    HTTPException: _of_the_framework,
    **dict.fromkeys(DATABASE_AWAY, _of_the_database),
    Exception: _unexpected,
}


def responses(*codes: str) -> dict[int, ResponseSpec]:
    """Return what a route's OpenAPI says about these problems, and about those that every route has."""
    specs: dict[int, ResponseSpec] = {}
    for code in (*codes, "invalid", "too-many-requests", "busy", "internal"):
        kind = KINDS[code]
        before = specs.get(kind.status)
        said = f"{before.description}; {kind.title}" if before else kind.title
        specs[kind.status] = ResponseSpec(
            ProblemDocument,
            description=said,
            media_type=MEDIA_TYPE,
            generate_examples=False,
        )
    return specs


def later(document: type[Struct] | None = None) -> dict[int, ResponseSpec]:
    """Return what a route's OpenAPI says about an effect that cannot be read yet."""
    said = "It is done and will last, but cannot be read yet: look at `Location` in a moment"
    return {202: ResponseSpec(document, description=said, generate_examples=False)}


# --- the pages that explain them ------------------------------------------------------------------------------------


@get(
    "/problems/{code:str}",
    media_type="text/plain",
    sync_to_thread=False,
    responses=responses("not-found"),
    opt=EVERYBODY,
)
def problem_page(request: Request[Any, Any, Any], code: FromPath[str]) -> Response[Any]:
    """Explain a kind of problem to people, as a page to browsers and as plain text to everybody else."""
    kind = KINDS.get(code)
    if kind is None:
        raise NotFoundException
    status = f"{kind.status.value} {kind.status.phrase}"
    if request.accept.best_match(["text/plain", "text/html"]) == "text/html":
        context = {"kind": kind, "status": status, "code": code}
        return Template("problem-kind.html", context=context, media_type="text/html", headers={"Vary": "Accept"})
    text = f"{kind.title} ({status})\n\n{kind.explanation}\n"
    return Response(text, media_type="text/plain", headers={"Vary": "Accept"})
