"""The first page: the subscriptions of whoever looks; and the way into one of them."""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import UUID

from litestar import get, post
from litestar.params import FromPath

from adapters.composition import Rollcall
from adapters.console.pages import Form, Page, page, see, tabs
from adapters.console.settings import Refusal, number_of_seats
from adapters.http.lookups import find_subscription
from adapters.http.paging import After, decode_after, encode_after
from adapters.http.problem_kinds import KINDS
from adapters.http.requests import AnyRequest, Injected, created_id, origin_of
from adapters.http.security import AUTHENTICATED, SUBSCRIPTION_VIEWERS, for_roles, roles_in, scopes_with
from application import granting, licensing
from domain.access import ROLLCALL
from domain.errors import Refused
from projections.directory import read as directory

if TYPE_CHECKING:
    from application.granting import Principal

A_PAGE = 100


@get("/", sync_to_thread=True, opt=AUTHENTICATED)
def list_subscriptions(request: AnyRequest, rollcall: Injected[Rollcall], after: After = None) -> Page:
    """Show the subscriptions that somebody may see; where there is one alone, that one."""
    return _subscriptions(request, rollcall, decode_after(after, tuple[str, UUID]))


def _subscriptions(
    request: AnyRequest, rollcall: Rollcall, after: tuple[str, UUID] | None = None, refusal: Refusal | None = None
) -> Page:
    principal: Principal = request.scope["state"]["principal"]
    seen_in = scopes_with(rollcall, principal, SUBSCRIPTION_VIEWERS)
    operator = ROLLCALL in seen_in
    with rollcall.views() as rows:
        among = None if operator else seen_in
        found = directory.subscriptions(rows, among=among, after=after, limit=A_PAGE + 1)
    if len(found) == 1 and not operator and after is None:
        return see(f"/subscriptions/{found[0].id}")
    held = granting.roles(rollcall, principal, [row.id for row in found])
    return page(
        request,
        rollcall,
        "subscriptions.html",
        found=[(row, sorted(held[row.id])) for row in found[:A_PAGE]],
        following=encode_after((found[A_PAGE - 1].name, found[A_PAGE - 1].id)) if len(found) > A_PAGE else None,
        paged=after is not None,
        operator=operator,
        key=rollcall.new_id(),
        status=KINDS[refusal.error.code].status if refusal else 200,
        refusal=refusal,
    )


@post("/subscriptions", sync_to_thread=True, opt=for_roles("operator"))
def create_subscription(request: AnyRequest, rollcall: Injected[Rollcall], form: Injected[Form]) -> Page:
    """Create a subscription; the form's key makes sure that sending it again creates no second one."""
    name, seats, key = form.text("name"), form.text("seats"), form.text("key")
    subscription_id = created_id(request, key, rollcall.new_id(), None)
    try:
        whence = origin_of(request, subscription_id)
        licensing.create_subscription(rollcall, whence, name, number_of_seats(seats))
    except Refused as error:
        refusal = Refusal("subscription", error, {"name": name, "seats": seats})
        return _subscriptions(request, rollcall, refusal=refusal)
    rollcall.health.catch_up(directory.NAME)
    return see(f"/subscriptions/{subscription_id}")


@get("/subscriptions/{subscription_id:uuid}", sync_to_thread=True, opt=for_roles(*SUBSCRIPTION_VIEWERS))
def show_subscription(request: AnyRequest, rollcall: Injected[Rollcall], subscription_id: FromPath[UUID]) -> Page:
    """Go on to the first part of a subscription that is open to whoever looks."""
    find_subscription(rollcall, subscription_id)
    held = roles_in(rollcall, request.scope["state"]["principal"], subscription_id)
    return see(f"/subscriptions/{subscription_id}/{tabs(held)[0].name}")


ROUTES = (list_subscriptions, create_subscription, show_subscription)
