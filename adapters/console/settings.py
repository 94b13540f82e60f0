"""A subscription's settings: its name and seats, who has access, and its API tokens."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any
from uuid import UUID

from litestar import get, post
from litestar.params import FromPath
from msgspec import Struct, ValidationError, convert

from adapters.composition import Rollcall
from adapters.console.pages import Form, Page, page, seen
from adapters.http.paging import After, decode_after, encode_after
from adapters.http.problem_kinds import KINDS
from adapters.http.problems import Invalid
from adapters.http.requests import AnyRequest, Injected
from adapters.http.security import GRANTERS, SUBSCRIPTION_VIEWERS, authorize_granter, for_roles, roles_in
from adapters.http.token_requests import TokenRequest, issue_requested_token
from application import granting, licensing
from domain.access import GRANTING, SubscriptionRole
from domain.errors import KeyReused, NotFound, Refused, SeatsInvalid
from projections import access

if TYPE_CHECKING:
    from collections.abc import Callable

    from application.decisions import CommandResult
    from application.records import Origin

SETTINGS = "/subscriptions/{subscription_id:uuid}/settings"
A_PAGE = 100
TOKENS = 1_000
NUMBER = re.compile("[0-9]{1,15}|[0-9]{1,3}(?:[ .,'’\u00a0\u202f][0-9]{3}){1,4}")
LIFETIMES = {"30": "30 days", "90": "90 days", "365": "1 year", "": "For good"}
"""How many days a token may be asked to last, and how that is put."""
ROLES = {
    "administrator": "Administrator: does everything",
    "auditor": "Auditor: reads everything",
    "consumer": "Consumer: reads the group events",
}


SENT_BEFORE = (
    "This form was sent before with other entries. Check below what was done, then send it again if you still want to."
)
SHOWN_ONCE = "The token was shown when this form was first sent, and is shown once. Issue another one if it is lost."


class Refusal(Struct, frozen=True):
    """Why a form was refused, to be shown beside it: which form, and what was entered."""

    form: str
    error: Refused
    entered: dict[str, str]

    @property
    def said(self) -> str:
        """What happened, and what to do."""
        return SENT_BEFORE if isinstance(self.error, KeyReused) else str(self.error)


@get(SETTINGS, sync_to_thread=True, opt=for_roles(*SUBSCRIPTION_VIEWERS))
def show_settings(
    request: AnyRequest, rollcall: Injected[Rollcall], subscription_id: FromPath[UUID], after: After = None
) -> Page:
    """Show a subscription's name and seats, who holds which role in it, and its tokens."""
    return _settings(request, rollcall, subscription_id, after=decode_after(after, tuple[str, str]))


def _settings(
    request: AnyRequest,
    rollcall: Rollcall,
    subscription_id: UUID,
    *,
    after: tuple[str, str] | None = None,
    refusal: Refusal | None = None,
    **more: Any,
) -> Page:
    principal = request.scope["state"]["principal"]
    grants = bool(GRANTING & roles_in(rollcall, principal, subscription_id))
    with rollcall.views() as rows:
        held = access.grants(rows, subscription_id, after=after, limit=A_PAGE + 1)
        good = access.tokens(rows, [subscription_id], revoked=False, limit=TOKENS) if grants else []
        revoked = access.count_revoked_tokens(rows, subscription_id) if grants else 0
    context: dict[str, Any] = {
        "grants": grants,
        "myself": getattr(principal, "email", None),
        "held": held[:A_PAGE],
        "following": encode_after((held[A_PAGE - 1].email, held[A_PAGE - 1].role)) if len(held) > A_PAGE else None,
        "paged": after is not None,
        "tokens": good,
        "revoked": revoked,
        "used": rollcall.last_uses.of(each.token_id for each in good),
        "key": rollcall.new_id(),
        "refusal": refusal,
        "roles": ROLES,
        "lifetimes": LIFETIMES,
        "fresh": None,
        "note": None,
    }
    status = KINDS[refusal.error.code].status if refusal else 200
    return page(
        request,
        rollcall,
        "settings.html",
        of=subscription_id,
        section="settings",
        status=status,
        **context | more,
    )


def _do(
    request: AnyRequest,
    rollcall: Rollcall,
    subscription_id: UUID,
    what: Callable[[Origin], CommandResult | None],
    form: str,
    entered: dict[str, str],
) -> Page:
    """Do what a form asks for and go on to the settings; or say there why not, beside what was entered."""
    _, whence = authorize_granter(request, subscription_id)
    try:
        done = what(whence)
    except NotFound:
        raise
    except Refused as error:
        return _settings(request, rollcall, subscription_id, refusal=Refusal(form, error, entered))
    return seen(request, rollcall, subscription_id, done, f"/subscriptions/{subscription_id}/settings#{form}")


@post(SETTINGS, sync_to_thread=True, opt=GRANTERS)
def change(
    request: AnyRequest, rollcall: Injected[Rollcall], form: Injected[Form], subscription_id: FromPath[UUID]
) -> Page:
    """Rename the subscription, or change its seats: what differs from what the page showed, and nothing else.

    So a page that was loaded before somebody else changed the one does not undo that by changing the other.
    """
    entered = {field: form.text(field) for field in ("name", "seats", "was_name", "was_seats")}
    name = entered["name"] if entered["name"] != entered["was_name"] else None
    seats = entered["seats"] if entered["seats"] != entered["was_seats"] else None

    def what(whence: Origin) -> CommandResult:
        wanted = number_of_seats(seats) if seats is not None else None
        return licensing.change_subscription(rollcall, whence, name, wanted)

    return _do(request, rollcall, subscription_id, what, "subscription", entered)


def number_of_seats(entered: str) -> int:
    """Return a number as somebody entered it, its thousands apart or not; raises SeatsInvalid."""
    if not NUMBER.fullmatch(entered.strip()):
        raise SeatsInvalid(seats=f"“{entered}”", reason="a whole number")
    return int(re.sub("[^0-9]", "", entered))


# --- access ---------------------------------------------------------------------------------------------------------


@post(f"{SETTINGS}/access", sync_to_thread=True, opt=GRANTERS)
def grant(
    request: AnyRequest, rollcall: Injected[Rollcall], form: Injected[Form], subscription_id: FromPath[UUID]
) -> Page:
    """Give somebody a role."""
    email, role = form.text("email"), _role(form)

    def what(whence: Origin) -> CommandResult | None:
        return granting.grant_access(rollcall, whence, email, role)

    return _do(request, rollcall, subscription_id, what, "access", {"email": email, "role": role})


@post(f"{SETTINGS}/access/revoke", sync_to_thread=True, opt=GRANTERS)
def revoke(
    request: AnyRequest, rollcall: Injected[Rollcall], form: Injected[Form], subscription_id: FromPath[UUID]
) -> Page:
    """Take a role from somebody."""
    email, role = form.text("email"), _role(form)

    def what(whence: Origin) -> CommandResult | None:
        return granting.revoke_access(rollcall, whence, email, role)

    return _do(request, rollcall, subscription_id, what, "access", {})


def _role(form: Form) -> SubscriptionRole:
    try:
        role: SubscriptionRole = convert(form.text("role"), SubscriptionRole)
    except ValidationError:
        raise Invalid(reason="The form names no role in a subscription. Load the page again.", field="role") from None
    return role


# --- tokens ---------------------------------------------------------------------------------------------------------


@post(f"{SETTINGS}/tokens", sync_to_thread=True, opt=GRANTERS)
def issue_token(
    request: AnyRequest, rollcall: Injected[Rollcall], form: Injected[Form], subscription_id: FromPath[UUID]
) -> Page:
    """Issue a token, and show it: this once."""
    name, role, days = form.text("name"), _role(form), form.text("days")
    asked = TokenRequest(name, role, subscription_id, _expiry(days, rollcall.now()))
    try:
        _, fresh = issue_requested_token(request, rollcall, asked, form.text("key"))
    except NotFound:
        raise
    except Refused as error:
        refusal = Refusal("tokens", error, {"name": name, "role": role, "days": days})
        return _settings(request, rollcall, subscription_id, refusal=refusal)
    rollcall.health.catch_up(access.ACCESS.name)
    return _settings(
        request, rollcall, subscription_id, fresh=fresh, note=None if fresh else SHOWN_ONCE, fresh_name=name
    )


def _expiry(days: str, now: datetime) -> datetime | None:
    """Return when a token ends that lasts so many days from today, or never."""
    if days not in LIFETIMES:
        raise Invalid(reason=f"“{days}” is none of the lifetimes of a token.", field="days")
    today = now.replace(hour=0, minute=0, second=0, microsecond=0)  # so that the form, sent again, asks for the same
    return today + timedelta(days=int(days) + 1) if days else None


@post(f"{SETTINGS}/tokens/revoke", sync_to_thread=True, opt=GRANTERS)
def revoke_token(
    request: AnyRequest, rollcall: Injected[Rollcall], form: Injected[Form], subscription_id: FromPath[UUID]
) -> Page:
    """Revoke a token."""
    try:
        token_id = UUID(form.text("token"))
    except ValueError:
        raise Invalid(reason="The form names no token. Load the page again.", field="token") from None

    def what(whence: Origin) -> CommandResult:
        return granting.revoke_token(rollcall, whence, token_id)

    return _do(request, rollcall, subscription_id, what, "tokens", {})


ROUTES = (show_settings, change, grant, revoke, issue_token, revoke_token)
