"""The form of a review that allocates licences to the users of its file: to all without one, a group's, or one."""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import UUID

from litestar import post
from litestar.params import FromPath

from adapters.composition import Rollcall
from adapters.console.forms import Form, answer_form
from adapters.console.import_page import refused_page
from adapters.console.imports import IMPORT
from adapters.console.page_query import parse_number, parse_query
from adapters.console.pages import Page
from adapters.http.lookups import find_import, open_roster
from adapters.http.requests import AnyRequest, Injected, origin_of
from adapters.http.security import ADMINISTRATORS
from application.licensing import allocate_licences
from domain.addresses import email_key
from projections.reports.unlicensed import unlicensed_of

if TYPE_CHECKING:
    from application.licensing import AllocationResult
    from domain.errors import Refused


@post(f"{IMPORT}/licences", sync_to_thread=True, opt=ADMINISTRATORS)
def license_users(
    request: AnyRequest,
    rollcall: Injected[Rollcall],
    form: Injected[Form],
    subscription_id: FromPath[UUID],
    import_id: FromPath[UUID],
) -> Page:
    """Allocate licences, and return to the place in the review that the form was in."""
    row = find_import(rollcall, subscription_id, import_id)
    email, group = form.field("email", ""), parse_number(form.field("group", ""))
    query = parse_query(form.field("query", ""))

    def command() -> AllocationResult:
        with rollcall.views() as cursor:
            unlicensed = unlicensed_of(cursor, subscription_id, import_id, open_roster(rollcall, cursor, row))
            users = unlicensed.chosen([email_key(email)] if email else None, group or None)
        return allocate_licences(rollcall, origin_of(request, subscription_id, import_id), users)

    def following(effect: AllocationResult) -> str:
        page = f"/subscriptions/{subscription_id}/imports/{import_id}"
        return f"{page}?{query.encoded(licensed=effect.allocated or '0')}"

    def refused(error: Refused) -> Page:
        return refused_page(request, rollcall, row, query, error, 0, None)

    return answer_form(request, rollcall, subscription_id, command, following, refused)


ROUTES = (license_users,)
