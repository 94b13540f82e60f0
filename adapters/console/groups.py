"""The groups of a subscription: the list, and the form that creates one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from uuid import UUID

from litestar import post
from litestar.params import FromPath

from adapters.as_of import views_then
from adapters.composition import Rollcall
from adapters.console.addresses import require_addresses, split_addresses, unusable_addresses
from adapters.console.as_of import AtPart, as_of
from adapters.console.forms import Form, NoticeCount, Refusal, answer_form
from adapters.console.list_queries import SIZE_CHOICES, SORTS, GroupsQuery, Part, SincePart, UntilPart
from adapters.console.pages import Before, Page, listing, page
from adapters.http.paging import After, Search, decode_after
from adapters.http.reads import read
from adapters.http.requests import AnyRequest, Injected, created_id, origin_of
from adapters.http.security import ADMINISTRATORS, READERS
from application import grouping
from domain.naming import group_key
from projections.directory import read as directory
from projections.import_list import read as import_list
from projections.reports.group_list import group_list, kind_of_place, place

if TYPE_CHECKING:
    from application.decisions import CommandResult
    from domain.errors import Refused
    from projections.directory.read import GroupRow
    from projections.import_list.read import ImportRow
    from projections.view import ViewCursor

GROUPS = "/subscriptions/{subscription_id:uuid}/groups"
A_PAGE = 65  # so that a page with checkboxes, and something that runs, stays below 100 kB
SOURCES = 30
ALL = GroupsQuery()
ADDRESSES_BYTES = 1_000_000  # about 30,000 addresses


@read(GROUPS, opt=READERS)
def list_groups(
    request: AnyRequest,
    rollcall: Injected[Rollcall],
    subscription_id: FromPath[UUID],
    q: Search = "",
    size: Part = "",
    import_id: Part = "",
    since: SincePart = "",
    until: UntilPart = "",
    sort: Part = "",
    at: AtPart = "",
    after: After = None,
    before: Before = 0,
    deleted: NoticeCount = 0,
    kept: NoticeCount = 0,
    not_done: NoticeCount = 0,
) -> Page:
    """List the groups, with a notice of how many a form deleted, kept because they had changed, and didn't get to."""
    query, counts = GroupsQuery(q, size, import_id, since, until, sort, at), (deleted, kept, not_done)
    return _groups_page(request, rollcall, subscription_id, query, after, before=before, counts=counts)


def _groups_page(
    request: AnyRequest,
    rollcall: Rollcall,
    subscription_id: UUID,
    query: GroupsQuery = ALL,
    after: str | None = None,
    refusal: Refusal | None = None,
    *,
    before: int = 0,
    counts: tuple[int, int, int] = (0, 0, 0),
) -> Page:
    deleted, kept, not_done = counts
    wanted, sort = query.filter(), query.order()
    behind, then = decode_after(after, kind_of_place(sort)), as_of(rollcall, query.at)
    with views_then(rollcall, subscription_id, then.at) as rows:
        found = group_list(rows, subscription_id, wanted, sort, after=behind, limit=A_PAGE + 1)
        total = directory.count_groups(rows, subscription_id)
        context: dict[str, Any] = {
            "total": total,
            "sources": _sources(rows, subscription_id, wanted.import_id),
            "imports": import_list.find_imports(rows, [row.import_id for row in found if row.import_id]),
        }
    return page(
        request,
        rollcall,
        "groups.html",
        subscription_id=subscription_id,
        section="groups",
        status=refusal.status if refusal else 200,
        query=query,
        sizes=SIZE_CHOICES,
        sorts=SORTS,
        refusal=refusal,
        deleted=deleted,
        kept=kept,
        not_done=not_done,
        own_address=f"/subscriptions/{subscription_id}/groups" if any(counts) or refusal else "",
        key=rollcall.new_id(),
        **listing(found, A_PAGE, after, lambda row: place(row, sort), before, None if query.narrowed else total),
        **context,
        **then.context,
    )


def _sources(rows: ViewCursor, subscription_id: UUID, chosen: UUID | None) -> list[ImportRow]:
    """Return the imports that a filter can be chosen from: the newest, and the chosen one."""
    newest = import_list.imports(rows, subscription_id, limit=SOURCES)
    found = [each for each in newest if each.progress.groups_added or each.id == chosen]
    if chosen and all(each.id != chosen for each in found):
        older = import_list.find_import(rows, chosen)
        found += [older] if older and older.subscription_id == subscription_id else []
    return found


def group_position(row: GroupRow) -> tuple[str, UUID]:
    """Return the position of a group in a list by name."""
    return group_key(row.name), row.id


@post(GROUPS, sync_to_thread=True, opt=ADMINISTRATORS, request_max_body_size=ADDRESSES_BYTES)
def create_group(
    request: AnyRequest, rollcall: Injected[Rollcall], form: Injected[Form], subscription_id: FromPath[UUID]
) -> Page:
    """Create a group with its first users, and redirect to it."""
    name, users = form.field("name"), form.field("users", "")
    group_id = created_id(request, form.field("key"), rollcall.new_id(), subscription_id)

    def command() -> CommandResult:
        emails = require_addresses(users) if users.strip() else []
        return grouping.create_group(rollcall, origin_of(request, subscription_id), group_id, name, emails)

    def refused(error: Refused) -> Page:
        unusable = unusable_addresses(rollcall, subscription_id, split_addresses(users))
        refusal = Refusal(error, {"name": name, "users": users}, unusable=unusable)
        return _groups_page(request, rollcall, subscription_id, refusal=refusal)

    where = f"/subscriptions/{subscription_id}/groups/{group_id}"
    return answer_form(request, rollcall, subscription_id, command, lambda _: where, refused)


ROUTES = (list_groups, create_group)
