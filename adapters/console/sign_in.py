"""Signing in, with an identity provider or a link, and signing out."""

from __future__ import annotations

from contextlib import contextmanager
from datetime import timedelta
from secrets import token_urlsafe
from typing import TYPE_CHECKING, Annotated

import structlog
from litestar import get, post
from litestar.concurrency import sync_to_thread
from litestar.params import FromPath, QueryParameter
from litestar.response import Redirect, Template

from adapters.composition import Rollcall
from adapters.console.browser_names import browser_of
from adapters.console.forms import form_fields
from adapters.console.links import Link
from adapters.console.oidc import OUR_REQUEST, PROVIDER_AWAY, PendingSignIn, Provider, refusal
from adapters.console.oidc_claims import SignInRefused
from adapters.console.returning import by_script, kept_return, return_cookie, was_unsaved
from adapters.http.rate_limits import RateLimits, client_of
from adapters.http.requests import AnyRequest, Injected
from adapters.http.security import PUBLIC, request_origin
from adapters.http.site import Site, own_path
from adapters.http.validation import ANY_QUERY
from adapters.metrics import Metrics
from adapters.postgres.sign_ins import SignInDetails, SignInWay
from application.granting import Person
from application.identifying import bind_account
from application.records import Actor, Origin
from domain.access import ROLLCALL
from domain.errors import RollcallError

if TYPE_CHECKING:
    from collections.abc import Iterator

log = structlog.get_logger(__name__)

PENDING_FOR = timedelta(minutes=10)
FORM_BYTES = 10_000
CALLBACK = "/sign-in/oidc/callback"
LINK = "/sign-in/link/{secret:str}"
LINK_USED = "this link has already been used or has expired. Ask for a new one."
# Browsers check every redirect that follows a form: to the provider, and to wherever it redirects people.
SIGN_IN_POLICY = (
    "default-src 'none'; style-src 'self'; img-src 'self' data:; "
    "base-uri 'none'; form-action 'self' https: {provider}; frame-ancestors 'none'"
)


@get("/sign-in", sync_to_thread=False, opt=PUBLIC)
def sign_in_page(
    request: AnyRequest,
    rollcall: Injected[Rollcall],
    site: Injected[Site],
    wanted: Annotated[str, QueryParameter(name="next")] = "/",
    again: Annotated[bool, QueryParameter()] = False,
) -> Template:
    """Show how to sign in, and say if a form wasn't saved. `again` has people prove again who they are."""
    issuer = rollcall.settings.oidc.issuer if rollcall.settings.oidc else ""
    origin = "/".join(issuer.split("/")[:3])
    return Template(
        "sign-in.html",
        context={
            "issuer": issuer,
            "wanted": own_path(wanted),
            "again": again,
            "not_saved": was_unsaved(request),
        },
        cookies=None if by_script(request) else [return_cookie(site, wanted)],
        headers={"Content-Security-Policy": SIGN_IN_POLICY.format(provider=origin)},
    )


# --- with an identity provider ----------------------------------------------------------------------------------------


@post("/sign-in/oidc", opt=PUBLIC, status_code=303, request_max_body_size=FORM_BYTES)
async def start_oidc(
    request: AnyRequest,
    rollcall: Injected[Rollcall],
    site: Injected[Site],
    provider: Injected[Provider | None],
    rate_limits: Injected[RateLimits],
    metrics: Injected[Metrics],
) -> Redirect:
    """Redirect the browser to the provider. It must return with the state of this sign-in, and with the same cookie."""
    with _attempt(metrics, "oidc", done=False):
        rate_limits.count_sign_in(request, client_of(request))
        form = await form_fields(request)
        pending = PendingSignIn(
            redirect_uri=site.url(CALLBACK, request.headers["Host"]),
            nonce=token_urlsafe(32),
            verifier=token_urlsafe(48),
            wanted=own_path(str(form.get("next", "/"))),
            again=form.get("again") == "true",
        )
        browser, state = token_urlsafe(32), token_urlsafe(32)
        where = await _configured(provider).authorization_url(pending, state)
        await sync_to_thread(rollcall.tickets.issue, "oidc", f"{browser}.{state}", pending, PENDING_FOR)
    return Redirect(where, status_code=303, cookies=[site.cookie("sign-in", browser, PENDING_FOR)])


@get(CALLBACK, opt=PUBLIC | {ANY_QUERY: True})
async def finish_oidc(
    request: AnyRequest,
    rollcall: Injected[Rollcall],
    site: Injected[Site],
    provider: Injected[Provider | None],
    rate_limits: Injected[RateLimits],
    metrics: Injected[Metrics],
) -> Redirect:
    """Sign in the person whom the provider vouches for, now that it redirected the browser back."""
    with _attempt(metrics, "oidc"):
        rate_limits.count_sign_in(request, client_of(request))
        sent = request.query_params
        browser = request.cookies.get(site.cookie_name("sign-in"), "")
        ticket = f"{browser}.{sent.get('state', '')}"
        pending = await sync_to_thread(rollcall.tickets.redeem, "oidc", ticket, PendingSignIn)
        if pending is None:
            raise SignInRefused(reason="the sign-in wasn’t started in this browser or took too long. Start again.")
        if "code" not in sent:
            raise _no_code(sent.get("error"), sent.get("error_description"))
        person, account = await _configured(provider).identify(pending, sent["code"], sent.get("iss"))
        await sync_to_thread(bind_account, rollcall, _sign_in_origin(request), person.email, account)
        return await sync_to_thread(
            _signed_in, request, rollcall, rate_limits, person, "oidc", pending.wanted, pending.again
        )


def _no_code(error: str | None, description: str | None) -> RollcallError:
    """Return why the provider signs nobody in; log what only an operator can change as a warning."""
    told = log.warning if error in {*OUR_REQUEST, *PROVIDER_AWAY} else log.info
    told("the provider sent no code", error=error, description=description)
    return refusal(error, "you or the identity provider cancelled the sign-in. Start again.")


def _sign_in_origin(request: AnyRequest) -> Origin:
    """Return the origin of what a sign-in records. No person decides it, so the actor is the system."""
    return request_origin(request, ROLLCALL, Actor("system", "sign-in", "Sign-in"))


def _configured(provider: Provider | None) -> Provider:
    if provider is None:
        raise SignInRefused(reason="no identity provider is configured. Ask your Rollcall operator for a sign-in link.")
    return provider


# --- with a link ------------------------------------------------------------------------------------------------------


@get(LINK, sync_to_thread=True, opt=PUBLIC)
def link_page(rollcall: Injected[Rollcall], secret: FromPath[str]) -> Template:
    """Show a button that uses the link. Opening the link doesn't, because mail scanners do that.

    Raises SignInRefused for a link that doesn't work any more.
    """
    if not rollcall.tickets.is_valid("link", secret):
        raise SignInRefused(reason=LINK_USED)
    return Template("sign-in-link.html")


@post(LINK, sync_to_thread=True, opt=PUBLIC, status_code=303, request_max_body_size=FORM_BYTES)
def use_link(
    request: AnyRequest,
    rollcall: Injected[Rollcall],
    rate_limits: Injected[RateLimits],
    metrics: Injected[Metrics],
    secret: FromPath[str],
) -> Redirect:
    """Sign in the person that a link is for, and use it up."""
    with _attempt(metrics, "link"):
        rate_limits.count_sign_in(request, client_of(request))
        link = rollcall.tickets.redeem("link", secret, Link)
        if link is None:
            raise SignInRefused(reason=LINK_USED)
        return _signed_in(request, rollcall, rate_limits, Person(link.email, ""), "link", kept_return(request), True)


# --- in and out -----------------------------------------------------------------------------------------------------


def _signed_in(
    request: AnyRequest,
    rollcall: Rollcall,
    rate_limits: RateLimits,
    person: Person,
    way: SignInWay,
    wanted: str,
    proven: bool,
) -> Redirect:
    """Start a session under a new secret, whatever cookie the browser sent, and redirect."""
    rate_limits.count_sign_in(request, person.email)
    site: Site = request.app.state["site"]
    details = SignInDetails(way, browser_of(request.headers.get("User-Agent", "")), client_of(request), proven)
    secret = rollcall.sign_ins.start(person, details, request.cookies.get(site.cookie_name("session")))
    log.info("signed in", way=way, actor=person.email)
    cookies = [site.cookie("session", secret), site.cookie("sign-in", None), site.cookie("back", None)]
    return Redirect(wanted, status_code=303, cookies=cookies)


@contextmanager
def _attempt(metrics: Metrics, way: str, *, done: bool = True) -> Iterator[None]:
    """Record an attempt to sign in, in the metrics and the log. `done` says whether its success is a sign-in."""
    try:
        yield
    except RollcallError as error:
        metrics.signed_in(way, error.code)
        log.info("sign-in refused", way=way, code=error.code, why=str(error))
        raise
    if done:
        metrics.signed_in(way, "signed-in")


@post("/sign-out", sync_to_thread=True, opt=PUBLIC, status_code=303, request_max_body_size=FORM_BYTES)
def sign_out(request: AnyRequest, rollcall: Injected[Rollcall], site: Injected[Site]) -> Redirect:
    """End the session, here and in the browser."""
    session = request.cookies.get(site.cookie_name("session"))
    email = rollcall.sign_ins.end(session) if session else None
    log.info("signed out", actor=email)
    # Not "cookies", which would clear the cookies of every host in the domain.
    headers = {"Clear-Site-Data": '"cache", "storage"'}
    ended = [site.cookie("session", None)]
    if was_unsaved(request):
        ended.append(site.cookie("unsaved", None))
    return Redirect("/sign-in", status_code=303, cookies=ended, headers=headers)


ROUTES = (sign_in_page, start_oidc, finish_oidc, link_page, use_link, sign_out)
