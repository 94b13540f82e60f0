"""Every error as a problem document (RFC 9457): what happened here, what to do, and a page that explains the kind."""

from __future__ import annotations

import re
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

import psycopg
import psycopg_pool
import structlog
from litestar import Request, Response
from litestar.exceptions import (
    ClientException,
    HTTPException,
    InternalServerException,
    MethodNotAllowedException,
    NotFoundException,
    ValidationException,
)
from litestar.openapi.datastructures import ResponseSpec
from msgspec import UNSET, Struct, UnsetType, json

from adapters.http.problem_kinds import KINDS
from adapters.http.rate_limits import TooManyRequests
from adapters.http.wording import worded
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
"""The headers that tell a client how to continue, by problem code."""


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
    """Send the import's version as If-Match. The current version is in the import's ETag."""

    code = "version-required"


class Invalid(RollcallError):
    """{reason}"""

    code = "invalid"


class UnsupportedMediaType(RollcallError):
    """This route accepts {expected}. The request has {found}."""

    code = "unsupported-media-type"


def unsupported_media_type(expected: str, media_type: str) -> UnsupportedMediaType:
    """Return the error for a request with this media type, which is empty if the request states none."""
    found = f"Content-Type: {media_type}" if media_type else "no Content-Type"
    return UnsupportedMediaType(expected=expected, found=found)


class FileRefused(Exception):
    """The file that was uploaded is refused; `location` is the address of the import, or of the route itself."""

    def __init__(self, location: str, file_name: str, problems: list[ProblemRow]) -> None:
        super().__init__(file_name)
        self.location = location
        self.file_name = file_name
        self.problems = problems


# --- how they become responses --------------------------------------------------------------------------------------


def problem_response(
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
    content = problem_document(code, detail, request.scope["state"].get("request_id", ""), field, problems, emails)
    return Response(content, status_code=KINDS[code].status, media_type=MEDIA_TYPE, headers=headers)


def problem_document(
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


def _handle_rollcall_error(request: Request[Any, Any, Any], error: RollcallError) -> Response[bytes]:
    field = error.fields.get("field")
    emails = error.fields.get("emails")
    return problem_response(
        request,
        error.code,
        str(error),
        field=str(field) if field else None,
        headers=_headers(error),
        emails=list(map(str, emails)) if isinstance(emails, list) else None,
    )


def _headers(error: RollcallError) -> dict[str, str]:
    if isinstance(error, TooManyRequests):
        return {"Retry-After": str(error.fields["seconds"])}
    return HEADERS.get(error.code, {})


def _handle_refused_file(request: Request[Any, Any, Any], error: FileRefused) -> Response[bytes]:
    first, headers = error.problems[0], {"Location": error.location}
    detail = f"Rollcall can't use “{error.file_name}”: {first.message} {first.remedy}"
    return problem_response(request, "file-refused", detail, headers=headers, problems=error.problems)


def _handle_framework_error(request: Request[Any, Any, Any], error: HTTPException) -> Response[bytes]:
    field, headers = None, dict(error.headers or {})
    match error:
        case MethodNotAllowedException():
            code, detail = "method-not-allowed", f"This address doesn't support {request.method}."
        case NotFoundException():
            code, detail = "not-found", f"There is nothing at {request.url.path}."
        case ValidationException(extra=[{"key": str(key), "message": str(message)}, *_]):
            field = _field(request, key, message)
            code, detail = "invalid", f"{field}: {worded(message)}."
        case _ if error.status_code == HTTPStatus.REQUEST_ENTITY_TOO_LARGE:
            most = request.route_handler.resolve_request_max_body_size()
            code, detail = "file-too-large", f"The body is larger than {most:,} bytes. Send less at a time."
        case ClientException():
            code, detail = "invalid", error.detail or "The request is malformed."
        case InternalServerException(detail="client disconnected prematurely"):
            log.info("the client disconnected before its request was complete")
            code, detail, headers = "invalid", "The connection closed before the request was complete.", {}
        case _:
            return _handle_unexpected_error(request, error)
    return problem_response(request, code, detail, headers=headers, field=field)


def _field(request: Request[Any, Any, Any], key: str, message: str) -> str:
    """Return the client's name for what the framework calls by the handler's parameter."""
    if key == "data":
        named = re.search(r"field `([^`]*)`", message)
        return named[1] if named else "body"
    parameter = request.route_handler.parsed_fn_signature.parameters.get(key)
    return str(getattr(parameter and parameter.kwarg_definition, "name", None) or key)


def _handle_database_error(request: Request[Any, Any, Any], error: Exception) -> Response[bytes]:
    log.error("the database is unavailable", exc_info=error)
    detail = "The database is unavailable. Try again in a moment."
    return problem_response(request, "busy", detail, headers={"Retry-After": "5"})


def _handle_unexpected_error(request: Request[Any, Any, Any], error: Exception) -> Response[bytes]:
    log.error("unexpected error", exc_info=error)
    return problem_response(request, "internal", "Something went wrong. Report it with this request_id.")


DATABASE_AWAY = (
    psycopg.OperationalError,
    psycopg.InterfaceError,
    psycopg_pool.PoolTimeout,
    psycopg_pool.PoolClosed,
)
"""What is raised when the database is unreachable or overloaded. Its other errors are bugs."""

HANDLERS: ExceptionHandlersMap = {
    RollcallError: _handle_rollcall_error,
    FileRefused: _handle_refused_file,
    HTTPException: _handle_framework_error,
    **dict.fromkeys(DATABASE_AWAY, _handle_database_error),
    Exception: _handle_unexpected_error,
}


# --- what the OpenAPI document says of them -------------------------------------------------------------------------


def responses(*codes: str) -> dict[int, ResponseSpec]:
    """Return a route's problem responses: these, and those that every route has."""
    specs: dict[int, ResponseSpec] = {}
    for code in (*codes, "invalid", "too-many-requests", "busy", "internal"):
        kind = KINDS[code]
        before = specs.get(kind.status)
        specs[kind.status] = ResponseSpec(
            ProblemDocument,
            description=f"{before.description}; {kind.title}" if before else kind.title,
            media_type=MEDIA_TYPE,
            generate_examples=False,
        )
    return specs


ACCEPTED = "Done, but not visible yet. Get `Location` in a moment."


class AcceptedDocument(Struct, frozen=True):
    """A change that is stored but not visible yet, of a route that answers without content once it is.

    Get `location` in a moment.
    """

    location: str


def accepted_response(document: type[Struct] = AcceptedDocument) -> dict[int, ResponseSpec]:
    """Return a route's 202 response: the change is stored, but the views don't show it yet.

    Its content is that of the route's other answers, if they have any.
    """
    return {202: ResponseSpec(document, description=ACCEPTED, generate_examples=False)}
