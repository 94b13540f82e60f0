"""Who asks, and whether they may: each route says which roles it is for, and what that needs is looked up each time.

A foreign subscription is answered exactly as a missing one, so that nobody learns which ids exist.
"""

from __future__ import annotations

from hashlib import sha256
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import structlog
from litestar import Request
from litestar.concurrency import sync_to_thread
from litestar.enums import HttpMethod

from application import granting
from application.granting import Bearer, Person, Principal
from application.records import Actor, Origin
from domain.access import GRANTING, ROLLCALL
from domain.errors import NotFound, RollcallError
from projections import access

if TYPE_CHECKING:
    from uuid import UUID

    from litestar.connection import ASGIConnection
    from litestar.handlers import BaseRouteHandler

    from adapters.composition import Rollcall
    from adapters.http.rate_limits import Limits
    from adapters.http.site import Site
    from domain.access import Role

    Connection: TypeAlias = ASGIConnection[Any, Any, Any, Any]

ALLOWED = "allowed"
SCHEME = "bearer"
SUBSCRIPTION = "subscription_id"  # what all paths call it
SUBSCRIPTION_VIEWERS: frozenset[Role] = frozenset(("operator", "administrator", "auditor"))
"""The roles that may see a subscription's name, seats and access."""
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
    """This is for {wanted}, and you are {held}. Ask whoever administers it for access."""

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
GRANTERS = allowed(*GRANTING)


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
    later it tells whether that still holds: what was revoked ends at once. OPTIONS tells of the route, not of what is
    behind it, and is answered to everybody.
    """
    if connection.scope.get("method") == HttpMethod.OPTIONS:
        return
    wanted: frozenset[Role] | None = handler.opt[ALLOWED]
    if wanted is not None:
        principal, who = await sync_to_thread(authorize, connection, wanted, connection.path_params.get(SUBSCRIPTION))
        _remember(connection, principal, who)


def authorize(connection: Connection, wanted: frozenset[Role], subscription: UUID | None) -> tuple[Principal, Actor]:
    """Return who asks, and as whom they act; raises as `authorized` does."""
    rollcall: Rollcall = connection.app.state["rollcall"]
    principal = authenticate(rollcall, connection)
    held = held_in(rollcall, principal, subscription or ROLLCALL)
    if subscription is not None and not held:
        raise NotFound(what="subscription", id=subscription)
    if wanted and not wanted & held:
        raise Forbidden(wanted=_told(wanted), held=_told(held))
    return principal, actor(principal, wanted & held)


def authenticate(rollcall: Rollcall, connection: Connection) -> Principal:
    """Return who asks, by a token or else by a session; raises Unauthenticated, and TooManyRequests."""
    given = connection.headers.getall("Authorization", [])
    return _bearer(rollcall, connection, given) if given else _person(rollcall, connection)


def _bearer(rollcall: Rollcall, connection: Connection, given: list[str]) -> Bearer:
    if len(given) > 1:
        raise Unauthenticated(reason="There is more than one “Authorization”.")
    scheme, _, token = given[0].partition(" ")
    if scheme.lower() != SCHEME:
        raise Unauthenticated(reason="This kind of authorization is not known here.")
    token = token.strip(" ")
    _count(connection, token)
    found = granting.bearer(rollcall, token)
    if found is None:
        raise Unauthenticated(reason="This token is none of ours, was revoked, or has expired.")
    rollcall.last_uses.note(found.token_id, rollcall.now())
    return found


def _person(rollcall: Rollcall, connection: Connection) -> Person:
    site: Site = connection.app.state["site"]
    session = connection.cookies.get(site.cookie_name("session"))
    if not session:
        raise Unauthenticated(reason="This needs to know who asks.")
    _count(connection, session)
    found = rollcall.sign_ins.find(session)
    if found is None:
        raise Unauthenticated(reason="Your session has ended.")
    return found


def _count(connection: Connection, secret: str) -> None:
    limits: Limits = connection.app.state["limits"]
    limits.request(sha256(secret.encode("utf-8", "surrogatepass")).hexdigest())


def held_in(rollcall: Rollcall, principal: Principal, scope: UUID) -> frozenset[Role]:
    """Return the roles that count in a scope: those held there, and in Rollcall as a whole."""
    return frozenset().union(*granting.roles(rollcall, principal, {ROLLCALL, scope}).values())


def scopes(rollcall: Rollcall, principal: Principal, wanted: frozenset[Role]) -> list[UUID]:
    """Return where a principal holds one of these roles: the view tells where to look, the streams what holds."""
    match principal:
        case Bearer(scope=scope):
            candidates = [scope]
        case Person(email):
            with rollcall.views() as rows:
                candidates = access.scopes_of(rows, email)
    found = granting.roles(rollcall, principal, candidates)
    return [scope for scope, held in found.items() if held & wanted]


def granting_in(connection: Connection, subscription: UUID | None) -> tuple[Principal, Origin]:
    """Return who grants in a subscription or, for None, in Rollcall as a whole, and the origin of what they change.

    Asked anew, for a body may have taken its time; raises as `authorized` does.
    """
    principal, who = authorize(connection, GRANTING, subscription)
    return principal, Origin(subscription or ROLLCALL, who, connection.scope["state"]["request_id"])


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
    return " or ".join(f"an {role}" if role[0] in "ao" else f"a {role}" for role in sorted(roles)) or "nobody here"
