"""Forms that change many things at once: delete groups, remove users from a group, revoke licences.

The first time such a form is sent, the page says what would happen and asks. That page sends it again, with the digest
of what it said.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, TypeVar
from urllib.parse import parse_qsl, urlencode
from uuid import UUID

from litestar import post
from litestar.params import FromPath
from msgspec import ValidationError, convert

from adapters.composition import Rollcall
from adapters.console.forms import RELOAD, Form, redirect_when_readable
from adapters.console.group import GROUP
from adapters.console.groups import GROUPS
from adapters.console.list_queries import GroupsQuery, id_of
from adapters.console.pages import Page, not_found_page, page
from adapters.console.users import LICENCES, UsersPlace
from adapters.http.lookups import find_group
from adapters.http.problems import Invalid
from adapters.http.requests import AnyRequest, Injected, checked_text, origin_of
from adapters.http.security import ADMINISTRATORS
from application import changing_many
from domain.errors import NotFound
from projections.reports import selections

if TYPE_CHECKING:
    from collections.abc import Callable

    from application.changing_many import ManyResult
    from application.records import Origin
    from projections.reports.selections import Selection


T = TypeVar("T")


class Question(NamedTuple):
    """What a page asks before it changes many things: its title, the button, where to go back, and the section."""

    title: str
    action: str
    back: str
    section: str
    notice: str
    """The name of the count that the page shows that follows."""


@post(f"{GROUPS}/delete", sync_to_thread=True, opt=ADMINISTRATORS)
def delete_groups(
    request: AnyRequest, rollcall: Injected[Rollcall], form: Injected[Form], subscription_id: FromPath[UUID]
) -> Page:
    """Ask, and then delete the groups that were selected, or all that match the filters."""
    query = _query(form, GroupsQuery)
    with rollcall.views() as rows:
        if form.field("all", ""):
            found = selections.groups_that_match(rows, subscription_id, query.filter())
        else:
            ids = [each for text in form.fields("pick") if (each := id_of(text, "pick"))]
            found = selections.groups_by_id(rows, subscription_id, ids)
    back = f"/subscriptions/{subscription_id}/groups"
    question = Question("Delete these groups?", "Delete groups", back, "groups", "deleted")
    return _answer(
        request,
        rollcall,
        subscription_id,
        form,
        question,
        found,
        lambda origin: changing_many.delete_groups(rollcall, origin, found.versions),
    )


@post(f"{LICENCES}/revoke-many", sync_to_thread=True, opt=ADMINISTRATORS)
def revoke_licences(
    request: AnyRequest, rollcall: Injected[Rollcall], form: Injected[Form], subscription_id: FromPath[UUID]
) -> Page:
    """Ask, and then revoke the licences of the users who were selected, or of all who match the filters."""
    place = _query(form, UsersPlace)
    with rollcall.views() as rows:
        if form.field("all", ""):
            found = selections.licences_that_match(rows, subscription_id, checked_text(place.q), place.only)
        else:
            found = selections.licences_by_address(rows, subscription_id, form.fields("pick"))
    back = f"/subscriptions/{subscription_id}/users"
    question = Question("Revoke these licences?", "Revoke licences", back, "users", "revoked_many")
    return _answer(
        request,
        rollcall,
        subscription_id,
        form,
        question,
        found,
        lambda origin: changing_many.revoke_licences(rollcall, origin, [*found.keys]),
    )


@post(f"{GROUP}/remove-many", sync_to_thread=True, opt=ADMINISTRATORS)
def remove_users(
    request: AnyRequest,
    rollcall: Injected[Rollcall],
    form: Injected[Form],
    subscription_id: FromPath[UUID],
    group_id: FromPath[UUID],
) -> Page:
    """Ask, and then remove the users who were selected, or all whom a search finds, from a group."""
    try:
        row = find_group(rollcall, subscription_id, group_id)
    except NotFound:
        return not_found_page(request, rollcall, subscription_id, "groups", "group")
    with rollcall.views() as rows:
        if form.field("all", ""):
            found = selections.members_that_match(rows, subscription_id, group_id, form.field("q", ""))
        else:
            found = selections.members_by_address(rows, subscription_id, group_id, form.fields("pick"))
    back = f"/subscriptions/{subscription_id}/groups/{group_id}"
    question = Question(f"Remove these users from “{row.name}”?", "Remove users", back, "groups", "removed")
    return _answer(
        request,
        rollcall,
        subscription_id,
        form,
        question,
        found,
        lambda origin: changing_many.remove_users(rollcall, origin, group_id, [*found.keys]),
    )


def _answer(
    request: AnyRequest,
    rollcall: Rollcall,
    subscription_id: UUID,
    form: Form,
    question: Question,
    found: Selection,
    command: Callable[[Origin], ManyResult],
) -> Page:
    """Do what was selected if the form has the digest of what the page said; otherwise say it, and ask."""
    said = form.field("digest", "")
    if said and said == found.digest and found.keys:
        result = command(origin_of(request, subscription_id))
        counts = {question.notice: result.done, "not_done": result.not_done, "kept": len(result.kept)}
        where = urlencode({name: count for name, count in counts.items() if count or name == question.notice})
        return redirect_when_readable(request, rollcall, subscription_id, result, f"{question.back}?{where}")
    return page(
        request,
        rollcall,
        "many.html",
        subscription_id=subscription_id,
        section=question.section,
        status=412 if said else 200,
        question=question,
        path=request.url.path,
        found=found,
        changed=bool(said),
        everything=form.field("all", ""),
        query=form.field("query", ""),
        q=form.field("q", ""),
        picked=form.fields("pick"),
        own_address=question.back,
    )


def _query(form: Form, kind: type[T]) -> T:
    try:
        return convert(dict(parse_qsl(form.field("query", ""))), kind, strict=False)
    except ValidationError as error:
        raise Invalid(reason=f"The form’s query is invalid. {RELOAD}", field="query") from error


ROUTES = (delete_groups, revoke_licences, remove_users)
