"""A user's page: the groups that they are in, and forms to add them to a group and to remove them from one."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Annotated, NamedTuple
from urllib.parse import urlencode
from uuid import UUID

from litestar import post
from litestar.params import FromPath, QueryParameter

from adapters.as_of import views_then
from adapters.composition import Rollcall
from adapters.console.as_of import AtPart, as_of
from adapters.console.filters import in_path
from adapters.console.forms import Form, Refusal, answer_form, redirect_when_readable
from adapters.console.groups import group_position
from adapters.console.list_queries import id_of
from adapters.console.pages import Before, Page, listing, not_found_page, page
from adapters.console.users import USERS
from adapters.http.lookups import find_group
from adapters.http.paging import After, Search, decode_after
from adapters.http.reads import read
from adapters.http.requests import AnyRequest, Injected, checked_text, email_in_path, origin_of
from adapters.http.security import ADMINISTRATORS, READERS
from application import grouping
from domain.addresses import email_key
from domain.errors import NotFound, Refused
from domain.naming import group_key, printable
from projections.directory import read as directory
from projections.reports.provenance import provenance

if TYPE_CHECKING:
    from application.decisions import CommandResult
    from application.grouping import JoinResult


NoticeName = Annotated[str, QueryParameter(description="The name of a group to tell in a notice.", max_length=255)]


A_PAGE = 40  # so that a page that says where each membership is from stays below 100 kB


class JoinNotice(NamedTuple):
    """The name of the group that a notice is about: the user joined it, was in it already, or left it."""

    joined: str = ""
    was_in: str = ""
    left: str = ""


NOBODY_JOINED = JoinNotice()


class NoSuchGroup(Refused):
    """There is no group called “{name}”. Enter the name of a group in this subscription."""

    code = "group-name-invalid"


@read(f"{USERS}/{{email:path}}", opt=READERS)
def show_user(
    request: AnyRequest,
    rollcall: Injected[Rollcall],
    subscription_id: FromPath[UUID],
    email: FromPath[str],
    q: Search = "",
    at: AtPart = "",
    after: After = None,
    before: Before = 0,
    joined: NoticeName = "",
    was_in: NoticeName = "",
    left: NoticeName = "",
) -> Page:
    """Show a user and their groups, with a notice of the group that they joined, left, or were in already."""
    notice = JoinNotice(*map(checked_text, (joined, was_in, left)))
    place = (checked_text(q), after, before, at)
    return _user_page(request, rollcall, subscription_id, email_in_path(request, email), place, notice=notice)


def _user_page(
    request: AnyRequest,
    rollcall: Rollcall,
    subscription_id: UUID,
    key: str,
    place: tuple[str, str | None, int, str] = ("", None, 0, ""),
    refusal: Refusal | None = None,
    *,
    notice: JoinNotice = NOBODY_JOINED,
) -> Page:
    q, after, before, at = place
    here = f"/subscriptions/{subscription_id}/users/{in_path(key)}"
    behind, then = decode_after(after, tuple[str, UUID]), as_of(rollcall, at)
    with views_then(rollcall, subscription_id, then.at) as rows:
        row = directory.find_licence(rows, subscription_id, key)
        if row is None:
            return not_found_page(request, rollcall, subscription_id, "users", "user", then.text if then.at else "")
        found = directory.groups_of_user(rows, subscription_id, key, search=q, after=behind, limit=A_PAGE + 1)
        total = directory.group_counts(rows, subscription_id, [key]).get(key, 0)
        joined = {(each.id, key): each.since for each in found}
        added = provenance(rows, subscription_id, rollcall.rosters, joined)
    return page(
        request,
        rollcall,
        "user.html",
        subscription_id=subscription_id,
        section="users",
        status=refusal.status if refusal else 200,
        here=here,
        own_address=here if refusal or notice != NOBODY_JOINED else "",
        refusal=refusal,
        notice=notice,
        row=row,
        total=total,
        imports={},
        came={group: each for (group, _), each in added.items()},
        **listing(found, A_PAGE, after, group_position, before, None if q else total),
        q=q,
        **then.context,
    )


# --- forms ----------------------------------------------------------------------------------------------------------


@post(f"{USERS}/join", sync_to_thread=True, opt=ADMINISTRATORS)
def join_group(
    request: AnyRequest, rollcall: Injected[Rollcall], form: Injected[Form], subscription_id: FromPath[UUID]
) -> Page:
    """Add a user to the group with a name."""
    email, name = email_key(form.field("email")), form.field("name")

    def command() -> JoinResult:
        key = group_key(name)
        group_id = rollcall.events.held(subscription_id, "group-name", [key]).get(key)
        if group_id is None:
            raise NoSuchGroup(name=printable(name))
        return grouping.add_users(rollcall, origin_of(request, subscription_id), group_id, [email])

    def following(effect: JoinResult) -> str:
        return f"{_user_path(subscription_id, email)}?{urlencode({'joined' if effect.added else 'was_in': name})}"

    def refused(error: Refused) -> Page:
        return _user_page(request, rollcall, subscription_id, email, refusal=Refusal(error, {"name": name}))

    return answer_form(request, rollcall, subscription_id, command, following, refused)


@post(f"{USERS}/leave", sync_to_thread=True, opt=ADMINISTRATORS)
def leave_group(
    request: AnyRequest, rollcall: Injected[Rollcall], form: Injected[Form], subscription_id: FromPath[UUID]
) -> Page:
    """Remove a user from a group. One that they aren't in, or that is gone, is fine."""
    email, group_id = email_key(form.field("email")), id_of(form.field("group"), "group") or UUID(int=0)
    effect: CommandResult | None = None
    name = ""
    with suppress(NotFound):
        name = find_group(rollcall, subscription_id, group_id).name
        effect = grouping.remove_users(rollcall, origin_of(request, subscription_id), group_id, [email])
    where = f"{_user_path(subscription_id, email)}?{urlencode({'left': name})}"
    return redirect_when_readable(request, rollcall, subscription_id, effect, where)


def _user_path(subscription_id: UUID, email: str) -> str:
    return f"/subscriptions/{subscription_id}/users/{in_path(email)}"


ROUTES = (show_user, join_group, leave_group)
