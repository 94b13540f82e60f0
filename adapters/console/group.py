"""A group's page, and its forms: rename it, add and remove users, delete it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from itertools import chain
from typing import Annotated, NamedTuple
from urllib.parse import urlencode
from uuid import UUID

from litestar import post
from litestar.params import FromPath, QueryParameter
from msgspec import json

from adapters.as_of import views_then
from adapters.composition import Rollcall
from adapters.console.addresses import require_addresses, split_addresses, unusable_addresses
from adapters.console.as_of import AtPart, as_of
from adapters.console.forms import NOTHING_ENTERED, E, Form, NoticeCount, Refusal, answer_form
from adapters.console.groups import A_PAGE, ADDRESSES_BYTES, GROUPS
from adapters.console.linked_texts import licensed, users_of
from adapters.console.pages import Before, Page, Version, listing, not_found_page, page
from adapters.http.lookups import group_records
from adapters.http.paging import After, Search, decode_after
from adapters.http.reads import read
from adapters.http.requests import AnyRequest, Injected, checked_text, origin_of, request_key
from adapters.http.security import ADMINISTRATORS, READERS
from application import grouping
from application.decisions import CommandResult
from application.records import Origin
from domain.addresses import email_key
from domain.errors import NotFound, Refused
from domain.group import GroupDeleted
from projections.directory import read as directory
from projections.import_list import read as import_list
from projections.reports.history import group_history_row
from projections.reports.provenance import provenance

GROUP = f"{GROUPS}/{{group_id:uuid}}"


class GroupPlace(NamedTuple):
    """Which of the group's users its page shows: those with a text in address or name, and where the page begins.

    They are shown as of a day or time, `at`, if there is one.
    """

    q: str = ""
    after: str | None = None
    before: int = 0
    at: str = ""


FIRST = GroupPlace()


class Counts(NamedTuple):
    """What a notice counts: users who were added, who already were there, who were removed, and who were not."""

    added: int = 0
    already_there: int = 0
    removed: int = 0
    not_removed: int = 0


NO_COUNTS = Counts()

Edit = Annotated[bool, QueryParameter(description="Whether to show the form that renames the group.")]


@read(GROUP, opt=READERS)
def show_group(
    request: AnyRequest,
    rollcall: Injected[Rollcall],
    subscription_id: FromPath[UUID],
    group_id: FromPath[UUID],
    q: Search = "",
    at: AtPart = "",
    after: After = None,
    before: Before = 0,
    edit: Edit = False,
    added: NoticeCount = 0,
    there: NoticeCount = 0,
    removed: NoticeCount = 0,
    not_done: NoticeCount = 0,
) -> Page:
    """Show a group and its users, with a notice of how many a form added, or removed."""
    counts = Counts(added, there, removed, not_done)
    place = GroupPlace(checked_text(q), after, before, at)
    return _group_page(request, rollcall, subscription_id, group_id, place, edit=edit, counts=counts)


def _group_page(
    request: AnyRequest,
    rollcall: Rollcall,
    subscription_id: UUID,
    group_id: UUID,
    place: GroupPlace = FIRST,
    refusal: Refusal | None = None,
    *,
    edit: bool = False,
    counts: Counts = NO_COUNTS,
) -> Page:
    behind, then = decode_after(place.after, str) or "", as_of(rollcall, place.at)
    with views_then(rollcall, subscription_id, then.at) as rows:
        row = directory.find_group(rows, subscription_id, group_id)
        if row is None:
            return not_found_page(request, rollcall, subscription_id, "groups", "group", then.text if then.at else "")
        found = directory.users_of_group(
            rows, subscription_id, group_id, search=place.q, after=behind, limit=A_PAGE + 1
        )
        shown = {(group_id, user.email): user.since for user in found}
        added = provenance(rows, subscription_id, rollcall.rosters, shown)
        created_by = import_list.find_import(rows, row.import_id) if row.import_id else None
    path = f"/subscriptions/{subscription_id}/groups/{group_id}"
    return page(
        request,
        rollcall,
        "group.html",
        subscription_id=subscription_id,
        section="groups",
        status=refusal.status if refusal else 200,
        row=row,
        created_by=created_by,
        path=path,
        here=path if refusal else "",
        own_address=path if refusal or any(counts) else "",
        place=place,
        q=place.q,
        edit=edit,
        came={email: each for (_, email), each in added.items()},
        added=counts.added,
        already_there=counts.already_there,
        removed=counts.removed,
        left=counts.not_removed,
        refusal=refusal,
        key=rollcall.new_id(),
        **listing(found, A_PAGE, place.after, lambda row: row.email, place.before, None if place.q else row.users),
        **then.context,
    )


@read(f"{GROUP}/history", opt=READERS)
def show_group_history(
    request: AnyRequest,
    rollcall: Injected[Rollcall],
    subscription_id: FromPath[UUID],
    group_id: FromPath[UUID],
    after: Version = 0,
) -> Page:
    """Show what happened to a group, oldest first, also if it was deleted."""
    try:
        found = group_records(rollcall, subscription_id, group_id, after=after, limit=A_PAGE + 1)
    except NotFound:
        return not_found_page(request, rollcall, subscription_id, "groups", "group")
    events = list(map(group_history_row, found[:A_PAGE]))
    with rollcall.views() as rows:
        row = directory.find_group(rows, subscription_id, group_id)
        imports = import_list.find_imports(rows, [each.import_id for each in events if each.import_id])
        users = licensed(rows, subscription_id, chain.from_iterable(map(users_of, events)))
    return page(
        request,
        rollcall,
        "group-history.html",
        subscription_id=subscription_id,
        section="groups",
        name=row.name if row else name_of_deleted(rollcall, group_id),
        exists=row is not None,
        group_id=group_id,
        events=events,
        licensed=users,
        imports=imports,
        following=found[A_PAGE - 1].originator_version if len(found) > A_PAGE else None,
        paged=after > 0,
    )


def name_of_deleted(rollcall: Rollcall, group_id: UUID) -> str:
    """Return the last name of a group that was deleted."""
    last = rollcall.events.versions([group_id]).get(group_id, 0)
    for record in rollcall.events.history(group_id, after=last - 1, limit=1):
        if isinstance(record.event, GroupDeleted):
            return record.event.name
    return "Group"


# --- its forms ------------------------------------------------------------------------------------------------------


def _no_query(_effect: object) -> str:
    return ""


def _answer(
    request: AnyRequest,
    rollcall: Rollcall,
    subscription_id: UUID,
    group_id: UUID,
    form: str,
    command: Callable[[Origin], E],
    entered: Mapping[str, str] = NOTHING_ENTERED,
    query: Callable[[E], str] = _no_query,
) -> Page:
    """Run a form's command and redirect to the group's page, with a query that depends on the effect."""
    path = f"/subscriptions/{subscription_id}/groups/{group_id}"

    def refused(error: Refused) -> Page:
        unusable = unusable_addresses(rollcall, subscription_id, split_addresses(entered.get("users", "")))
        refusal = Refusal(error, entered, form, unusable)
        return _group_page(request, rollcall, subscription_id, group_id, refusal=refusal, edit=form == "rename")

    try:
        return answer_form(
            request,
            rollcall,
            subscription_id,
            lambda: command(origin_of(request, subscription_id)),
            lambda effect: f"{path}?{query(effect)}".removesuffix("?"),
            refused,
        )
    except NotFound:
        return not_found_page(request, rollcall, subscription_id, "groups", "group")


@post(f"{GROUP}/rename", sync_to_thread=True, opt=ADMINISTRATORS)
def rename(
    request: AnyRequest,
    rollcall: Injected[Rollcall],
    form: Injected[Form],
    subscription_id: FromPath[UUID],
    group_id: FromPath[UUID],
) -> Page:
    """Rename the group, unless its name changed since the page was loaded."""
    name, was = form.field("name"), form.field("was")

    def command(origin: Origin) -> CommandResult:
        return grouping.rename_group(rollcall, origin, group_id, name, was)

    return _answer(request, rollcall, subscription_id, group_id, "rename", command, {"name": name})


@post(f"{GROUP}/add", sync_to_thread=True, opt=ADMINISTRATORS, request_max_body_size=ADDRESSES_BYTES)
def add(
    request: AnyRequest,
    rollcall: Injected[Rollcall],
    form: Injected[Form],
    subscription_id: FromPath[UUID],
    group_id: FromPath[UUID],
) -> Page:
    """Add users to the group or, if one of them can't be added, none. Show who can't be added, and why."""
    users = form.field("users")
    idempotency_key = request_key(request, form.field("key"), subscription_id, json.encode(split_addresses(users)))
    return _answer(
        request,
        rollcall,
        subscription_id,
        group_id,
        "add",
        lambda origin: grouping.add_users(rollcall, origin, group_id, require_addresses(users), idempotency_key),
        {"users": users},
        lambda effect: urlencode({"added": len(effect.added), "there": len(effect.already_there)}),
    )


@post(f"{GROUP}/remove", sync_to_thread=True, opt=ADMINISTRATORS)
def remove(
    request: AnyRequest,
    rollcall: Injected[Rollcall],
    form: Injected[Form],
    subscription_id: FromPath[UUID],
    group_id: FromPath[UUID],
) -> Page:
    """Remove a user from the group, and redirect to the same page of its users."""
    email = email_key(form.field("email"))
    place = {name: form.field(name, "") for name in ("q", "after", "before")}
    query = urlencode({name: value for name, value in place.items() if value})

    def command(origin: Origin) -> CommandResult:
        return grouping.remove_users(rollcall, origin, group_id, [email])

    return _answer(request, rollcall, subscription_id, group_id, "remove", command, query=lambda _: query)


@post(f"{GROUP}/delete", sync_to_thread=True, opt=ADMINISTRATORS)
def delete(
    request: AnyRequest,
    rollcall: Injected[Rollcall],
    form: Injected[Form],
    subscription_id: FromPath[UUID],
    group_id: FromPath[UUID],
) -> Page:
    """Delete the group, unless its name changed since the page was loaded. A group that is gone already is fine."""
    was = form.field("was")

    def command() -> CommandResult | None:
        with suppress(NotFound):
            return grouping.delete_group(rollcall, origin_of(request, subscription_id), group_id, was)
        return None

    def refused(error: Refused) -> Page:
        return _group_page(request, rollcall, subscription_id, group_id, refusal=Refusal(error, form="delete"))

    where = f"/subscriptions/{subscription_id}/groups?deleted=1"
    return answer_form(request, rollcall, subscription_id, command, lambda _: where, refused)


ROUTES = (show_group, show_group_history, rename, add, remove, delete)
