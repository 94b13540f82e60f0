"""How pages are made: templates that escape what they show, what every page knows, forms, errors as pages."""

from __future__ import annotations

from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple, Protocol, TypeAlias
from urllib.parse import urlencode

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

from adapters.console import wording
from adapters.http.lookups import find_subscription
from adapters.http.paging import MOST
from adapters.http.problem_kinds import KINDS
from adapters.http.problems import HANDLERS, Invalid, ProblemDocument
from adapters.http.requests import AnyRequest, checked_text
from adapters.http.security import PUBLIC, SUBSCRIPTION_VIEWERS, Unauthenticated, roles_in
from adapters.http.site import LONGEST_PATH
from application.granting import Person
from domain.access import Role

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from uuid import UUID

    from litestar.datastructures import FormMultiDict
    from litestar.types import ExceptionHandlersMap

    from adapters.composition import Rollcall
    from adapters.http.site import Site
    from application.granting import Principal

Told: TypeAlias = Annotated[int, QueryParameter(ge=0, le=MOST, description="What a form did, to be told once.")]

Page: TypeAlias = Response[Any]
"""What the console answers: a page, or where to go on."""

FOLDER = Path(__file__).parent
FORM_BYTES = 100_000
NOT_BEFORE = 2**63  # PostgreSQL's bigint
VERSION_DIGITS = len(str(NOT_BEFORE))  # Python reads no number of thousands of digits


def templates() -> TemplateConfig[JinjaTemplateEngine]:
    """Return the templates: whatever they show is escaped, and a name that nobody gave is a mistake."""
    environment = Environment(
        loader=FileSystemLoader(FOLDER / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= wording.FILTERS
    environment.globals |= {
        "static": _static,
        "me": None,
        "subscription": None,
        "administrator": False,
        "section": "",
        "here": "",
    }
    return TemplateConfig(instance=JinjaTemplateEngine(engine_instance=environment))


def _build() -> str:
    files = sorted((FOLDER / "static").iterdir())
    return sha256(b"".join(file.read_bytes() for file in files)).hexdigest()[:12]


BUILD = _build()
"""A digest of the static files, in their addresses: browsers keep them for good, and ask for new ones at once."""

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
    of: UUID | None = None,
    status: int = 200,
    **context: Any,
) -> Template:
    """Return a page, `of` a subscription or of none.

    Every page knows who looks at it (`me`, and `address`), the time (`now`), and in a subscription that one
    (`subscription`), the tabs that are open to them (`tabs`) and whether its actions are (`administrator`). Raises
    NotFound for the subscription.
    """
    principal: Principal = request.scope["state"]["principal"]
    known: dict[str, Any] = {"me": _called(principal), "address": _address(principal), "now": datetime.now(UTC)}
    if of is not None:
        held = roles_in(rollcall, principal, of)
        known["subscription"] = find_subscription(rollcall, of)
        known["tabs"] = tabs(held)
        known["administrator"] = "administrator" in held
    return Template(template, context=known | context, status_code=status)


class Tab(NamedTuple):
    """A part of a subscription's console: its name in addresses, its title, and the roles that it is for."""

    name: str
    title: str
    roles: frozenset[Role]


MAY_READ: frozenset[Role] = frozenset(("administrator", "auditor"))

TABS = (
    Tab("groups", "Groups", MAY_READ),
    Tab("users", "Users", MAY_READ),
    Tab("imports", "Imports", MAY_READ),
    Tab("audit", "Audit", MAY_READ),
    Tab("settings", "Settings", SUBSCRIPTION_VIEWERS),
)


def tabs(held: frozenset[Role]) -> list[Tab]:
    """Return the tabs that are open to whoever holds these roles."""
    return [tab for tab in TABS if tab.roles & held]


def _called(principal: Principal) -> str:
    return principal.name or _address(principal)


def _address(principal: Principal) -> str:
    """Return what somebody is granted access by."""
    return principal.email if isinstance(principal, Person) else principal.name


def gone(request: AnyRequest, rollcall: Rollcall, of: UUID, section: str, what: str) -> Page:
    """Say that a group or user is not there: the same for one that was, for a foreign one, and for none at all."""
    return page(request, rollcall, "gone.html", of=of, section=section, status=404, what=what)


def see(where: str) -> Redirect:
    """Send the browser on to a page by GET."""
    return Redirect(where, status_code=303)


class Effect(Protocol):
    """What a command came to, which may not be readable yet."""

    @property
    def readable(self) -> bool:
        """Tell whether it can be read by now."""


def seen(request: AnyRequest, rollcall: Rollcall, of: UUID, done: Effect | None, where: str) -> Page:
    """Send the browser on to where the effect of a form can be seen, or have it wait there until it can."""
    if done is None or done.readable:
        return see(where)
    return page(request, rollcall, "not-yet.html", of=of, status=202, where=where)


# --- forms ----------------------------------------------------------------------------------------------------------


class Form:
    """The fields of a form that was posted."""

    def __init__(self, fields: Mapping[str, str]) -> None:
        self._fields = fields

    def text(self, name: str, default: str | None = None) -> str:
        """Return a field; raises Invalid where it lacks and there is no default, and for what is no text."""
        found = self._fields.get(name, default)
        if not isinstance(found, str):
            raise Invalid(reason=f"The form lacks the field “{name}”. Load the page again.", field=name)
        return checked_text(found, name)

    def version(self) -> int:
        """Return the version that the page showed; raises Invalid."""
        found = self.text("version")
        if not found.isascii() or not found.isdigit() or len(found) > VERSION_DIGITS or int(found) >= NOT_BEFORE:
            raise Invalid(reason="The form’s version is none. Load the page again.", field="version")
        return int(found)


async def form(request: AnyRequest) -> Form:
    """Return the form that a request posts; raises Invalid."""
    return Form(dict((await posted(request)).multi_items()))


async def posted(request: AnyRequest) -> FormMultiDict:
    """Return the fields that a request posts; raises Invalid where they are in no encoding that there is."""
    try:
        return await request.form()
    except (LookupError, UnicodeError) as error:
        reason = "The form cannot be read: send it in UTF-8. Load the page again."
        raise Invalid(reason=reason, field="form") from error


# --- errors ---------------------------------------------------------------------------------------------------------


def _as_page(handler: Callable[..., Response[bytes]]) -> Callable[[AnyRequest, Exception], Page]:
    """Return what shows as a page what a program would get as a problem document."""

    def shown(request: AnyRequest, error: Exception) -> Page:
        answer = handler(request, error)
        document = json.decode(answer.content, type=ProblemDocument)
        return Template(
            "problem.html",
            context={"problem": document, "kind": KINDS[document.type.removeprefix("/problems/")]},
            status_code=document.status,
            headers=answer.headers,
        )

    return shown


def _to_sign_in(request: AnyRequest, _error: Unauthenticated) -> Redirect:
    """Send whoever is not signed in to where they can, and from there back; a session that ended is forgotten.

    A form's address is no page to come back to: then they begin at the first one.
    """
    site: Site = request.app.state["site"]
    back = _address_of(request)
    wanted = request.method == "GET" and back != "/" and len(back) <= LONGEST_PATH
    query = "?" + urlencode({"next": back}) if wanted else ""
    return Redirect(f"/sign-in{query}", status_code=303, cookies=[site.cookie("session", None)])


def _address_of(request: AnyRequest) -> str:
    """Return the address that was asked for as it was sent: once it is decoded, it may be another."""
    path, query = request.scope["raw_path"], request.scope["query_string"]
    return (path + b"?" + query if query else path).decode("latin-1")


ERRORS: ExceptionHandlersMap = {
    **{error: _as_page(handler) for error, handler in HANDLERS.items()},
    Unauthenticated: _to_sign_in,
}
"""What becomes of an error on a page."""


def nowhere(request: AnyRequest, error: HTTPException) -> Page:
    """Say that there is nothing at an address: as a page to browsers, as a problem document to everybody else."""
    by_browser = request.accept.best_match(["application/json", "text/html"]) == "text/html"
    return (ERRORS if by_browser else HANDLERS)[HTTPException](request, error)
