"""Who sends a request, and whether they may: each route names the roles it is for, and they are looked up every time.

A subscription that the caller has no role in is answered exactly as a missing one, so that ids can't be guessed.
"""

from __future__ import annotations

from contextvars import ContextVar
from functools import partial
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

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
    from adapters.http.rate_limits import RateLimits
    from adapters.http.site import Site
    from domain.access import Role

    AnyConnection: TypeAlias = ASGIConnection[Any, Any, Any, Any]

ROLES_OPTION = "roles"
CHECKED_BY_ROUTE = "checked_by_route"
"""The `opt` of a route that checks access itself (see `reads`)."""
SCHEME = "bearer"
SUBSCRIPTION = "subscription_id"  # the name of the parameter in every path
SUBSCRIPTION_VIEWERS: frozenset[Role] = frozenset(("operator", "administrator", "auditor"))
"""The roles that may see a subscription's name, seats and access."""
SAFE = frozenset({"GET", "HEAD", "OPTIONS"})

RouteOptions: TypeAlias = dict[str, frozenset["Role"] | None]
"""A route's `opt`: the roles it is for, in the subscription that its path names or in Rollcall as a whole."""

PUBLIC: RouteOptions = {ROLES_OPTION: None}
"""For routes that need no authentication."""

AUTHENTICATED: RouteOptions = {ROLES_OPTION: frozenset()}
"""For routes that show all authenticated callers what is theirs."""


class Unauthenticated(RollcallError):
    """{reason} Send an API token as “Authorization: Bearer rollcall_…”, or sign in."""

    code = "unauthenticated"


class Forbidden(RollcallError):
    """You need to be {needed} to do this, but you {held} here. Ask an administrator or an operator for access."""

    code = "forbidden"


class CrossSite(RollcallError):
    """This request came from another site, or from a program that sent a browser's cookie. Nothing was done.

    Send it from one of Rollcall's pages, or with an API token instead of the cookie.
    """

    code = "cross-site"


def for_roles(*roles: Role) -> RouteOptions:
    """Return the `opt` of a route for these roles."""
    return {ROLES_OPTION: frozenset(roles)}


ADMINISTRATORS = for_roles("administrator")
READERS = for_roles("administrator", "auditor")
CONSUMERS = for_roles("administrator", "auditor", "consumer")
GRANTERS = for_roles(*GRANTING)


# --- guards ---------------------------------------------------------------------------------------------------------


def check_same_origin(connection: AnyConnection, handler: BaseRouteHandler) -> None:
    """Block requests by which a page of another site would change something on behalf of a visitor; raises CrossSite.

    Browsers say where a request comes from, in Fetch metadata (W3C) or at least in Origin, so pages need no hidden
    token. Checked are unsafe requests to public routes, because signing in and out are such, and those that carry our
    cookie and no Authorization, which would count instead of the cookie.
    """
    if not isinstance(connection, Request) or connection.method in SAFE:
        return
    site: Site = connection.app.state["site"]
    by_cookie = site.cookie_name("session") in connection.cookies and "Authorization" not in connection.headers
    if (by_cookie or handler.opt[ROLES_OPTION] is None) and not is_from_own_page(site, connection):
        raise CrossSite


def is_from_own_page(site: Site, connection: AnyConnection) -> bool:
    """Return whether a browser says that a request comes from one of our own pages."""
    fetched = connection.headers.get("Sec-Fetch-Site")
    if fetched is not None:
        return fetched in {"same-origin", "none"}  # none: from the address bar or a bookmark
    return site.is_own(connection.headers.get("Origin", ""), connection.headers.get("Host", ""))


async def check_access(connection: AnyConnection, handler: BaseRouteHandler) -> None:
    """Check that the caller has one of the route's roles, and remember who they are.

    Raises Unauthenticated, Forbidden, and NotFound for a subscription in which they have no role. Called again during
    a long request, it notices revocations. OPTIONS describes the route, not what is behind it, so it is open to all.
    A route that reads checks it itself, in the thread in which it reads (see `reads`). If there is a query, it is
    checked before, because the query may be wrong, and who has no access isn't told so.
    """
    if connection.scope.get("method") == HttpMethod.OPTIONS or handler.opt[ROLES_OPTION] is None:
        return
    asking.set(connection)
    if connection.scope["query_string"] or not handler.opt.get(CHECKED_BY_ROUTE):
        await sync_to_thread(remember_caller, connection)


asking: ContextVar[AnyConnection] = ContextVar("asking")
"""The request that is being answered, if its route isn't public."""


def remember_caller(connection: AnyConnection) -> None:
    """Do what `check_access` does, in the thread of the caller."""
    needed, subscription = connection.route_handler.opt[ROLES_OPTION], connection.path_params.get(SUBSCRIPTION)
    principal, actor = authorize(connection, needed, subscription)
    connection.scope["state"] |= {"principal": principal, "actor": actor}


def authorize(connection: AnyConnection, needed: frozenset[Role], subscription: UUID | None) -> tuple[Principal, Actor]:
    """Return the caller, and the actor that their changes are recorded under; raises what `check_access` raises."""
    principal, held = authenticate(connection, subscription or ROLLCALL)
    if subscription is not None and not held:
        raise NotFound(what="subscription", id=subscription)
    if needed and not needed & held:
        raise Forbidden(needed=_listed(needed), held=f"are {_listed(held)}" if held else "have no role")
    return principal, _actor(principal, needed & held)


def authorize_granter(connection: AnyConnection, subscription: UUID | None) -> tuple[Principal, Origin]:
    """Re-authorize the caller to grant access, and return them with the origin to record.

    Without a subscription, they need a role that grants access to Rollcall as a whole. Access is checked again, because
    the body may have taken a while to arrive; raises what `check_access` raises.
    """
    principal, actor = authorize(connection, GRANTING, subscription)
    return principal, request_origin(connection, subscription or ROLLCALL, actor)


def request_origin(
    connection: AnyConnection, subscription_id: UUID, actor: Actor, import_id: UUID | None = None
) -> Origin:
    """Return the origin of what an actor changes with this request."""
    state = connection.scope["state"]
    return Origin(subscription_id, actor, state["request_id"], import_id, state["client_request_id"])


def _actor(principal: Principal, held: frozenset[Role]) -> Actor:
    """Return a caller as an actor: an operator only if no other role lets them do this."""
    kind: Literal["operator", "administrator"] = "operator" if held == {"operator"} else "administrator"
    match principal:
        case Person(email, name):
            return Actor(kind, email, name or email)
        case Bearer(token_id, name):
            return Actor(kind, f"token:{token_id}", name)


def _listed(roles: frozenset[Role]) -> str:
    return " or ".join(f"an {role}" if role[0] in "ao" else f"a {role}" for role in sorted(roles))


# --- who is calling -------------------------------------------------------------------------------------------------


def authenticate(connection: AnyConnection, scope: UUID) -> tuple[Principal, frozenset[Role]]:
    """Return the caller, by token or else by browser session, and the roles that they have in a scope.

    Raises Unauthenticated and TooManyRequests.
    """
    headers = connection.headers.getall("Authorization", [])
    return _bearer(connection, headers, scope) if headers else _person(connection, scope)


def _bearer(connection: AnyConnection, headers: list[str], scope: UUID) -> tuple[Bearer, frozenset[Role]]:
    if len(headers) > 1:
        raise Unauthenticated(reason="The request has more than one Authorization header.")
    scheme, _, token = headers[0].partition(" ")
    if scheme.lower() != SCHEME:
        raise Unauthenticated(reason="This authorization scheme is not supported.")
    token = token.strip(" ")
    rollcall: Rollcall = connection.app.state["rollcall"]
    found = _rate_limits(connection).find_caller(connection, token, partial(granting.bearer, rollcall))
    if found is None:
        raise Unauthenticated(reason="This token is invalid, revoked or expired.")
    rollcall.last_uses.note(found.token_id, rollcall.now())
    return found, roles_in(rollcall, found, scope)


def _person(connection: AnyConnection, scope: UUID) -> tuple[Person, frozenset[Role]]:
    site: Site = connection.app.state["site"]
    session = connection.cookies.get(site.cookie_name("session"))
    if not session:
        raise Unauthenticated(reason="This request needs authentication.")
    rollcall: Rollcall = connection.app.state["rollcall"]
    found = _rate_limits(connection).find_caller(
        connection, session, lambda secret: rollcall.sign_ins.find(secret, scope, ROLLCALL)
    )
    if found is None:
        raise Unauthenticated(reason="Your session has ended.")
    return found.person, found.roles


def _rate_limits(connection: AnyConnection) -> RateLimits:
    found: RateLimits = connection.app.state["rate_limits"]
    return found


# --- roles ----------------------------------------------------------------------------------------------------------


def roles_in(rollcall: Rollcall, principal: Principal, scope: UUID) -> frozenset[Role]:
    """Return the caller's roles in a scope: those granted there, and those in Rollcall as a whole."""
    return frozenset().union(*granting.roles(rollcall, principal, {ROLLCALL, scope}).values())


def scopes_with(rollcall: Rollcall, principal: Principal, wanted: frozenset[Role]) -> list[UUID]:
    """Return the scopes in which the caller has one of these roles.

    The view says where to look; the claims say what is true now.
    """
    match principal:
        case Bearer(scope=scope):
            candidates = [scope]
        case Person(email):
            with rollcall.views() as cursor:
                candidates = access.scopes_of(cursor, email)
    found = granting.roles(rollcall, principal, candidates)
    return [scope for scope, held in found.items() if held & wanted]
