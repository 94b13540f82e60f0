"""A subscription's settings: its name and seats, who has access, and its API tokens."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, urlencode
from uuid import UUID

from litestar import post
from litestar.params import FromPath
from litestar.response import Template
from msgspec import Struct, ValidationError, convert, structs

from adapters.composition import Rollcall
from adapters.console.forms import NOTHING_ENTERED, RELOAD, Form, Refusal, answer_form
from adapters.console.pages import Page, listing, page
from adapters.eraser import ANSWER_SECONDS, wait_until_erased
from adapters.http.lookups import find_subscription
from adapters.http.paging import After, decode_after, encode_after
from adapters.http.problems import Invalid
from adapters.http.reads import read
from adapters.http.requests import AnyRequest, Injected
from adapters.http.security import GRANTERS, SUBSCRIPTION_VIEWERS, authorize_granter, for_roles, roles_in
from adapters.http.token_requests import TokenRequest, issue_requested_token
from application import closing, granting, licensing
from domain.access import GRANTING, SubscriptionRole
from domain.addresses import email_key
from domain.errors import NameNotTyped, NotFound, Refused, SeatsInvalid
from domain.naming import collapsed
from projections import access

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from application.decisions import CommandResult
    from application.records import Origin

SETTINGS = "/subscriptions/{subscription_id:uuid}/settings"
A_PAGE = 14  # of each list, so that a page of long names and addresses stays below 100 kB
NUMBER = re.compile("[0-9]{1,15}|[0-9]{1,3}(?:[ .,'’\u00a0\u202f][0-9]{3}){1,4}")
LIFETIMES = {"30": "30 days", "90": "90 days", "365": "1 year", "": "No expiry"}
"""The lifetimes that a token can be issued for: how many days, and how the page says it."""
ROLES = {
    "administrator": "Administrator: full access",
    "auditor": "Auditor: can see everything",
    "consumer": "Consumer: can read group events",
}


class Place(Struct, frozen=True):
    """Where the pages of both lists begin: that of the roles, and that of the tokens."""

    after: str | None = None
    tokens_after: str | None = None

    def encoded(self, **changes: str | None) -> str:
        """Return this as the query of an address, with changes."""
        fields = {**structs.asdict(self), **changes}
        return urlencode({name: value for name, value in fields.items() if value})


FIRST_PAGES = Place()


@read(SETTINGS, opt=for_roles(*SUBSCRIPTION_VIEWERS))
def show_settings(
    request: AnyRequest,
    rollcall: Injected[Rollcall],
    subscription_id: FromPath[UUID],
    after: After = None,
    tokens_after: After = None,
) -> Page:
    """Show a subscription's name and seats, who has which role in it, and its tokens."""
    return _settings(request, rollcall, subscription_id, Place(after, tokens_after))


def _settings(
    request: AnyRequest,
    rollcall: Rollcall,
    subscription_id: UUID,
    place: Place = FIRST_PAGES,
    *,
    refusal: Refusal | None = None,
    **context: Any,
) -> Page:
    principal = request.scope["state"]["principal"]
    grants = bool(GRANTING & roles_in(rollcall, principal, subscription_id))
    behind = decode_after(place.after, tuple[str, str])
    before = decode_after(place.tokens_after, tuple[datetime, UUID])
    with rollcall.views() as rows:
        found = access.grants(rows, subscription_id, after=behind, limit=A_PAGE + 1)
        unrevoked = access.tokens(rows, [subscription_id], revoked=False, before=before, limit=A_PAGE + 1)
        tokens = listing(
            unrevoked if grants else [], A_PAGE, place.tokens_after, lambda row: (row.issued_at, row.token_id)
        )
        revoked = access.count_revoked_tokens(rows, subscription_id) if grants else 0
    defaults: dict[str, Any] = {
        "grants": grants,
        "myself": getattr(principal, "email", None),
        "tokens": tokens,
        "revoked": revoked,
        "used": rollcall.last_uses.of(token.token_id for token in tokens["found"]),
        "place": place,
        "key": rollcall.new_id(),
        "refusal": refusal,
        "roles": ROLES,
        "lifetimes": LIFETIMES,
        "exported": rollcall.closure.was_exported(subscription_id),
        "issued_token": None,
        "token_name": None,
        **listing(found, A_PAGE, place.after, lambda grant: (grant.email, grant.role)),
    }
    return page(
        request,
        rollcall,
        "settings.html",
        subscription_id=subscription_id,
        section="settings",
        status=refusal.status if refusal else 200,
        **defaults | context,
    )


def _answer(
    request: AnyRequest,
    rollcall: Rollcall,
    subscription_id: UUID,
    form: str,
    command: Callable[[Origin], CommandResult | None],
    entered: Mapping[str, str] = NOTHING_ENTERED,
    place: Callable[[], Place] = Place,
) -> Page:
    """Run a form's command and redirect to its section of the settings, to the place that is asked for afterwards."""
    _, origin = authorize_granter(request, subscription_id)
    return answer_form(
        request,
        rollcall,
        subscription_id,
        lambda: command(origin),
        lambda _: f"/subscriptions/{subscription_id}/settings?{place().encoded()}#{form}".replace("?#", "#"),
        lambda error: _settings(request, rollcall, subscription_id, refusal=Refusal(error, entered, form)),
    )


@post(SETTINGS, sync_to_thread=True, opt=GRANTERS)
def change(
    request: AnyRequest, rollcall: Injected[Rollcall], form: Injected[Form], subscription_id: FromPath[UUID]
) -> Page:
    """Rename the subscription or change its seats: only what differs from what the page showed.

    So if someone else changed the name since the page was loaded, changing the seats doesn't undo that.
    """
    entered = {name: form.field(name) for name in ("name", "seats", "was_name", "was_seats")}
    name = entered["name"] if entered["name"] != entered["was_name"] else None
    seats = entered["seats"] if entered["seats"] != entered["was_seats"] else None

    def command(origin: Origin) -> CommandResult:
        number = number_of_seats(seats) if seats is not None else None
        return licensing.change_subscription(rollcall, origin, name, number)

    return _answer(request, rollcall, subscription_id, "subscription", command, entered)


def number_of_seats(entered: str) -> int:
    """Return the number that was entered, with or without thousands separators; raises SeatsInvalid."""
    if not NUMBER.fullmatch(entered.strip()):
        raise SeatsInvalid(seats=f"“{entered}”", reason="a whole number")
    return int(re.sub("[^0-9]", "", entered))


@post(f"{SETTINGS}/close", sync_to_thread=True, opt=GRANTERS)
def close(
    request: AnyRequest, rollcall: Injected[Rollcall], form: Injected[Form], subscription_id: FromPath[UUID]
) -> Page:
    """Close the subscription, if its name was typed."""
    entered = {name: form.field(name) for name in ("confirmed", "reason")}

    def command(origin: Origin) -> CommandResult:
        _require_name(rollcall, subscription_id, entered["confirmed"])
        return closing.close_subscription(rollcall, origin, entered["reason"])

    return _answer(request, rollcall, subscription_id, "close", command, entered)


@post(f"{SETTINGS}/erase", sync_to_thread=True, opt=GRANTERS)
def erase(
    request: AnyRequest, rollcall: Injected[Rollcall], form: Injected[Form], subscription_id: FromPath[UUID]
) -> Page:
    """Have everybody erased from the closed subscription, if its name was typed, and say what was done.

    Whoever had it erased has no role in it any more, unless they are an operator. So no other page can tell them.
    """
    entered = {name: form.field(name) for name in ("confirmed", "reason")}
    principal, origin = authorize_granter(request, subscription_id)
    try:
        _require_name(rollcall, subscription_id, entered["confirmed"])
        closing.start_erasure(rollcall, rollcall.closure, origin, entered["reason"])
    except NotFound:
        raise
    except Refused as error:
        return _settings(request, rollcall, subscription_id, refusal=Refusal(error, entered, "erase"))
    done = wait_until_erased(rollcall, subscription_id, ANSWER_SECONDS)
    context = {
        "erased": find_subscription(rollcall, subscription_id),
        "done": done,
        "operator": "operator" in roles_in(rollcall, principal, subscription_id),
        "own_address": "/",  # to load this page again would send the form again
    }
    return Template("erased.html", context=context, status_code=200 if done else 202)


def _require_name(rollcall: Rollcall, subscription_id: UUID, typed: str) -> None:
    name = find_subscription(rollcall, subscription_id).name
    if collapsed(typed) != name:
        raise NameNotTyped(name=name)


# --- access ---------------------------------------------------------------------------------------------------------


@post(f"{SETTINGS}/access", sync_to_thread=True, opt=GRANTERS)
def grant(
    request: AnyRequest, rollcall: Injected[Rollcall], form: Injected[Form], subscription_id: FromPath[UUID]
) -> Page:
    """Grant someone a role."""
    email, role = form.field("email"), _role(form)

    def command(origin: Origin) -> CommandResult | None:
        return granting.grant_access(rollcall, origin, email, role)

    def place() -> Place:
        return _place_of_grant(rollcall, subscription_id, email)

    return _answer(request, rollcall, subscription_id, "access", command, {"email": email, "role": role}, place)


def _place_of_grant(rollcall: Rollcall, subscription_id: UUID, email: str) -> Place:
    """Return the first pages, if the roles of an address are on the first one, or else one that begins with them."""
    key = email_key(email)
    with rollcall.views() as rows:
        first = access.grants(rows, subscription_id, limit=A_PAGE)
    return Place(encode_after((key, ""))) if len(first) == A_PAGE and first[-1].email < key else FIRST_PAGES


@post(f"{SETTINGS}/access/revoke", sync_to_thread=True, opt=GRANTERS)
def revoke(
    request: AnyRequest, rollcall: Injected[Rollcall], form: Injected[Form], subscription_id: FromPath[UUID]
) -> Page:
    """Revoke someone's role."""
    email, role = form.field("email"), _role(form)

    def command(origin: Origin) -> CommandResult | None:
        return granting.revoke_access(rollcall, origin, email, role)

    place = _place(form)
    return _answer(request, rollcall, subscription_id, "access", command, place=lambda: place)


def _place(form: Form) -> Place:
    """Return the place that a form keeps; raises Invalid."""
    place: Place = convert(dict(parse_qsl(form.field("query", ""))), Place)
    decode_after(place.after, tuple[str, str])
    decode_after(place.tokens_after, tuple[datetime, UUID])
    return place


def _role(form: Form) -> SubscriptionRole:
    try:
        role: SubscriptionRole = convert(form.field("role"), SubscriptionRole)
    except ValidationError:
        raise Invalid(reason=f"The form’s role is invalid. {RELOAD}", field="role") from None
    return role


# --- tokens ---------------------------------------------------------------------------------------------------------


@post(f"{SETTINGS}/tokens", sync_to_thread=True, opt=GRANTERS)
def issue_token(
    request: AnyRequest, rollcall: Injected[Rollcall], form: Injected[Form], subscription_id: FromPath[UUID]
) -> Page:
    """Issue a token and show it, this once."""
    name, role, days = form.field("name"), _role(form), form.field("days")
    requested = TokenRequest(name, role, subscription_id, _expiry(days, rollcall.now()))
    try:
        _, issued = issue_requested_token(request, rollcall, requested, form.field("key"))
    except NotFound:
        raise
    except Refused as error:
        refusal = Refusal(error, {"name": name, "role": role, "days": days}, "tokens")
        return _settings(request, rollcall, subscription_id, refusal=refusal)
    return _settings(request, rollcall, subscription_id, issued_token=issued and issued.text, token_name=name)


def _expiry(days: str, now: datetime) -> datetime | None:
    """Return when a token expires that lasts this many days, or None if it doesn't expire."""
    if days not in LIFETIMES:
        raise Invalid(reason=f"The form’s expiry is invalid. {RELOAD}", field="days")
    today = now.replace(
        hour=0, minute=0, second=0, microsecond=0
    )  # so that submitting the form twice asks for the same
    return today + timedelta(days=int(days) + 1) if days else None


@post(f"{SETTINGS}/tokens/revoke", sync_to_thread=True, opt=GRANTERS)
def revoke_token(
    request: AnyRequest, rollcall: Injected[Rollcall], form: Injected[Form], subscription_id: FromPath[UUID]
) -> Page:
    """Revoke a token."""
    try:
        token_id = UUID(form.field("token"))
    except ValueError:
        raise Invalid(reason=f"The form’s token is invalid. {RELOAD}", field="token") from None

    def command(origin: Origin) -> CommandResult:
        return granting.revoke_token(rollcall, origin, token_id)

    place = _place(form)
    return _answer(request, rollcall, subscription_id, "tokens", command, place=lambda: place)


ROUTES = (show_settings, change, close, erase, grant, revoke, issue_token, revoke_token)
