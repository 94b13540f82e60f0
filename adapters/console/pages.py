"""How pages are made: the templates, what every page shows, and errors as pages."""

from __future__ import annotations

from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple, TypeAlias, TypeVar

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from litestar import Response
from litestar.datastructures import CacheControlHeader
from litestar.exceptions import HTTPException
from litestar.params import QueryParameter
from litestar.plugins.jinja import JinjaTemplateEngine
from litestar.response import Redirect, Template
from litestar.static_files import create_static_files_router
from litestar.template import TemplateConfig
from msgspec import json

from adapters.console.filters import FILTERS
from adapters.console.returning import to_sign_in, was_unsaved
from adapters.http.lookups import find_subscription
from adapters.http.paging import MOST, encode_after
from adapters.http.problem_kinds import KINDS
from adapters.http.problems import HANDLERS, ProblemDocument
from adapters.http.security import PUBLIC, SUBSCRIPTION_VIEWERS, Unauthenticated, roles_in
from application.granting import Person
from domain.access import Role
from projections.import_list.read import running_imports

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from uuid import UUID

    from litestar.types import ExceptionHandlersMap

    from adapters.composition import Rollcall
    from adapters.http.requests import AnyRequest
    from adapters.http.site import Site
    from application.granting import Principal

T = TypeVar("T")

Page: TypeAlias = Response[Any]
"""What the console answers: a page, or a redirect to one."""

FOLDER = Path(__file__).parent


def templates() -> TemplateConfig[JinjaTemplateEngine]:
    """Return the templates. They escape every value, and raise an error for a name that isn't defined."""
    environment = Environment(
        loader=FileSystemLoader(FOLDER / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= FILTERS
    environment.globals |= {
        "static": _static,
        "me": None,
        "subscription": None,
        "administrator": False,
        "section": "",
        "own_address": "",
        "unsaved": False,
        "running": [],
        "followed": None,
    }
    return TemplateConfig(instance=JinjaTemplateEngine(engine_instance=environment))


def _build() -> str:
    files = sorted((FOLDER / "static").iterdir())
    return sha256(b"".join(file.read_bytes() for file in files)).hexdigest()[:12]


BUILD = _build()
"""A digest of the static files. It is part of their addresses, so browsers can cache them without ever asking again."""

STATIC = create_static_files_router(
    path=f"/static/{BUILD}",
    directories=[FOLDER / "static"],
    cache_control=CacheControlHeader(public=True, max_age=31_536_000, immutable=True),
    opt=PUBLIC,
)


def _static(name: str) -> str:
    return f"/static/{BUILD}/{name}"


# --- a page ---------------------------------------------------------------------------------------------------------


def page(
    request: AnyRequest,
    rollcall: Rollcall,
    template: str,
    *,
    subscription_id: UUID | None = None,
    status: int = 200,
    **context: Any,
) -> Template:
    """Return a page, of a subscription or of Rollcall as a whole.

    `own_address` is for a page at another address than its own: that of a form, or one that says what a notice says.
    The script replaces it.

    Every page gets the user's name (`me`) and address (`address`), the time (`now`), and whether a form wasn't saved
    (`unsaved`), which is told once. Pages of a subscription also get the subscription (`subscription`), the sections
    that the user can open (`sections`), whether they can change things in it (`administrator`), their roles as text
    (`my_roles`), and the imports that are `running`, if they may see them. Raises NotFound for the subscription.
    """
    principal: Principal = request.scope["state"]["principal"]
    common: dict[str, Any] = {"me": _name(principal), "address": _address(principal), "now": datetime.now(UTC)}
    common["unsaved"] = unsaved = was_unsaved(request)
    if subscription_id is not None:
        roles = roles_in(rollcall, principal, subscription_id)
        common["subscription"] = find_subscription(rollcall, subscription_id)
        common["sections"] = sections_for(roles)
        is_open = common["subscription"].state == "open"
        common["administrator"] = "administrator" in roles and is_open  # who can change things
        common["my_roles"] = ", ".join(sorted(roles)).capitalize()
        if READER_ROLES & roles:
            with rollcall.views() as rows:
                common["running"] = running_imports(rows, subscription_id)
    site: Site = request.app.state["site"]
    told = [site.cookie("unsaved", None)] if unsaved else None
    return Template(template, context=common | context, status_code=status, cookies=told)


class Section(NamedTuple):
    """A section of a subscription's pages: its name in addresses, its title, and the roles that can open it."""

    name: str
    title: str
    roles: frozenset[Role]


READER_ROLES: frozenset[Role] = frozenset(("administrator", "auditor"))

SECTIONS = (
    Section("overview", "Overview", READER_ROLES),
    Section("groups", "Groups", READER_ROLES),
    Section("users", "Users", READER_ROLES),
    Section("imports", "Imports", READER_ROLES),
    Section("audit", "Audit log", READER_ROLES),
    Section("settings", "Settings", SUBSCRIPTION_VIEWERS),
)


def sections_for(roles: frozenset[Role]) -> list[Section]:
    """Return the sections that someone with these roles can open."""
    return [section for section in SECTIONS if section.roles & roles]


def _name(principal: Principal) -> str:
    return principal.name or _address(principal)


def _address(principal: Principal) -> str:
    """Return the e-mail address that a person's access is granted to; for a token, its name."""
    return principal.email if isinstance(principal, Person) else principal.name


Before: TypeAlias = Annotated[int, QueryParameter(ge=0, le=MOST, description="How many rows come before the page.")]


Version: TypeAlias = Annotated[int, QueryParameter(ge=0, le=MOST)]


class Extent(NamedTuple):
    """Which rows of a list a page shows, from 1: how many come before, how many it shows, and of how many if known."""

    before: int
    shown: int
    total: int | None = None

    @property
    def last(self) -> int:
        """The number of the last row shown, which is how many come before the next page."""
        return self.before + self.shown

    def __str__(self) -> str:
        of = f" of {self.total:,}" if self.total is not None and self.total >= self.last else ""
        return f"{self.before + 1:,}–{self.last:,}{of}"


def listing(
    found: Sequence[T],
    limit: int,
    after: str | None,
    position: Callable[[T], object],
    before: int = 0,
    total: int | None = None,
) -> dict[str, Any]:
    """Return the context of a page of a list.

    `found` is one row longer than `limit` if there is a next page, which begins behind the `position` of the last row
    shown. `after` is where this page begins, `before` how many rows come before it, and `total` how many there are, if
    that is known.
    """
    following = encode_after(position(found[limit - 1])) if len(found) > limit else None
    extent = Extent(before, min(len(found), limit), total)
    return {"found": found[:limit], "following": following, "paged": after is not None, "extent": extent}


def not_found_page(
    request: AnyRequest, rollcall: Rollcall, subscription_id: UUID, section: str, what: str, then: str = ""
) -> Page:
    """Return the page for a missing group or user: the same if it was deleted, is another subscription's or never was.

    `what` is "group" or "user". `then` is the time as of which it was asked for, if that isn't now.
    """
    return page(
        request,
        rollcall,
        "not-found.html",
        subscription_id=subscription_id,
        section=section,
        status=404,
        what=what,
        then=then,
    )


def see_other(where: str) -> Redirect:
    """Redirect the browser to a page, which it gets with GET (RFC 9110, section 15.4.4)."""
    return Redirect(where, status_code=303)


# --- errors ---------------------------------------------------------------------------------------------------------


def _as_page(handler: Callable[..., Response[bytes]]) -> Callable[[AnyRequest, Exception], Page]:
    """Return an error handler that shows as a page what `handler` returns as a problem document."""

    def handle(request: AnyRequest, error: Exception) -> Page:
        answer = handler(request, error)
        document = json.decode(answer.content, type=ProblemDocument)
        return Template(
            "problem.html",
            context={"problem": document, "kind": KINDS[document.type.removeprefix("/problems/")]},
            status_code=document.status,
            headers=answer.headers,
        )

    return handle


ERRORS: ExceptionHandlersMap = {
    **{error: _as_page(handler) for error, handler in HANDLERS.items()},
    Unauthenticated: to_sign_in,
}
"""The error handlers of the console's routes."""


def unknown_address(request: AnyRequest, error: HTTPException) -> Page:
    """Answer a request to an address that doesn't exist: browsers get a page, programs a problem document."""
    by_browser = request.accept.best_match(["application/json", "text/html"]) == "text/html"
    return (ERRORS if by_browser else HANDLERS)[HTTPException](request, error)
