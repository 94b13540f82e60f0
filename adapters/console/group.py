"""A group's page, and its forms: rename, add and remove users, delete."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated
from urllib.parse import urlencode
from uuid import UUID

from litestar import get, post
from litestar.params import FromPath, QueryParameter
from msgspec import json

from adapters.composition import Rollcall
from adapters.console.groups import A_PAGE, GROUPS, PASTED_BYTES, Refusal, addresses, named, unfit
from adapters.console.pages import Form, Page, Told, gone, page, see, seen
from adapters.http.lookups import find_group
from adapters.http.paging import After, Search, decode_after, encode_after
from adapters.http.problem_kinds import KINDS
from adapters.http.requests import AnyRequest, Injected, checked_text, origin_of, request_key
from adapters.http.security import ADMINISTRATORS, READERS
from application import grouping
from application.decisions import CommandResult
from application.records import Origin
from domain.errors import NotFound, Refused
from domain.naming import email_key
from projections.directory import read as directory
from projections.import_list import read as import_list

GROUP = f"{GROUPS}/{{group_id:uuid}}"

Edit = Annotated[bool, QueryParameter(description="Whether the name is being changed.")]


@get(GROUP, sync_to_thread=True, opt=READERS)
def show_group(
    request: AnyRequest,
    rollcall: Injected[Rollcall],
    subscription_id: FromPath[UUID],
    group_id: FromPath[UUID],
    q: Search = "",
    after: After = None,
    edit: Edit = False,
    added: Told = 0,
    there: Told = 0,
) -> Page:
    """Show a group and its users; `added` and `there` tell how many just joined it, and how many were in it before."""
    return _group_page(
        request, rollcall, subscription_id, group_id, checked_text(q), after, edit=edit, joined=(added, there)
    )


def _group_page(
    request: AnyRequest,
    rollcall: Rollcall,
    subscription_id: UUID,
    group_id: UUID,
    q: str = "",
    after: str | None = None,
    refusal: Refusal | None = None,
    *,
    edit: bool = False,
    joined: tuple[int, int] = (0, 0),
) -> Page:
    try:
        row = find_group(rollcall, subscription_id, group_id)
    except NotFound:
        return gone(request, rollcall, subscription_id, "groups", "group")
    with rollcall.views() as rows:
        behind = decode_after(after, str) or ""
        found = directory.users_of_group(rows, subscription_id, group_id, search=q, after=behind, limit=A_PAGE + 1)
        created_by = import_list.find_import(rows, row.import_id) if row.import_id else None
    path = f"/subscriptions/{subscription_id}/groups/{group_id}"
    return page(
        request,
        rollcall,
        "group.html",
        of=subscription_id,
        section="groups",
        status=KINDS[refusal.error.code].status if refusal else 200,
        row=row,
        created_by=created_by,
        path=path,
        here=path if refusal else "",  # a form's address is not the page's
        found=found[:A_PAGE],
        following=encode_after(found[A_PAGE - 1].email) if len(found) > A_PAGE else None,
        after=after or "",
        paged=after is not None,
        q=q,
        edit=edit,
        joined=joined,
        refusal=refusal,
        key=rollcall.new_id(),
    )


# --- its forms ------------------------------------------------------------------------------------------------------


def _do(
    request: AnyRequest,
    rollcall: Rollcall,
    subscription_id: UUID,
    group_id: UUID,
    what: Callable[[Origin], CommandResult],
    *,
    back: str = "",
    entered: str | None = None,
) -> Page:
    """Do what a form asks for and go on to the group's page; or say there why not, beside what was entered."""
    try:
        done = what(origin_of(request, subscription_id))
    except NotFound:
        return gone(request, rollcall, subscription_id, "groups", "group")
    except Refused as error:
        refusal = Refusal(error, entered or "")
        return _group_page(request, rollcall, subscription_id, group_id, refusal=refusal, edit=entered is not None)
    return seen(request, rollcall, subscription_id, done, back or f"/subscriptions/{subscription_id}/groups/{group_id}")


@post(f"{GROUP}/rename", sync_to_thread=True, opt=ADMINISTRATORS)
def rename(
    request: AnyRequest,
    rollcall: Injected[Rollcall],
    form: Injected[Form],
    subscription_id: FromPath[UUID],
    group_id: FromPath[UUID],
) -> Page:
    """Rename the group, unless somebody else did while this name was entered."""
    name, was = form.text("name"), form.text("was")

    def what(whence: Origin) -> CommandResult:
        return grouping.rename_group(rollcall, whence, group_id, name, was)

    return _do(request, rollcall, subscription_id, group_id, what, entered=name)


@post(f"{GROUP}/add", sync_to_thread=True, opt=ADMINISTRATORS, request_max_body_size=PASTED_BYTES)
def add(
    request: AnyRequest,
    rollcall: Injected[Rollcall],
    form: Injected[Form],
    subscription_id: FromPath[UUID],
    group_id: FromPath[UUID],
) -> Page:
    """Add users to the group: all of them or, if one cannot be added, nobody; and say who cannot, and why."""
    users = form.text("users")
    asked = request_key(request, form.text("key"), subscription_id, json.encode(addresses(users)))
    try:
        emails = named(users)
        done = grouping.add_users(rollcall, origin_of(request, subscription_id), group_id, emails, asked)
    except NotFound:
        return gone(request, rollcall, subscription_id, "groups", "group")
    except Refused as error:
        refusal = Refusal(error, users=users, unfit=unfit(rollcall, subscription_id, addresses(users)))
        return _group_page(request, rollcall, subscription_id, group_id, refusal=refusal)
    told = urlencode({"added": len(done.added), "there": len(done.already_there)})
    where = f"/subscriptions/{subscription_id}/groups/{group_id}?{told}"
    return seen(request, rollcall, subscription_id, done, where)


@post(f"{GROUP}/remove", sync_to_thread=True, opt=ADMINISTRATORS)
def remove(
    request: AnyRequest,
    rollcall: Injected[Rollcall],
    form: Injected[Form],
    subscription_id: FromPath[UUID],
    group_id: FromPath[UUID],
) -> Page:
    """Remove a user from the group, and go back to the same page of its users."""
    email, look = form.text("email"), {"q": form.text("q", ""), "after": form.text("after", "")}
    query = urlencode({name: value for name, value in look.items() if value})

    def what(whence: Origin) -> CommandResult:
        return grouping.remove_users(rollcall, whence, group_id, [email_key(email)])

    back = f"/subscriptions/{subscription_id}/groups/{group_id}?{query}".removesuffix("?")
    return _do(request, rollcall, subscription_id, group_id, what, back=back)


@post(f"{GROUP}/delete", sync_to_thread=True, opt=ADMINISTRATORS)
def delete(
    request: AnyRequest,
    rollcall: Injected[Rollcall],
    form: Injected[Form],
    subscription_id: FromPath[UUID],
    group_id: FromPath[UUID],
) -> Page:
    """Delete the group, unless somebody else renamed it meanwhile; one that is gone already is fine."""
    was = form.text("was")
    back = f"/subscriptions/{subscription_id}/groups?deleted=1"
    try:
        done = grouping.delete_group(rollcall, origin_of(request, subscription_id), group_id, was)
    except NotFound:
        return see(back)
    except Refused as error:
        return _group_page(request, rollcall, subscription_id, group_id, refusal=Refusal(error))
    return seen(request, rollcall, subscription_id, done, back)


ROUTES = (show_group, rename, add, remove, delete)
