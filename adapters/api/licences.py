"""The licences of a subscription: allocate, list, show, revoke."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated
from uuid import UUID

from litestar import Response, delete, get, post
from litestar.params import FromPath, RawBody
from msgspec import Meta, Struct

from adapters.composition import Rollcall
from adapters.http.lookups import find_licence, find_subscription
from adapters.http.new_licences import NewUser, user_of, users_of_file
from adapters.http.paging import After, Limit, Search, cursor, page
from adapters.http.problems import UnsupportedMediaType, later, responses
from adapters.http.requests import AnyRequest, Given, IdempotencyKey, address, no_content, once, origin, text
from adapters.http.security import ADMINISTRATORS, READERS
from adapters.http.validation import MANY_BYTES, decoded
from application import licensing
from domain.errors import EmailInvalid
from domain.naming import printable
from domain.problems import Problem
from domain.subscription import User
from projections.directory import read as directory
from projections.directory.read import LicenceRow
from projections.reports.problem_rows import ProblemRow, problem_rows


class NewLicences(Struct, forbid_unknown_fields=True, frozen=True):
    """Whom to allocate licences to."""

    users: Annotated[list[NewUser], Meta(max_length=250_000)]


class AllocatedDocument(Struct, frozen=True):
    """What became of an allocation; `refused` are the rows or users that cannot be used, and why."""

    allocated: int
    already_allocated: int
    refused: list[ProblemRow]


@post(
    "/subscriptions/{subscription_id:uuid}/licences",
    sync_to_thread=True,
    status_code=200,
    responses=later(AllocatedDocument)
    | responses(
        "not-found", "seats-exceeded", "key-reused", "file-refused", "file-too-large", "unsupported-media-type"
    ),
    request_max_body_size=MANY_BYTES,
    opt=ADMINISTRATORS,
)
def allocate_licences(
    request: AnyRequest,
    rollcall: Given[Rollcall],
    subscription_id: FromPath[UUID],
    body: RawBody,
    idempotency_key: IdempotencyKey = None,
) -> Response[AllocatedDocument]:
    """Allocate licences to users, given as JSON or as `text/csv`: to all of them or, for want of seats, to none."""
    find_subscription(rollcall, subscription_id)
    users, refused = _users(request, rollcall, body)
    asked = once(request, idempotency_key, subscription_id, body)
    done = licensing.allocate_licences(rollcall, origin(request, subscription_id), users, asked)
    status = 200 if done.readable else 202
    headers = {} if done.readable else {"Location": request.url.path}
    return Response(
        AllocatedDocument(done.allocated, done.already_allocated, refused), status_code=status, headers=headers
    )


def _users(request: AnyRequest, rollcall: Rollcall, body: bytes) -> tuple[list[User], list[ProblemRow]]:
    """Return the users to license, and what was wrong with the others."""
    content_type, _ = request.content_type
    match content_type:
        case "application/json":
            return _users_of_json(body)
        case "text/csv":
            return users_of_file(body, "licences.csv", rollcall.settings.limits, request.url.path)
        case _:
            raise UnsupportedMediaType(expected="application/json or text/csv", found=content_type or "nothing")


def _users_of_json(body: bytes) -> tuple[list[User], list[ProblemRow]]:
    users: list[User] = []
    refused: list[Problem] = []
    for number, each in enumerate(decoded(body, NewLicences).users, start=1):
        try:
            users.append(user_of(each))
        except EmailInvalid as error:
            detail = str(error.fields["reason"])
            refused.append(Problem("email-invalid", number, 1, "email", printable(each.email), detail))
    return users, problem_rows(refused)


class LicenceDocument(Struct, frozen=True):
    """A licence and who holds it."""

    email: str
    first_name: str
    last_name: str
    allocated_at: datetime


def licence_document(row: LicenceRow) -> LicenceDocument:
    """Return a licence as it is told."""
    return LicenceDocument(row.email, row.first_name, row.last_name, row.allocated_at)


@get(
    "/subscriptions/{subscription_id:uuid}/licences", sync_to_thread=True, responses=responses("not-found"), opt=READERS
)
def list_licences(
    request: AnyRequest,
    rollcall: Given[Rollcall],
    subscription_id: FromPath[UUID],
    q: Search = "",
    limit: Limit = 100,
    after: After = None,
) -> Response[list[LicenceDocument]]:
    """List the licences by address."""
    find_subscription(rollcall, subscription_id)
    with rollcall.views() as rows:
        found = directory.licences(
            rows, subscription_id, search=text(q), after=cursor(after, str) or "", limit=limit + 1
        )
    return page(request, found, limit, lambda row: row.email, licence_document)


@get(
    "/subscriptions/{subscription_id:uuid}/licences/{email:path}",
    sync_to_thread=True,
    responses=responses("not-found"),
    opt=READERS,
)
def show_licence(
    request: AnyRequest, rollcall: Given[Rollcall], subscription_id: FromPath[UUID], email: FromPath[str]
) -> LicenceDocument:
    """Show one licence."""
    find_subscription(rollcall, subscription_id)
    return licence_document(find_licence(rollcall, subscription_id, address(request, email)))


@delete(
    "/subscriptions/{subscription_id:uuid}/licences/{email:path}",
    sync_to_thread=True,
    responses=responses("not-found"),
    opt=ADMINISTRATORS,
)
def revoke_licence(
    request: AnyRequest, rollcall: Given[Rollcall], subscription_id: FromPath[UUID], email: FromPath[str]
) -> Response[None]:
    """Revoke a licence: the seat is free again, and the user leaves every group of the subscription at once."""
    done = licensing.revoke_licences(rollcall, origin(request, subscription_id), [address(request, email)])
    return no_content(request, readable=done.readable)


ROUTES = (allocate_licences, list_licences, show_licence, revoke_licence)
