"""How pages are made: templates that escape what they show, errors as pages, and the stylesheet."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias
from urllib.parse import urlencode

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from litestar import Request
from litestar.datastructures import CacheControlHeader
from litestar.plugins.jinja import JinjaTemplateEngine
from litestar.response import Redirect, Template
from litestar.static_files import create_static_files_router
from litestar.template import TemplateConfig
from msgspec import json

from adapters.http.problem_kinds import KINDS
from adapters.http.problems import HANDLERS, ProblemDocument
from adapters.http.security import EVERYBODY, Unauthenticated

if TYPE_CHECKING:
    from collections.abc import Callable

    from litestar import Response
    from litestar.types import ExceptionHandlersMap

    from adapters.http.site import Site

FOLDER = Path(__file__).parent
AnyRequest: TypeAlias = Request[Any, Any, Any]


def templates() -> TemplateConfig[JinjaTemplateEngine]:
    """Return the templates: whatever they show is escaped, and a name that nobody gave is a mistake."""
    environment = Environment(
        loader=FileSystemLoader(FOLDER / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return TemplateConfig(instance=JinjaTemplateEngine(engine_instance=environment))


STATIC = create_static_files_router(
    path="/static",
    directories=[FOLDER / "static"],
    cache_control=CacheControlHeader(max_age=3_600),
    opt=EVERYBODY,
)


def _as_page(handler: Callable[..., Response[bytes]]) -> Callable[[AnyRequest, Exception], Template]:
    """Return what shows as a page what a program would get as a problem document."""

    def page(request: AnyRequest, error: Exception) -> Template:
        answer = handler(request, error)
        document = json.decode(answer.content, type=ProblemDocument)
        return Template(
            "problem.html",
            context={"problem": document, "explanation": KINDS[document.type.removeprefix("/problems/")].explanation},
            status_code=document.status,
            headers=answer.headers,
        )

    return page


def _to_sign_in(request: AnyRequest, _error: Unauthenticated) -> Redirect:
    """Send whoever is not signed in to where they can, and from there back; a session that ended is forgotten."""
    site: Site = request.app.state["site"]
    back = request.url.path + (f"?{request.url.query}" if request.url.query else "")
    query = "" if back == "/" else "?" + urlencode({"next": back})
    return Redirect(f"/sign-in{query}", status_code=303, cookies=[site.cookie("session", None)])


ERRORS: ExceptionHandlersMap = {
    **{error: _as_page(handler) for error, handler in HANDLERS.items()},
    Unauthenticated: _to_sign_in,
}
"""What becomes of an error on a page."""
