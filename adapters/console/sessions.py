"""A person's sessions, which are the browsers where they are signed in, and the form that ends them."""

from __future__ import annotations

from datetime import timedelta
from urllib.parse import urlencode
from uuid import UUID

import structlog
from litestar import post

from adapters.composition import Rollcall
from adapters.console.forms import RELOAD, Form
from adapters.console.pages import Page, page, see_other
from adapters.console.returning import signing_in
from adapters.http.problems import Invalid
from adapters.http.reads import read
from adapters.http.requests import AnyRequest, Injected
from adapters.http.security import AUTHENTICATED, Unauthenticated
from adapters.http.site import Site
from adapters.postgres.sign_ins import SignIn
from application.granting import Person, Principal

log = structlog.get_logger(__name__)

RECENTLY = timedelta(minutes=10)
"""How recently a person must have signed in to end sessions, so that a stolen cookie can't be used to lock them out."""
OTHERS = "others"
SIGN_IN_AGAIN = "/sign-in?" + urlencode({"next": "/sessions", "again": "true"})
WAYS = {"oidc": "an identity provider", "link": "a sign-in link"}


@read("/sessions", opt=AUTHENTICATED)
def sessions_page(request: AnyRequest, rollcall: Injected[Rollcall]) -> Page:
    """Show a person where they are signed in."""
    person, current = _current(request, rollcall)
    return page(
        request,
        rollcall,
        "sessions.html",
        current=current,
        others=[each for each in rollcall.sign_ins.of(person.email) if each.id != current.id],
        may_end=rollcall.sign_ins.is_proven_within(current, RECENTLY),
        again=SIGN_IN_AGAIN,
        ways=WAYS,
    )


@post("/sessions", sync_to_thread=True, opt=AUTHENTICATED)
def end_sessions(request: AnyRequest, rollcall: Injected[Rollcall], form: Injected[Form]) -> Page:
    """End another session of the same person, or all others. The current one ends by signing out.

    A person who didn't sign in recently has to do so again first.
    """
    wanted = form.field("session", "")
    session_id = None if wanted == OTHERS else _session_id(wanted)
    person, current = _current(request, rollcall)
    if not rollcall.sign_ins.is_proven_within(current, RECENTLY):
        return signing_in(request, "/sessions", again=True, unsaved=True)
    ended = rollcall.sign_ins.end_others(current, session_id)
    log.info("sessions ended", actor=person.email, sessions=ended)
    return see_other("/sessions")


def _session_id(given: str) -> UUID:
    try:
        return UUID(given)
    except ValueError:
        raise Invalid(reason=f"The form’s session is invalid. {RELOAD}", field="session") from None


def _current(request: AnyRequest, rollcall: Rollcall) -> tuple[Person, SignIn]:
    """Return the person and their current session; raises Unauthenticated for a token, which has none."""
    site: Site = request.app.state["site"]
    principal: Principal = request.scope["state"]["principal"]
    current = rollcall.sign_ins.current(request.cookies.get(site.cookie_name("session"), ""))
    if not isinstance(principal, Person) or current is None:
        raise Unauthenticated(reason="Sign in to see this page.")
    return principal, current


ROUTES = (sessions_page, end_sessions)
