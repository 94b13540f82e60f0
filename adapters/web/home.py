"""The first page: who is signed in, and what they may see."""

from __future__ import annotations

from typing import TYPE_CHECKING

from litestar import get
from litestar.response import Template

from adapters.composition import Rollcall
from adapters.http.asking import AnyRequest, Given
from adapters.http.security import SIGNED_IN
from application import granting
from application.granting import Person
from domain.access import ROLLCALL
from projections import directory

if TYPE_CHECKING:
    from collections.abc import Iterator

    from application.granting import Principal
    from domain.access import Role
    from projections.directory import SubscriptionRow

AT_ONCE = 1_000


@get("/", sync_to_thread=True, opt=SIGNED_IN)
def home(request: AnyRequest, rollcall: Given[Rollcall]) -> Template:
    """Show who is signed in, the roles they hold and where; or whom to ask for some."""
    principal: Principal = request.scope["state"]["principal"]
    operator = bool(granting.roles(rollcall.ports, principal, [ROLLCALL])[ROLLCALL])
    context = {
        "name": principal.name or principal.email if isinstance(principal, Person) else principal.name,
        "email": principal.email if isinstance(principal, Person) else None,
        "operator": operator,
        "subscriptions": list(_subscriptions(rollcall, principal)),
    }
    return Template("home.html", context=context)


def _subscriptions(rollcall: Rollcall, principal: Principal) -> Iterator[tuple[SubscriptionRow, list[Role]]]:
    """Yield the subscriptions in which a principal holds roles, by name, each with these."""
    after = None
    while True:
        with rollcall.reading() as rows:
            found = directory.subscriptions(rows, after=after, limit=AT_ONCE)
        held = granting.roles(rollcall.ports, principal, [row.id for row in found])
        yield from ((row, sorted(held[row.id])) for row in found if held[row.id])
        if len(found) < AT_ONCE:
            return
        after = (found[-1].name, found[-1].id)


ROUTES = (home,)
