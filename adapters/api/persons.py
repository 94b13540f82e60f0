"""What is held of a person, and forgetting them."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from litestar import Response, post
from litestar.exceptions import NotFoundException
from litestar.params import FromPath, JSONBody, QueryParameter
from msgspec import Meta, Struct

from adapters.composition import Rollcall
from adapters.http.downloads import note_download
from adapters.http.lookups import find_subscription, require_subscription
from adapters.http.problems import accepted_response, responses
from adapters.http.reads import read
from adapters.http.requests import AnyRequest, Injected, changed, email_in_path, origin_of
from adapters.http.security import ADMINISTRATORS
from adapters.person_export import PersonDocument, export_person
from application.forgetting import ForgettingPlan, ForgettingResult, forget, plan_forgetting

ENDING = "/export"


class PersonToForget(Struct, forbid_unknown_fields=True, frozen=True):
    """The address of the person to forget."""

    email: Annotated[str, Meta(min_length=1, max_length=1_000, examples=["ann@example.com"])]


class ForgottenDocument(Struct, frozen=True):
    """How much names the person, or was erased; `records` are events and who caused them, `files` uploaded files.

    `licence`, `roles` and `tokens` are what they lose first, in a plan. `everywhere` means that their sign-ins and
    their account are erased, too: they have no role in another subscription. `person` is the pseudonym that stands for
    them now, or null: in a plan, and if nothing named them.
    """

    person: str | None
    records: int
    groups: int
    imports: int
    files: int
    everywhere: bool
    licence: bool = False
    roles: int = 0
    tokens: int = 0


@read(  # an address may contain slashes, which only the last parameter of a path may
    "/subscriptions/{subscription_id:uuid}/persons/{email:path}",
    responses=responses("not-found"),
    opt=ADMINISTRATORS,
)
def export_person_data(
    request: AnyRequest, rollcall: Injected[Rollcall], subscription_id: FromPath[UUID], email: FromPath[str]
) -> PersonDocument:
    """Export everything that the subscription holds of a person.

    This is their licence and names, their roles, the groups that they are or were in, what happened in which they are
    named, and the imports whose files name them, with the lines. If nothing is held, all of it is empty.
    """
    if not email.endswith(ENDING):
        raise NotFoundException
    find_subscription(rollcall, subscription_id)
    found = export_person(rollcall, subscription_id, email_in_path(request, email, ENDING))
    # Without the address, or to look whether somebody is forgotten would store it again.
    note_download(request, rollcall, subscription_id, "person", "person.json")
    return found


@post(
    "/subscriptions/{subscription_id:uuid}/persons/forget",
    sync_to_thread=True,
    status_code=200,
    responses=accepted_response(ForgottenDocument)
    | responses("not-found", "email-invalid", "import-running", "unsupported-media-type"),
    opt=ADMINISTRATORS,
)
def forget_person(
    request: AnyRequest,
    rollcall: Injected[Rollcall],
    subscription_id: FromPath[UUID],
    data: JSONBody[PersonToForget],
    plan: Annotated[bool, QueryParameter(description="Only say what would be erased.")] = False,
) -> Response[ForgottenDocument]:
    """Forget a person: end their access and erase who they are from everything that is stored of the subscription.

    With `plan`, only say what that would do. It can't be undone. History keeps its shape: a pseudonym stands for the
    person. While the views are rebuilt without them, the answer is 202; repeat the request to hear when that is done.
    """
    require_subscription(rollcall, subscription_id)
    origin = origin_of(request, subscription_id)
    if plan:
        return Response(_planned(plan_forgetting(rollcall, rollcall.erasure, origin, data.email)))
    done = forget(rollcall, rollcall.erasure, origin, data.email)
    where = f"/api/v1/subscriptions/{subscription_id}"
    return changed(_done(done), where, readable=done.readable)


def _planned(plan: ForgettingPlan) -> ForgottenDocument:
    held = plan.held
    ending = (plan.licence, plan.roles, plan.tokens)
    return ForgottenDocument(None, held.records, held.groups, held.imports, held.files, plan.everywhere, *ending)


def _done(done: ForgettingResult) -> ForgottenDocument:
    held = done.held
    return ForgottenDocument(done.person, held.records, held.groups, held.imports, held.files, done.everywhere)


ROUTES = (export_person_data, forget_person)
