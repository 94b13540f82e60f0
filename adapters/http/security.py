"""Who asks, and whether they may: each route says which roles it is for, and what that needs is looked up each time.

A foreign subscription is answered exactly as a missing one, so that nobody learns which ids exist.
"""

from __future__ import annotations

from hashlib import sha256
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import structlog
from litestar import Request
from litestar.concurrency import sync_to_thread

from application import granting
from application.granting import Bearer, Person, Principal
from application.recorded import Actor
from domain.access import ROLLCALL
from domain.errors import NotFound, RollcallError

if TYPE_CHECKING:
    from uuid import UUID

    from litestar.connection import ASGIConnection
    from litestar.handlers import BaseRouteHandler

    from adapters.composition import Rollcall
    from adapters.http.limits import Limits
    from adapters.http.site import Site
    from domain.access import Role

    Connection: TypeAlias = ASGIConnection[Any, Any, Any, Any]

ALLOWED = "allowed"
SCHEME = "bearer "
SAFE = frozenset({"GET", "HEAD", "OPTIONS"})

Allowed: TypeAlias = dict[str, frozenset["Role"] | None]
"""A route's `opt`: the roles it is for, in the subscription that its path names or in Rollcall as a whole."""

EVERYBODY: Allowed = {ALLOWED: None}
"""For a route that is open to everybody."""

SIGNED_IN: Allowed = {ALLOWED: frozenset()}
"""For a route that shows to each their own."""


class Unauthenticated(RollcallError):
    """{reason} Send an API token as “Authorization: Bearer rollcall_…”, or sign in."""

    code = "unauthenticated"


class Forbidden(RollcallError):
    """This is for {wanted}, and you are {held} here. Ask an administrator of the subscription for access."""

    code = "forbidden"


class CrossSite(RollcallError):
    """This request was sent by a page of another site, or by a program with a browser's cookie; nothing was done.

    Send it from a page of Rollcall, or with an API token in place of the cookie.
    """

    code = "cross-site"


def allowed(*roles: Role) -> Allowed:
    """Return the `opt` of a route that is for these roles."""
    return {ALLOWED: frozenset(roles)}


ADMINISTRATORS = allowed("administrator")
READERS = allowed("administrator", "auditor")
CONSUMERS = allowed("administrator", "auditor", "consumer")


def same_origin(connection: Connection, handler: BaseRouteHandler) -> None:
    """Let no other site's page change anything in the name of whoever looks at it; raises CrossSite.

    Browsers say where a request comes from, by Fetch metadata (W3C) or at least by Origin, so no page needs a hidden
    token. Asked are unsafe requests with our cookie, and those that are open to everybody: to sign in is one.
    """
    site: Site = connection.app.state["site"]
    by_cookie = site.cookie_name("session") in connection.cookies
    if not isinstance(connection, Request) or connection.method in SAFE or "Authorization" in connection.headers:
        return
    if (by_cookie or handler.opt[ALLOWED] is None) and not _from_own_page(site, connection):
        raise CrossSite


def _from_own_page(site: Site, connection: Connection) -> bool:
    fetched = connection.headers.get("Sec-Fetch-Site")
    if fetched is not None:
        return fetched in {"same-origin", "none"}  # none: by the person, not by a page
    return site.is_own(connection.headers.get("Origin", ""), connection.headers.get("Host", ""))


async def authorized(connection: Connection, handler: BaseRouteHandler) -> None:
    """Let a request pass whose principal holds one of the route's roles, and remember who it is.

    Raises Unauthenticated, Forbidden, and NotFound for a subscription in which the principal is nobody. Asked again
    later it tells whether that still holds: what was revoked ends at once.
    """
    wanted: frozenset[Role] | None = handler.opt[ALLOWED]
    if wanted is None:
        return
    rollcall: Rollcall = connection.app.state["rollcall"]
    principal = await sync_to_thread(authenticate, rollcall, connection)
    subscription: UUID | None = connection.path_params.get("subscription_id")
    held = await sync_to_thread(_held, rollcall, principal, subscription)
    if subscription is not None and not held:
        raise NotFound(what="subscription", id=subscription)
    if wanted and not wanted & held:
        raise Forbidden(wanted=_told(wanted), held=_told(held))
    _remember(connection, principal, actor(principal, wanted & held))


def authenticate(rollcall: Rollcall, connection: Connection) -> Principal:
    """Return who asks, by a token or else by a session; raises Unauthenticated, and TooManyRequests."""
    given = connection.headers.get("Authorization")
    return _person(rollcall, connection) if given is None else _bearer(rollcall, connection, given)


def _bearer(rollcall: Rollcall, connection: Connection, given: str) -> Bearer:
    if not given.lower().startswith(SCHEME):
        raise Unauthenticated(reason="This kind of authorization is not known here.")
    token = given[len(SCHEME) :].strip()
    _count(connection, token)
    found = granting.bearer(rollcall.ports, token)
    if found is None:
        raise Unauthenticated(reason="This token is none of ours, was revoked, or has expired.")
    return found


def _person(rollcall: Rollcall, connection: Connection) -> Person:
    site: Site = connection.app.state["site"]
    session = connection.cookies.get(site.cookie_name("session"))
    if not session:
        raise Unauthenticated(reason="This needs to know who asks.")
    _count(connection, session)
    found = rollcall.sessions.find(session)
    if found is None:
        raise Unauthenticated(reason="Your session has ended.")
    return found


def _count(connection: Connection, secret: str) -> None:
    limits: Limits = connection.app.state["limits"]
    limits.request(sha256(secret.encode("utf-8", "surrogatepass")).hexdigest())


def _held(rollcall: Rollcall, principal: Principal, subscription: UUID | None) -> frozenset[Role]:
    """Return the roles that count: those in the subscription, if one is named, and in Rollcall as a whole."""
    found = granting.roles(rollcall.ports, principal, {ROLLCALL, subscription or ROLLCALL})
    return frozenset().union(*found.values())


def actor(principal: Principal, held: frozenset[Role]) -> Actor:
    """Return who a principal is in the events: an operator only where no nearer role lets it pass."""
    kind: Literal["operator", "administrator"] = "operator" if held == {"operator"} else "administrator"
    match principal:
        case Person(email, name):
            return Actor(kind, email, name or email)
        case Bearer(token_id, name):
            return Actor(kind, f"token:{token_id}", name)


def _remember(connection: Connection, principal: Principal, who: Actor) -> None:
    connection.scope["state"] |= {"principal": principal, "actor": who}
    structlog.contextvars.bind_contextvars(actor=who.id)


def _told(roles: frozenset[Role]) -> str:
    return " or ".join(f"an {role}" if role[0] in "ao" else f"a {role}" for role in sorted(roles)) or "nobody"
