"""The first page: the subscriptions of whoever looks; and the way into one of them."""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import UUID

from litestar import get
from litestar.params import FromPath

from adapters.composition import Rollcall
from adapters.http.asking import AnyRequest, Given
from adapters.http.paging import After, cursor, token
from adapters.http.security import SIGNED_IN, allowed, held_in, scopes
from adapters.http.subscriptions import SHOWN_TO
from adapters.web.pages import Page, page, see, tabs
from application import granting
from domain.access import ROLLCALL
from projections import directory

if TYPE_CHECKING:
    from application.granting import Principal

A_PAGE = 100


@get("/", sync_to_thread=True, opt=SIGNED_IN)
def list_subscriptions(request: AnyRequest, rollcall: Given[Rollcall], after: After = None) -> Page:
    """Show the subscriptions that somebody may see; where there is one alone, that one."""
    principal: Principal = request.scope["state"]["principal"]
    seen_in = scopes(rollcall, principal, SHOWN_TO)
    operator = ROLLCALL in seen_in
    position = cursor(after, tuple[str, UUID])
    with rollcall.reading() as rows:
        among = None if operator else seen_in
        found = directory.subscriptions(rows, among=among, after=position, limit=A_PAGE + 1)
    if len(found) == 1 and not operator and after is None:
        return see(f"/subscriptions/{found[0].id}")
    held = granting.roles(rollcall.ports, principal, [row.id for row in found])
    return page(
        request,
        rollcall,
        "subscriptions.html",
        found=[(row, sorted(held[row.id])) for row in found[:A_PAGE]],
        following=token((found[A_PAGE - 1].name, found[A_PAGE - 1].id)) if len(found) > A_PAGE else None,
        paged=after is not None,
        operator=operator,
    )


@get("/subscriptions/{subscription_id:uuid}", sync_to_thread=True, opt=allowed(*SHOWN_TO))
def show_subscription(request: AnyRequest, rollcall: Given[Rollcall], subscription_id: FromPath[UUID]) -> Page:
    """Go on to the first part of a subscription that is open to whoever looks."""
    held = held_in(rollcall, request.scope["state"]["principal"], subscription_id)
    return see(f"/subscriptions/{subscription_id}/{tabs(held)[0].name}")


ROUTES = (list_subscriptions, show_subscription)
