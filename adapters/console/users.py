"""The users of a subscription, who are the people with a licence: the list, a user's page, and their forms."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any
from urllib.parse import urlencode
from uuid import UUID

from litestar import post
from litestar.params import FromPath, QueryParameter
from msgspec import Struct, ValidationError, convert, json

from adapters.as_of import views_then
from adapters.composition import Rollcall
from adapters.console.addresses import EmailMissing
from adapters.console.as_of import AtPart, as_of
from adapters.console.forms import RELOAD, Form, NoticeCount, Refusal, answer_form, redirect_when_readable
from adapters.console.groups import A_PAGE
from adapters.console.pages import Before, Page, listing, page
from adapters.http.new_licences import NewUser, user_of
from adapters.http.paging import After, Search, decode_after
from adapters.http.problems import Invalid
from adapters.http.reads import read
from adapters.http.requests import AnyRequest, Injected, checked_text, origin_of, request_key
from adapters.http.security import ADMINISTRATORS, READERS
from application import licensing
from domain.addresses import email_key
from domain.errors import Refused
from projections.directory import read as directory
from projections.directory.read import OnlyUsers

if TYPE_CHECKING:
    from application.licensing import AllocationResult
    from projections.directory.read import LicenceRow
    from projections.view import ViewCursor

USERS = "/subscriptions/{subscription_id:uuid}/users"
LICENCES = "/subscriptions/{subscription_id:uuid}/licences"

NoticeEmail = Annotated[str, QueryParameter(description="An address to name in a notice.", max_length=1_000)]


class LicenceNotice(Struct, frozen=True):
    """The address that a notice names, if there is a notice, under what happened to it.

    It was allocated a licence or already had one (`held`), its licence was revoked, or it had none (`without`). Or many
    licences were revoked, and some perhaps not, because others were changing them.
    """

    allocated: str = ""
    held: str = ""
    revoked: str = ""
    without: str = ""
    revoked_many: int = 0
    not_done: int = 0


NO_NOTICE = LicenceNotice()


class UsersPlace(Struct, frozen=True):
    """Which users a page lists: those with a text in address or name, and with something missing; and from where on."""

    q: str = ""
    only: OnlyUsers | None = None
    after: str | None = None
    before: int = 0
    at: str = ""

    @property
    def query(self) -> str:
        """The filters as they stand in the address, and the day or time as of which users are shown."""
        parts = (("q", self.q), ("only", self.only), ("at", self.at))
        return urlencode({name: value for name, value in parts if value})


FIRST = UsersPlace()


@read(USERS, opt=READERS)
def list_users(
    request: AnyRequest,
    rollcall: Injected[Rollcall],
    subscription_id: FromPath[UUID],
    q: Search = "",
    only: Annotated[OnlyUsers | None, QueryParameter()] = None,
    at: AtPart = "",
    after: After = None,
    before: Before = 0,
    allocated: NoticeEmail = "",
    held: NoticeEmail = "",
    revoked: NoticeEmail = "",
    without: NoticeEmail = "",
    revoked_many: NoticeCount = 0,
    not_done: NoticeCount = 0,
) -> Page:
    """List the users by address, with a notice of what a form did."""
    names = [checked_text(each) for each in (allocated, held, revoked, without)]
    notice = LicenceNotice(names[0], names[1], names[2], names[3], revoked_many, not_done)
    place = UsersPlace(checked_text(q), only, after, before, at)
    return _users_page(request, rollcall, subscription_id, place, notice=notice)


def _users_page(
    request: AnyRequest,
    rollcall: Rollcall,
    subscription_id: UUID,
    place: UsersPlace = FIRST,
    refusal: Refusal | None = None,
    *,
    notice: LicenceNotice = NO_NOTICE,
) -> Page:
    behind, then = decode_after(place.after, str) or "", as_of(rollcall, place.at)
    with views_then(rollcall, subscription_id, then.at) as rows:
        found = directory.licences(
            rows, subscription_id, search=place.q, only=place.only, after=behind, limit=A_PAGE + 1
        )
        context: dict[str, Any] = {
            "groups": directory.group_counts(rows, subscription_id, [each.email for each in found]),
            "allocated": _find_licence(rows, subscription_id, notice.allocated),
            "already_allocated": _find_licence(rows, subscription_id, notice.held),
            "revoked": _if_unlicensed(rows, subscription_id, notice.revoked),
            "unlicensed": _if_unlicensed(rows, subscription_id, notice.without),
        }
    return page(
        request,
        rollcall,
        "users.html",
        subscription_id=subscription_id,
        section="users",
        status=refusal.status if refusal else 200,
        **listing(found, A_PAGE, place.after, lambda row: row.email, place.before),
        q=place.q,
        place=place,
        notice=notice,
        refusal=refusal,
        own_address=f"/subscriptions/{subscription_id}/users" if refusal or notice != NO_NOTICE else "",
        key=rollcall.new_id(),
        **context,
        **then.context,
    )


def _find_licence(rows: ViewCursor, subscription_id: UUID, email: str) -> LicenceRow | None:
    """Return the licence of an address that a notice names, if it has one."""
    return directory.find_licence(rows, subscription_id, email) if email else None


def _if_unlicensed(rows: ViewCursor, subscription_id: UUID, email: str) -> str:
    """Return an address that a notice names, if it has no licence."""
    return email if email and directory.unlicensed_emails(rows, subscription_id, [email]) else ""


# --- forms ----------------------------------------------------------------------------------------------------------


@post(LICENCES, sync_to_thread=True, opt=ADMINISTRATORS)
def allocate(
    request: AnyRequest, rollcall: Injected[Rollcall], form: Injected[Form], subscription_id: FromPath[UUID]
) -> Page:
    """Allocate a licence to one user."""
    entered = {name: form.field(name, "") for name in ("email", "first_name", "last_name")}
    idempotency_key = request_key(request, form.field("key"), subscription_id, json.encode(entered))

    def command() -> AllocationResult:
        user = user_of(_new_user(entered), rollcall.private_domains)
        return licensing.allocate_licences(rollcall, origin_of(request, subscription_id), [user], idempotency_key)

    def following(effect: AllocationResult) -> str:
        held = effect.already_allocated and not effect.repeated
        notice = urlencode({"held" if held else "allocated": email_key(entered["email"])})
        return f"/subscriptions/{subscription_id}/users?{notice}"

    def refused(error: Refused) -> Page:
        return _users_page(request, rollcall, subscription_id, refusal=Refusal(error, entered))

    return answer_form(request, rollcall, subscription_id, command, following, refused)


def _new_user(entered: dict[str, str]) -> NewUser:
    """Return the user that was entered; raises EmailMissing, and Invalid for what the page's fields don't allow."""
    if not entered["email"].strip():
        raise EmailMissing
    try:
        return convert(entered, NewUser)
    except ValidationError as error:
        raise Invalid(reason=f"The form is invalid: {error}. {RELOAD}", field="email") from error


@post(f"{LICENCES}/revoke", sync_to_thread=True, opt=ADMINISTRATORS)
def revoke(
    request: AnyRequest, rollcall: Injected[Rollcall], form: Injected[Form], subscription_id: FromPath[UUID]
) -> Page:
    """Revoke a licence, so that the user leaves every group. A licence that is revoked already is fine."""
    email = email_key(form.field("email"))
    effect = licensing.revoke_licences(rollcall, origin_of(request, subscription_id), [email])
    notice = urlencode({"revoked" if effect.emails else "without": email})
    where = f"/subscriptions/{subscription_id}/users?{notice}"
    return redirect_when_readable(request, rollcall, subscription_id, effect, where)


ROUTES = (list_users, allocate, revoke)
