"""The first pages: the subscriptions of whoever looks, and one of them."""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import UUID

from litestar import get
from litestar.params import FromPath

from adapters.composition import Rollcall
from adapters.http.asking import AnyRequest, Given
from adapters.http.security import READERS, SIGNED_IN
from adapters.web.pages import Page, page, see
from application import granting
from domain.access import ROLLCALL
from projections import directory, import_list

if TYPE_CHECKING:
    from collections.abc import Iterator

    from application.granting import Principal
    from domain.access import Role
    from projections.directory import SubscriptionRow

AT_ONCE = 1_000
LATEST = 5
MAY_READ: frozenset[Role] = frozenset(("administrator", "auditor"))


@get("/", sync_to_thread=True, opt=SIGNED_IN)
def list_subscriptions(request: AnyRequest, rollcall: Given[Rollcall]) -> Page:
    """Show the subscriptions that somebody may read; where there is one alone, that one."""
    principal: Principal = request.scope["state"]["principal"]
    found = list(_readable(rollcall, principal))
    operator = bool(granting.roles(rollcall.ports, principal, [ROLLCALL])[ROLLCALL])
    if len(found) == 1 and not operator:
        return see(f"/subscriptions/{found[0][0].id}")
    return page(request, rollcall, "subscriptions.html", found=found, operator=operator)


def _readable(rollcall: Rollcall, principal: Principal) -> Iterator[tuple[SubscriptionRow, list[Role]]]:
    """Yield the subscriptions that a principal may read, by name, each with the roles held there."""
    after = None
    while True:
        with rollcall.reading() as rows:
            found = directory.subscriptions(rows, after=after, limit=AT_ONCE)
        held = granting.roles(rollcall.ports, principal, [row.id for row in found])
        yield from ((row, sorted(held[row.id])) for row in found if held[row.id] & MAY_READ)
        if len(found) < AT_ONCE:
            return
        after = (found[-1].name, found[-1].id)


@get("/subscriptions/{subscription_id:uuid}", sync_to_thread=True, opt=READERS)
def show_subscription(request: AnyRequest, rollcall: Given[Rollcall], subscription_id: FromPath[UUID]) -> Page:
    """Show a subscription: its seats, and its latest imports."""
    with rollcall.reading() as rows:
        latest = import_list.imports(rows, subscription_id, limit=LATEST)
    return page(request, rollcall, "subscription.html", of=subscription_id, section="overview", latest=latest)


ROUTES = (list_subscriptions, show_subscription)
