"""The groups of a subscription: all of them, and a new one by hand."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any
from uuid import UUID

from litestar import get, post
from litestar.params import FromPath
from msgspec import Struct

from adapters.composition import Rollcall
from adapters.console.pages import Form, Page, Told, page, seen
from adapters.http.paging import After, Search, decode_after, encode_after
from adapters.http.problem_kinds import KINDS
from adapters.http.requests import AnyRequest, Injected, checked_text, created_id, origin_of
from adapters.http.security import ADMINISTRATORS, READERS
from application import grouping
from domain.errors import EmailInvalid, KeyReused, Refused
from domain.naming import group_key, parse_email, printable
from projections.directory import read as directory
from projections.import_list import read as import_list

if TYPE_CHECKING:
    from collections.abc import Iterable

    from projections.directory.read import GroupRow

GROUPS = "/subscriptions/{subscription_id:uuid}/groups"
A_PAGE = 100
PASTED_BYTES = 1_000_000  # some 30,000 addresses
NO_LICENCE = "No licence in this subscription."


class Unfit(Struct, frozen=True):
    """An address that cannot be added to a group, and why."""

    email: str
    why: str


class NobodyNamed(Refused):
    """Enter at least one e-mail address."""

    code = "email-invalid"


class Refusal(Struct, frozen=True):
    """Why a form was refused, what was entered in it, and which of its addresses could not be added."""

    error: Refused
    name: str = ""
    users: str = ""
    unfit: list[Unfit] = []

    @property
    def said(self) -> str:
        """What happened, and what to do."""
        if isinstance(self.error, KeyReused):
            return "This form was sent before, and did its work then. To do this as well, send it once more."
        return str(self.error)

    @property
    def of_users(self) -> bool:
        """Tell whether it is about the addresses."""
        return self.error.code in {"email-invalid", "not-licensed"}


def addresses(pasted: str) -> list[str]:
    """Return the addresses in what somebody typed or pasted: separated by spaces, commas, semicolons or lines.

    Mail programs copy `Lee, Ann <ann@example.com>`: where there are such brackets, words without an @ are names.
    """
    words = [word for word in re.split(r"[\s,;<>]+", pasted) if word]
    return [word for word in words if "@" in word] if "<" in pasted else words


def named(pasted: str) -> list[str]:
    """Return the addresses in what somebody entered; raises NobodyNamed where there is none."""
    if not (found := addresses(pasted)):
        raise NobodyNamed
    return found


def unfit(rollcall: Rollcall, subscription_id: UUID, emails: Iterable[str]) -> list[Unfit]:
    """Return which of these addresses cannot be added to a group, each with its reason, in their order."""
    reasons: dict[str, str | None] = {}
    for email in emails:
        try:
            reasons[parse_email(email)] = None
        except EmailInvalid as error:
            reasons[printable(email)] = str(error.fields["reason"])
    with rollcall.views() as rows:
        strangers = directory.unlicensed_emails(
            rows, subscription_id, [each for each, why in reasons.items() if not why]
        )
    reasons |= dict.fromkeys(strangers, NO_LICENCE)
    return [Unfit(email, why) for email, why in reasons.items() if why]


@get(GROUPS, sync_to_thread=True, opt=READERS)
def list_groups(
    request: AnyRequest,
    rollcall: Injected[Rollcall],
    subscription_id: FromPath[UUID],
    q: Search = "",
    after: After = None,
    deleted: Told = 0,
) -> Page:
    """List the groups by name."""
    return _groups_page(request, rollcall, subscription_id, checked_text(q), after, deleted=deleted)


def _groups_page(
    request: AnyRequest,
    rollcall: Rollcall,
    subscription_id: UUID,
    q: str = "",
    after: str | None = None,
    refusal: Refusal | None = None,
    *,
    deleted: int = 0,
) -> Page:
    with rollcall.views() as rows:
        found = directory.groups(
            rows, subscription_id, search=q, after=decode_after(after, tuple[str, UUID]), limit=A_PAGE + 1
        )
        context: dict[str, Any] = {
            "total": directory.count_groups(rows, subscription_id),
            "running": import_list.running_imports(rows, subscription_id),
            "imports": import_list.find_imports(rows, [each.import_id for each in found if each.import_id]),
        }
    return page(
        request,
        rollcall,
        "groups.html",
        of=subscription_id,
        section="groups",
        status=KINDS[refusal.error.code].status if refusal else 200,
        found=found[:A_PAGE],
        following=place(found[A_PAGE - 1]) if len(found) > A_PAGE else None,
        paged=after is not None,
        q=q,
        refusal=refusal,
        deleted=deleted,
        key=rollcall.new_id(),
        **context,
    )


def place(row: GroupRow) -> str:
    """Return where the page behind a group begins."""
    return encode_after((group_key(row.name), row.id))


@post(GROUPS, sync_to_thread=True, opt=ADMINISTRATORS, request_max_body_size=PASTED_BYTES)
def create_group(
    request: AnyRequest, rollcall: Injected[Rollcall], form: Injected[Form], subscription_id: FromPath[UUID]
) -> Page:
    """Create a group, with its first users, and go on to it."""
    name, users = form.text("name"), form.text("users", "")
    group_id = created_id(request, form.text("key"), rollcall.new_id(), subscription_id)
    whence = origin_of(request, subscription_id)
    try:
        emails = named(users) if users.strip() else []
        done = grouping.create_group(rollcall, whence, group_id, name, emails)
    except Refused as error:
        refusal = Refusal(error, name, users, unfit(rollcall, subscription_id, addresses(users)))
        return _groups_page(request, rollcall, subscription_id, refusal=refusal)
    return seen(request, rollcall, subscription_id, done, f"/subscriptions/{subscription_id}/groups/{group_id}")


ROUTES = (list_groups, create_group)
