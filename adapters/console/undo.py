"""Undo an import: the page that reviews it, and its form. Progress and result are on the import's own page."""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import UUID

from litestar import get, post
from litestar.params import FromPath

from adapters.composition import Rollcall
from adapters.console.forms import Form
from adapters.console.import_forms import answer_import_form
from adapters.console.imports import IMPORT, GroupNumber
from adapters.console.pages import Page, page
from adapters.http.lookups import find_import
from adapters.http.requests import AnyRequest, Injected
from adapters.http.security import ADMINISTRATORS
from application.undoing import start_undo
from projections.reports.undo_plan import undo_plan

if TYPE_CHECKING:
    from application.decisions import CommandResult
    from application.records import Origin

A_PAGE = 50


@get(f"{IMPORT}/undo", sync_to_thread=True, opt=ADMINISTRATORS)
def review_undo(
    request: AnyRequest,
    rollcall: Injected[Rollcall],
    subscription_id: FromPath[UUID],
    import_id: FromPath[UUID],
    after: GroupNumber = 0,
) -> Page:
    """Show what an undo would do, and ask."""
    row = find_import(rollcall, subscription_id, import_id)
    plan = undo_plan(rollcall.events, import_id, after=after, limit=A_PAGE + 1)
    return page(
        request,
        rollcall,
        "undo.html",
        subscription_id=subscription_id,
        section="imports",
        row=row,
        path=f"/subscriptions/{subscription_id}/imports/{import_id}",
        refusal=None,
        plan=plan,
        kept=plan.kept[:A_PAGE],
        following=plan.kept[A_PAGE - 1].number if len(plan.kept) > A_PAGE else None,
        paged=after > 0,
    )


@post(f"{IMPORT}/undo", sync_to_thread=True, opt=ADMINISTRATORS)
def undo(
    request: AnyRequest,
    rollcall: Injected[Rollcall],
    form: Injected[Form],
    subscription_id: FromPath[UUID],
    import_id: FromPath[UUID],
) -> Page:
    """Undo an import, or continue after a stop."""
    version = form.version()

    def command(origin: Origin) -> CommandResult:
        return start_undo(rollcall, origin, version)

    return answer_import_form(request, rollcall, subscription_id, import_id, command)


ROUTES = (review_undo, undo)
