"""The forms that edit the review of an import, and the one that takes such an edit back."""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import UUID

from litestar import post
from litestar.params import FromPath

from adapters.composition import Rollcall
from adapters.console.forms import Form
from adapters.console.import_forms import answer_import_form
from adapters.console.imports import IMPORT
from adapters.console.page_query import parse_query
from adapters.console.pages import Page
from adapters.http.requests import AnyRequest, Injected
from adapters.http.security import ADMINISTRATORS
from application.editing import (
    Add,
    AskedEdit,
    Correct,
    LeaveOut,
    Remove,
    Rename,
    Restore,
    TakeIn,
    edit,
    take_edits_back,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from application.decisions import CommandResult
    from application.records import Origin

GROUP = f"{IMPORT}/groups/{{number:int}}"


def _answer(
    request: AnyRequest,
    rollcall: Rollcall,
    form: Form,
    subscription_id: UUID,
    import_id: UUID,
    asked: AskedEdit,
    *,
    group: int = 0,
    name: str | None = None,
    entered: Mapping[str, str] | None = None,
) -> Page:
    """Make an edit, and return to the place in the review where it was asked for, with the offer to take it back."""
    version, query = form.version(), parse_query(form.field("query", ""))

    def command(origin: Origin) -> CommandResult:
        return edit(rollcall, origin, [asked], version)

    where = (request, rollcall, subscription_id, import_id)
    return answer_import_form(*where, command, query, group=group, name=name, entered=entered, edited=version)


@post(f"{GROUP}/rename", sync_to_thread=True, opt=ADMINISTRATORS)
def rename(
    request: AnyRequest,
    rollcall: Injected[Rollcall],
    form: Injected[Form],
    subscription_id: FromPath[UUID],
    import_id: FromPath[UUID],
    number: FromPath[int],
) -> Page:
    """Rename a group in the review."""
    name = form.field("name")
    asked = Rename(number, name)
    return _answer(request, rollcall, form, subscription_id, import_id, asked, group=number, name=name)


@post(f"{GROUP}/remove", sync_to_thread=True, opt=ADMINISTRATORS)
def remove(
    request: AnyRequest,
    rollcall: Injected[Rollcall],
    form: Injected[Form],
    subscription_id: FromPath[UUID],
    import_id: FromPath[UUID],
    number: FromPath[int],
) -> Page:
    """Remove a user from a group in the review."""
    asked = Remove(number, form.field("email"))
    return _answer(request, rollcall, form, subscription_id, import_id, asked, group=number)


@post(f"{GROUP}/restore", sync_to_thread=True, opt=ADMINISTRATORS)
def restore(
    request: AnyRequest,
    rollcall: Injected[Rollcall],
    form: Injected[Form],
    subscription_id: FromPath[UUID],
    import_id: FromPath[UUID],
    number: FromPath[int],
) -> Page:
    """Put a user back who was removed from a group in the review."""
    asked = Restore(number, form.field("email"))
    return _answer(request, rollcall, form, subscription_id, import_id, asked, group=number)


@post(f"{GROUP}/add", sync_to_thread=True, opt=ADMINISTRATORS)
def add(
    request: AnyRequest,
    rollcall: Injected[Rollcall],
    form: Injected[Form],
    subscription_id: FromPath[UUID],
    import_id: FromPath[UUID],
    number: FromPath[int],
) -> Page:
    """Add a user to a group in the review."""
    asked, entered = Add(number, form.field("email")), {"email": form.field("email")}
    return _answer(request, rollcall, form, subscription_id, import_id, asked, group=number, entered=entered)


@post(f"{IMPORT}/correct", sync_to_thread=True, opt=ADMINISTRATORS)
def correct(
    request: AnyRequest,
    rollcall: Injected[Rollcall],
    form: Injected[Form],
    subscription_id: FromPath[UUID],
    import_id: FromPath[UUID],
) -> Page:
    """Put an address in place of one in the file, wherever it has that; or let the file's hold again (`reset`)."""
    old, new = form.field("old"), form.field("new")
    asked = Correct(old, None if form.field("reset", "") else new)
    entered = {"new": new, "fix": form.field("fix", "")}
    return _answer(request, rollcall, form, subscription_id, import_id, asked, entered=entered)


@post(f"{GROUP}/leave-out", sync_to_thread=True, opt=ADMINISTRATORS)
def leave_out(
    request: AnyRequest,
    rollcall: Injected[Rollcall],
    form: Injected[Form],
    subscription_id: FromPath[UUID],
    import_id: FromPath[UUID],
    number: FromPath[int],
) -> Page:
    """Leave a whole group out of what is added."""
    return _answer(request, rollcall, form, subscription_id, import_id, LeaveOut(number), group=number)


@post(f"{GROUP}/take-in", sync_to_thread=True, opt=ADMINISTRATORS)
def take_in(
    request: AnyRequest,
    rollcall: Injected[Rollcall],
    form: Injected[Form],
    subscription_id: FromPath[UUID],
    import_id: FromPath[UUID],
    number: FromPath[int],
) -> Page:
    """Take a group in again that was left out."""
    return _answer(request, rollcall, form, subscription_id, import_id, TakeIn(number), group=number)


@post(f"{IMPORT}/edits/undo", sync_to_thread=True, opt=ADMINISTRATORS)
def take_back(
    request: AnyRequest,
    rollcall: Injected[Rollcall],
    form: Injected[Form],
    subscription_id: FromPath[UUID],
    import_id: FromPath[UUID],
) -> Page:
    """Take back what was edited after a version."""
    since, version, query = form.number("since"), form.version(), parse_query(form.field("query", ""))

    def command(origin: Origin) -> CommandResult:
        return take_edits_back(rollcall, origin, since, version)

    return answer_import_form(request, rollcall, subscription_id, import_id, command, query, edited=version)


ROUTES = (rename, remove, restore, add, correct, leave_out, take_in, take_back)
