"""The groups of a subscription: the list, and the form that creates one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from uuid import UUID

from litestar import post
from litestar.params import FromPath

from adapters.composition import Rollcall
from adapters.console.addresses import require_addresses, split_addresses, unusable_addresses
from adapters.console.forms import Form, NoticeCount, Refusal, answer_form
from adapters.console.pages import Page, listing, page
from adapters.http.paging import After, Search, decode_after
from adapters.http.reads import read
from adapters.http.requests import AnyRequest, Injected, checked_text, created_id, origin_of
from adapters.http.security import ADMINISTRATORS, READERS
from application import grouping
from domain.naming import group_key
from projections.directory import read as directory
from projections.import_list import read as import_list

if TYPE_CHECKING:
    from application.decisions import CommandResult
    from domain.errors import Refused
    from projections.directory.read import GroupRow

GROUPS = "/subscriptions/{subscription_id:uuid}/groups"
A_PAGE = 100
ADDRESSES_BYTES = 1_000_000  # about 30,000 addresses


@read(GROUPS, opt=READERS)
def list_groups(
    request: AnyRequest,
    rollcall: Injected[Rollcall],
    subscription_id: FromPath[UUID],
    q: Search = "",
    after: After = None,
    deleted: NoticeCount = 0,
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
    behind = decode_after(after, tuple[str, UUID])
    with rollcall.views() as rows:
        found = directory.groups(rows, subscription_id, search=q, after=behind, limit=A_PAGE + 1)
        context: dict[str, Any] = {
            "total": directory.count_groups(rows, subscription_id),
            "running": import_list.running_imports(rows, subscription_id),
            "imports": import_list.find_imports(rows, [row.import_id for row in found if row.import_id]),
        }
    return page(
        request,
        rollcall,
        "groups.html",
        subscription_id=subscription_id,
        section="groups",
        status=refusal.status if refusal else 200,
        q=q,
        refusal=refusal,
        deleted=deleted,
        own_address=f"/subscriptions/{subscription_id}/groups" if deleted or refusal else "",
        key=rollcall.new_id(),
        **listing(found, A_PAGE, after, group_position),
        **context,
    )


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
