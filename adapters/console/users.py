"""The users of a subscription: who holds a licence, and in which groups they are; allocate and revoke one by one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any
from urllib.parse import urlencode
from uuid import UUID

from litestar import get, post
from litestar.params import FromPath, QueryParameter
from msgspec import Struct, ValidationError, convert, json

from adapters.composition import Rollcall
from adapters.console.groups import A_PAGE, place
from adapters.console.pages import Form, Page, gone, page, seen
from adapters.http.lookups import find_licence
from adapters.http.new_licences import NewUser, user_of
from adapters.http.paging import After, Search, decode_after, encode_after
from adapters.http.problem_kinds import KINDS
from adapters.http.problems import Invalid
from adapters.http.requests import AnyRequest, Injected, checked_text, email_in_path, origin_of, request_key
from adapters.http.security import ADMINISTRATORS, READERS
from application import licensing
from domain.errors import KeyReused, NotFound, Refused
from domain.naming import email_key
from projections.directory import read as directory
from projections.import_list import read as import_list

if TYPE_CHECKING:
    from projections.directory.read import LicenceRow
    from projections.view import ViewCursor

USERS = "/subscriptions/{subscription_id:uuid}/users"
LICENCES = "/subscriptions/{subscription_id:uuid}/licences"

Whom = Annotated[str, QueryParameter(description="Of whom to tell.", max_length=1_000)]


class Notice(Struct, frozen=True):
    """Of whom the page tells what a form came to: addresses, of which one is there at most.

    `allocated` and `revoked` are whose licence just was; `held` who had one before, and `without` who had none.
    """

    allocated: str = ""
    held: str = ""
    revoked: str = ""
    without: str = ""


NOTHING = Notice()


class Refusal(Struct, frozen=True):
    """Why a licence was not allocated, and what was entered."""

    error: Refused
    email: str
    first_name: str
    last_name: str

    @property
    def said(self) -> str:
        """What happened, and what to do."""
        if not self.email.strip():
            return "Enter an e-mail address."
        if isinstance(self.error, KeyReused):
            return "This form was sent before, for somebody else. Send it once more."
        return str(self.error)

    @property
    def of_email(self) -> bool:
        """Tell whether it is about the address."""
        return self.error.code == "email-invalid"


@get(USERS, sync_to_thread=True, opt=READERS)
def list_users(
    request: AnyRequest,
    rollcall: Injected[Rollcall],
    subscription_id: FromPath[UUID],
    q: Search = "",
    after: After = None,
    allocated: Whom = "",
    held: Whom = "",
    revoked: Whom = "",
    without: Whom = "",
) -> Page:
    """List the licences by address, and tell what a form came to."""
    told = Notice(*map(checked_text, (allocated, held, revoked, without)))
    return _users_page(request, rollcall, subscription_id, checked_text(q), after, told=told)


def _users_page(
    request: AnyRequest,
    rollcall: Rollcall,
    subscription_id: UUID,
    q: str = "",
    after: str | None = None,
    refusal: Refusal | None = None,
    *,
    told: Notice = NOTHING,
) -> Page:
    behind = decode_after(after, str) or ""
    with rollcall.views() as rows:
        found = directory.licences(rows, subscription_id, search=q, after=behind, limit=A_PAGE + 1)
        shown: dict[str, Any] = {
            "groups": directory.group_counts(rows, subscription_id, [each.email for each in found]),
            "allocated": _held(rows, subscription_id, told.allocated),
            "held": _held(rows, subscription_id, told.held),
            "revoked": _without(rows, subscription_id, told.revoked),
            "without": _without(rows, subscription_id, told.without),
        }
    return page(
        request,
        rollcall,
        "users.html",
        of=subscription_id,
        section="users",
        status=KINDS[refusal.error.code].status if refusal else 200,
        found=found[:A_PAGE],
        following=encode_after(found[A_PAGE - 1].email) if len(found) > A_PAGE else None,
        paged=after is not None,
        q=q,
        refusal=refusal,
        key=rollcall.new_id(),
        **shown,
    )


def _held(rows: ViewCursor, subscription_id: UUID, email: str) -> LicenceRow | None:
    """Return the licence of an address that the page is to tell of, if it is one and has one."""
    return directory.find_licence(rows, subscription_id, email) if email else None


def _without(rows: ViewCursor, subscription_id: UUID, email: str) -> str:
    """Return an address that the page is to tell of, if it holds no licence."""
    return email if email and directory.unlicensed_emails(rows, subscription_id, [email]) else ""


@get(f"{USERS}/{{email:path}}", sync_to_thread=True, opt=READERS)
def show_user(
    request: AnyRequest,
    rollcall: Injected[Rollcall],
    subscription_id: FromPath[UUID],
    email: FromPath[str],
    q: Search = "",
    after: After = None,
) -> Page:
    """Show who holds a licence, and in which groups they are."""
    key = email_in_path(request, email)
    try:
        row = find_licence(rollcall, subscription_id, key)
    except NotFound:
        return gone(request, rollcall, subscription_id, "users", "user")
    behind = decode_after(after, tuple[str, UUID])
    with rollcall.views() as rows:
        found = directory.groups_of_user(
            rows, subscription_id, key, search=checked_text(q), after=behind, limit=A_PAGE + 1
        )
        total = directory.group_counts(rows, subscription_id, [key]).get(key, 0)
        imports = import_list.find_imports(rows, [each.import_id for each in found if each.import_id])
    return page(
        request,
        rollcall,
        "user.html",
        of=subscription_id,
        section="users",
        row=row,
        total=total,
        imports=imports,
        found=found[:A_PAGE],
        following=place(found[A_PAGE - 1]) if len(found) > A_PAGE else None,
        paged=after is not None,
        q=q,
    )


# --- forms ----------------------------------------------------------------------------------------------------------


@post(LICENCES, sync_to_thread=True, opt=ADMINISTRATORS)
def allocate(
    request: AnyRequest, rollcall: Injected[Rollcall], form: Injected[Form], subscription_id: FromPath[UUID]
) -> Page:
    """Allocate one licence."""
    entered = {name: form.text(name, "") for name in ("email", "first_name", "last_name")}
    asked = request_key(request, form.text("key"), subscription_id, json.encode(entered))
    whence = origin_of(request, subscription_id)
    try:
        user = user_of(_new_user(entered))
        done = licensing.allocate_licences(rollcall, whence, [user], asked)
    except Refused as error:
        return _users_page(request, rollcall, subscription_id, refusal=Refusal(error, **entered))
    told = urlencode({"held" if done.already_allocated and not done.repeated else "allocated": user.email})
    where = f"/subscriptions/{subscription_id}/users?{told}"
    return seen(request, rollcall, subscription_id, done, where)


def _new_user(entered: dict[str, str]) -> NewUser:
    """Return whom a form names; raises Invalid for what the page lets nobody enter."""
    try:
        return convert(entered | {"email": entered["email"] or " "}, NewUser)
    except ValidationError as error:
        raise Invalid(reason=f"The form is not as the page made it: {error}.", field="email") from error


@post(f"{LICENCES}/revoke", sync_to_thread=True, opt=ADMINISTRATORS)
def revoke(
    request: AnyRequest, rollcall: Injected[Rollcall], form: Injected[Form], subscription_id: FromPath[UUID]
) -> Page:
    """Revoke a licence; the user leaves every group. One that is revoked already is fine, and told of."""
    email = email_key(form.text("email"))
    done = licensing.revoke_licences(rollcall, origin_of(request, subscription_id), [email])
    told = urlencode({"revoked" if done.emails else "without": email})
    where = f"/subscriptions/{subscription_id}/users?{told}"
    return seen(request, rollcall, subscription_id, done, where)


ROUTES = (list_users, show_user, allocate, revoke)
