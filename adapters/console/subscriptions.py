"""The first page, which lists the user's subscriptions, and the form that creates one."""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import UUID

from litestar import post
from litestar.params import FromPath

from adapters.composition import Rollcall
from adapters.console.forms import Form, Refusal
from adapters.console.pages import Before, Page, listing, page, sections_for, see_other
from adapters.console.settings import number_of_seats
from adapters.http.lookups import find_subscription
from adapters.http.paging import After, decode_after
from adapters.http.reads import read
from adapters.http.requests import AnyRequest, Injected, created_id, origin_of
from adapters.http.security import AUTHENTICATED, SUBSCRIPTION_VIEWERS, for_roles, roles_in, scopes_with
from application import granting, licensing
from domain.access import ROLLCALL
from domain.errors import Refused
from projections.directory import read as directory

if TYPE_CHECKING:
    from application.granting import Principal

A_PAGE = 100


@read("/", opt=AUTHENTICATED)
def list_subscriptions(
    request: AnyRequest, rollcall: Injected[Rollcall], after: After = None, before: Before = 0
) -> Page:
    """List the subscriptions that the user can see, or redirect to the only one."""
    return _subscriptions(request, rollcall, after, before=before)


def _subscriptions(
    request: AnyRequest,
    rollcall: Rollcall,
    after: str | None = None,
    refusal: Refusal | None = None,
    *,
    before: int = 0,
) -> Page:
    principal: Principal = request.scope["state"]["principal"]
    visible = scopes_with(rollcall, principal, SUBSCRIPTION_VIEWERS)
    operator = ROLLCALL in visible
    behind = decode_after(after, tuple[str, UUID])
    with rollcall.views() as rows:
        among = None if operator else visible
        found = directory.subscriptions(rows, among=among, after=behind, limit=A_PAGE + 1)
    if len(found) == 1 and not operator and after is None:
        return see_other(f"/subscriptions/{found[0].id}")
    roles = granting.roles(rollcall, principal, [row.id for row in found])
    return page(
        request,
        rollcall,
        "subscriptions.html",
        roles=roles,
        operator=operator,
        key=rollcall.new_id(),
        status=refusal.status if refusal else 200,
        refusal=refusal,
        **listing(found, A_PAGE, after, lambda row: (row.name, row.id), before),
    )


@post("/subscriptions", sync_to_thread=True, opt=for_roles("operator"))
def create_subscription(request: AnyRequest, rollcall: Injected[Rollcall], form: Injected[Form]) -> Page:
    """Create a subscription and redirect to it. Its id derives from the form's key, so submitting twice creates one."""
    name, seats, key = form.field("name"), form.field("seats"), form.field("key")
    subscription_id = created_id(request, key, rollcall.new_id(), None)
    try:
        licensing.create_subscription(rollcall, origin_of(request, subscription_id), name, number_of_seats(seats))
    except Refused as error:
        return _subscriptions(request, rollcall, refusal=Refusal(error, {"name": name, "seats": seats}))
    return see_other(f"/subscriptions/{subscription_id}")


@read("/subscriptions/{subscription_id:uuid}", opt=for_roles(*SUBSCRIPTION_VIEWERS))
def show_subscription(request: AnyRequest, rollcall: Injected[Rollcall], subscription_id: FromPath[UUID]) -> Page:
    """Redirect to the first section of a subscription that the user can open."""
    find_subscription(rollcall, subscription_id)
    roles = roles_in(rollcall, request.scope["state"]["principal"], subscription_id)
    return see_other(f"/subscriptions/{subscription_id}/{sections_for(roles)[0].name}")


ROUTES = (list_subscriptions, create_subscription, show_subscription)
