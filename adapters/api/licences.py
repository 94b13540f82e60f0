"""The licences of a subscription: allocate, list, show, revoke."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated
from uuid import UUID

from litestar import Response, delete, post
from litestar.params import FromPath, QueryParameter, RawBody
from msgspec import Meta, Struct

from adapters.composition import Rollcall
from adapters.http.lookups import find_subscription, licence_in, require_subscription
from adapters.http.new_licences import LicenceRequest, NewUser, licences_of_file, user_of
from adapters.http.paging import After, Limit, Search, decode_after, list_response
from adapters.http.problems import accepted_response, responses, unsupported_media_type
from adapters.http.reads import read
from adapters.http.requests import (
    AnyRequest,
    IdempotencyKey,
    Injected,
    changed,
    checked_text,
    email_in_path,
    no_content,
    origin_of,
    request_key,
    sent_path,
)
from adapters.http.security import ADMINISTRATORS, READERS
from adapters.http.then import At, views_at
from adapters.http.validation import MANY_BYTES, decode_body
from application import licensing
from application.licensing import AllocationPlan, SeatsUsed
from domain.addresses import PrivateDomains
from domain.errors import EmailInvalid
from domain.naming import printable
from domain.problems import Problem
from domain.subscription import User
from projections.directory import read as directory
from projections.directory.read import LicenceRow, OnlyUsers
from projections.reports.problem_rows import ProblemRow, problem_rows

if TYPE_CHECKING:
    from collections.abc import Sequence

    from application.licensing import AllocationResult


class NewLicences(Struct, forbid_unknown_fields=True, frozen=True):
    """The users to allocate licences to."""

    users: Annotated[list[NewUser], Meta(max_length=250_000)]


class AllocatedDocument(Struct, frozen=True):
    """The result of an allocation, or of its plan; `refused` lists the rows or users that can't be used, and why.

    `passed_over` are the headers of the columns of groups, if the file is a user-based import file.
    """

    allocated: int
    already_allocated: int
    refused: list[ProblemRow]
    passed_over: list[str]
    seats: SeatsUsed


def allocated_document(
    result: AllocationResult | AllocationPlan, refused: list[ProblemRow], passed_over: Sequence[str] = ()
) -> AllocatedDocument:
    """Return what was or would be allocated."""
    new = len(result.new) if isinstance(result, AllocationPlan) else result.allocated
    return AllocatedDocument(new, result.already_allocated, refused, list(passed_over), result.seats)


@post(
    "/subscriptions/{subscription_id:uuid}/licences",
    sync_to_thread=True,
    status_code=200,
    responses=accepted_response(AllocatedDocument)
    | responses(
        "not-found", "seats-exceeded", "key-reused", "file-refused", "file-too-large", "unsupported-media-type"
    ),
    request_max_body_size=MANY_BYTES,
    opt=ADMINISTRATORS,
)
def allocate_licences(
    request: AnyRequest,
    rollcall: Injected[Rollcall],
    subscription_id: FromPath[UUID],
    body: RawBody,
    idempotency_key: IdempotencyKey = None,
    plan: Annotated[bool, QueryParameter(description="Only say what would be allocated.")] = False,
) -> Response[AllocatedDocument]:
    """Allocate licences to users, who are listed as JSON or as `text/csv`.

    CSV is read as UTF-8 or UTF-16, or else in the `charset` of its Content-Type. Without one, its encoding is guessed.

    With `plan`, only say what that would do. If there aren't enough seats for all of them, no licences are allocated.
    A user-based import file is accepted, too: its columns of groups are passed over.
    """
    require_subscription(rollcall, subscription_id)
    wanted, origin = _wanted(request, rollcall, body), origin_of(request, subscription_id)
    if plan:
        planned = licensing.plan_allocation(rollcall, origin, wanted.users)
        return Response(allocated_document(planned, wanted.problems, wanted.passed_over))
    key = request_key(request, idempotency_key, subscription_id, body)
    done = licensing.allocate_licences(rollcall, origin, wanted.users, key)
    document = allocated_document(done, wanted.problems, wanted.passed_over)
    return changed(document, sent_path(request), readable=done.readable)


def _wanted(request: AnyRequest, rollcall: Rollcall, body: bytes) -> LicenceRequest:
    content_type, parameters = request.content_type
    match content_type:
        case "application/json":
            return _users_of_json(body, rollcall.private_domains)
        case "text/plain" if body.lstrip().startswith(b"{"):  # findings/orval-leaves-out-the-type-of-one-body-of-two.sh
            return _users_of_json(body, rollcall.private_domains)
        case "text/csv":
            charset, limits = parameters.get("charset", ""), rollcall.settings.limits
            return licences_of_file(body, "licences.csv", limits, sent_path(request), charset)
        case _:
            raise unsupported_media_type("application/json or text/csv", content_type)


def _users_of_json(body: bytes, private: PrivateDomains) -> LicenceRequest:
    users: list[User] = []
    refused: list[Problem] = []
    for number, each in enumerate(decode_body(body, NewLicences).users, start=1):
        try:
            users.append(user_of(each, private))
        except EmailInvalid as error:
            detail = str(error.fields["reason"])
            refused.append(Problem("email-invalid", number, 1, "email", printable(each.email), detail))
    return LicenceRequest(users, problem_rows(refused))


@read("/subscriptions/{subscription_id:uuid}/licences", responses=responses("not-found"), opt=READERS)
def list_licences(
    request: AnyRequest,
    rollcall: Injected[Rollcall],
    subscription_id: FromPath[UUID],
    q: Search = "",
    only: Annotated[OnlyUsers | None, QueryParameter(description="Only users in no group, or without a name.")] = None,
    at: At = None,
    limit: Limit = 100,
    after: After = None,
) -> Response[list[LicenceRow]]:
    """List the licences by address, on request those that were allocated at a time."""
    find_subscription(rollcall, subscription_id)
    search, start = checked_text(q), decode_after(after, str) or ""
    with views_at(rollcall, subscription_id, at) as cursor:
        found = directory.licences(cursor, subscription_id, search=search, only=only, after=start, limit=limit + 1)
    return list_response(request, found, limit, lambda row: row.email)


@read(
    "/subscriptions/{subscription_id:uuid}/licences/{email:path}",
    responses=responses("not-found"),
    opt=READERS,
)
def show_licence(
    request: AnyRequest,
    rollcall: Injected[Rollcall],
    subscription_id: FromPath[UUID],
    email: FromPath[str],
    at: At = None,
) -> LicenceRow:
    """Show one licence, on request as it was at a time, also if it was revoked later."""
    find_subscription(rollcall, subscription_id)
    with views_at(rollcall, subscription_id, at) as cursor:
        return licence_in(cursor, subscription_id, email_in_path(request, email))


@delete(
    "/subscriptions/{subscription_id:uuid}/licences/{email:path}",
    sync_to_thread=True,
    responses=accepted_response() | responses("not-found"),
    opt=ADMINISTRATORS,
)
def revoke_licence(
    request: AnyRequest, rollcall: Injected[Rollcall], subscription_id: FromPath[UUID], email: FromPath[str]
) -> Response[None]:
    """Revoke a licence. The seat becomes free, and the user leaves every group in the subscription at once."""
    done = licensing.revoke_licences(rollcall, origin_of(request, subscription_id), [email_in_path(request, email)])
    return no_content(sent_path(request), readable=done.readable)


ROUTES = (allocate_licences, list_licences, show_licence, revoke_licence)
