"""Signing in again in the middle of something: back to the page that one was on, which says if nothing was saved.

Where to return to is in the address of the sign-in page and, for those who sign in with a link, in a cookie.
"""

from __future__ import annotations

import re
from datetime import timedelta
from functools import lru_cache
from typing import TYPE_CHECKING
from urllib.parse import quote, unquote, urlencode, urlsplit

from litestar.response import Redirect
from litestar.routes import HTTPRoute

from adapters.http.security import SAFE, Unauthenticated, is_from_own_page
from adapters.http.site import LONGEST_PATH, own_path

if TYPE_CHECKING:
    from litestar import Litestar
    from litestar.datastructures import Cookie

    from adapters.http.requests import AnyRequest
    from adapters.http.site import Site

KEPT_FOR = timedelta(hours=1)
"""How long a browser knows where to return to, and that a form wasn't saved."""


def to_sign_in(request: AnyRequest, _error: Unauthenticated) -> Redirect:
    """Redirect to the sign-in page, which leads back to the page that was asked for, or that a form was on.

    Clears the cookie of a session that ended, if there is one: a page of another site can send a form, too, but without
    the cookie, and mustn't sign anybody out.
    """
    by_form = request.method not in SAFE and is_from_own_page(_site(request), request)
    asked_for = _requested_address(request) if request.method == "GET" and not by_script(request) else "/"
    return signing_in(request, page_of_form(request) if by_form else asked_for, unsaved=by_form)


def signing_in(request: AnyRequest, back: str, *, again: bool = False, unsaved: bool = False) -> Redirect:
    """Redirect to the sign-in page, which leads back to a page.

    That page says that a form wasn't saved, if one wasn't. `again` has people who are signed in prove who they are.
    """
    site = _site(request)
    query = {"next": own_path(back)} if own_path(back) != "/" else {}
    if again:
        query["again"] = "true"
    cookies = []
    if site.cookie_name("session") in request.cookies and not again:
        cookies.append(site.cookie("session", None))
    if unsaved:
        cookies.append(site.cookie("unsaved", "form", KEPT_FOR))
    return Redirect(f"/sign-in?{urlencode(query)}" if query else "/sign-in", status_code=303, cookies=cookies)


def by_script(request: AnyRequest) -> bool:
    """Return whether a script asked, which knows where it is; what it asked for may be no page of its own."""
    return request.headers.get("Sec-Fetch-Dest") == "empty"


def _site(request: AnyRequest) -> Site:
    site: Site = request.app.state["site"]
    return site


def _requested_address(request: AnyRequest) -> str:
    """Return the path and query as they were sent; decoding could make another address of them."""
    path, query = request.scope["raw_path"], request.scope["query_string"]
    return (path + b"?" + query if query else path).decode("latin-1")


# --- in cookies -----------------------------------------------------------------------------------------------------


def return_cookie(site: Site, back: str) -> Cookie:
    """Return the cookie by which somebody who signs in with a link gets back to a page; `/` is none."""
    kept = quote(own_path(back), safe="/")
    return site.cookie("back", kept if kept != "/" and len(kept) <= LONGEST_PATH else None, KEPT_FOR)


def kept_return(request: AnyRequest) -> str:
    """Return the page that the browser's cookie says to return to, else `/`."""
    return own_path(unquote(request.cookies.get(_site(request).cookie_name("back"), "/")))


def was_unsaved(request: AnyRequest) -> bool:
    """Return whether a form wasn't saved, which hasn't been told yet."""
    return _site(request).cookie_name("unsaved") in request.cookies


# --- the page of a form ---------------------------------------------------------------------------------------------


def page_of_form(request: AnyRequest) -> str:
    """Return the address of the page that a form was on, as the browser says or else as the form's own address says.

    A page that says why a form was refused has the form's address, to which GET leads nowhere. So it is cut until it
    leads to a page.
    """
    site, referrer = _site(request), urlsplit(request.headers.get("Referer", ""))
    own = site.is_own(f"{referrer.scheme}://{referrer.netloc}", request.headers.get("Host", ""))
    path = own_path(referrer.path if own else request.scope["raw_path"].decode("latin-1"))
    address = f"{path}?{referrer.query}" if own and referrer.query else path
    if _is_page(request.app, path):
        return address if own_path(address) != "/" else path
    while path != "/" and not _is_page(request.app, path):
        path = path.rpartition("/")[0] or "/"
    return path


def _is_page(app: Litestar, path: str) -> bool:
    pages, forms = _routes(app)
    return bool(re.fullmatch(pages, path)) and not re.fullmatch(forms, path)


@lru_cache(maxsize=1)
def _routes(app: Litestar) -> tuple[str, str]:
    """Return patterns for the paths that GET leads to, and for those that only a form leads to."""
    pages: list[str] = []
    forms: list[str] = []
    for route in app.routes:
        if isinstance(route, HTTPRoute):
            pattern = "".join(
                ".+" if part.endswith(":path") else "[^/]+" if at % 2 else re.escape(part)
                for at, part in enumerate(re.split(r"\{([^}]*)\}", route.path))
            )
            (pages if "GET" in route.methods else forms).append(pattern)
    return "|".join(pages), "|".join(forms)
