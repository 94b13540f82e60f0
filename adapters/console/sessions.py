"""Somebody's sessions: where they are signed in, and how to end that."""

from __future__ import annotations

from datetime import timedelta
from urllib.parse import urlencode
from uuid import UUID

import structlog
from litestar import get, post

from adapters.composition import Rollcall
from adapters.console.pages import Form, Page, page, see
from adapters.http.problems import Invalid
from adapters.http.requests import AnyRequest, Injected
from adapters.http.security import AUTHENTICATED, Unauthenticated
from adapters.http.site import Site
from adapters.postgres.sign_ins import SignIn
from application.granting import Person, Principal

log = structlog.get_logger(__name__)

RECENTLY = timedelta(minutes=10)
"""How long ago somebody showed who they are who ends sessions: who has but a stolen cookie cannot lock them out."""
OTHERS = "others"
SIGN_IN_AGAIN = "/sign-in?" + urlencode({"next": "/sessions", "again": "true"})
WAYS = {"oidc": "identity provider", "link": "sign-in link"}


@get("/sessions", sync_to_thread=True, opt=AUTHENTICATED)
def sessions_page(request: AnyRequest, rollcall: Injected[Rollcall]) -> Page:
    """Show to somebody where they are signed in."""
    person, here = _here(request, rollcall)
    return page(
        request,
        rollcall,
        "sessions.html",
        here=here,
        others=[each for each in rollcall.sign_ins.of(person.email) if each.id != here.id],
        may_end=rollcall.sign_ins.is_proven_within(here, RECENTLY),
        again=SIGN_IN_AGAIN,
        ways=WAYS,
    )


@post("/sessions", sync_to_thread=True, opt=AUTHENTICATED)
def end_sessions(request: AnyRequest, rollcall: Injected[Rollcall], form: Injected[Form]) -> Page:
    """End one other session of somebody's, or all others, in every process at once; this one ends by signing out.

    Who showed a while ago who they are is asked to do so again first.
    """
    wanted = form.text("session", "")
    session_id = None if wanted == OTHERS else _session_id(wanted)
    person, here = _here(request, rollcall)
    if not rollcall.sign_ins.is_proven_within(here, RECENTLY):
        return see(SIGN_IN_AGAIN)
    ended = rollcall.sign_ins.end_others(here, session_id)
    log.info("sessions ended", actor=person.email, sessions=ended)
    return see("/sessions")


def _session_id(given: str) -> UUID:
    try:
        return UUID(given)
    except ValueError:
        raise Invalid(reason="There is no such session. Load the page again.", field="session") from None


def _here(request: AnyRequest, rollcall: Rollcall) -> tuple[Person, SignIn]:
    """Return who asks, and by which session; raises Unauthenticated for a token, which has none."""
    site: Site = request.app.state["site"]
    principal: Principal = request.scope["state"]["principal"]
    here = rollcall.sign_ins.current(request.cookies.get(site.cookie_name("session"), ""))
    if not isinstance(principal, Person) or here is None:
        raise Unauthenticated(reason="This page is for people who are signed in.")
    return principal, here


ROUTES = (sessions_page, end_sessions)
