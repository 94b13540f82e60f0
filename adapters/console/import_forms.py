"""The forms of an import's page: add the groups, stop, continue, finish, discard."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from uuid import UUID

from litestar import post
from litestar.concurrency import sync_to_thread
from litestar.params import FromPath

from adapters.composition import Rollcall
from adapters.console.forms import Form, answer_form
from adapters.console.import_page import refused_page
from adapters.console.imports import IMPORT
from adapters.console.page_query import DEFAULT_QUERY, PageQuery
from adapters.console.pages import Page
from adapters.http.file_reader import FileReader
from adapters.http.lookups import find_import
from adapters.http.requests import AnyRequest, Injected, origin_of
from adapters.http.security import ADMINISTRATORS
from adapters.http.stored_files import read_again
from application import committing, importing
from application.decisions import CommandResult
from application.records import Origin
from domain.errors import Refused


def answer_import_form(
    request: AnyRequest,
    rollcall: Rollcall,
    subscription_id: UUID,
    import_id: UUID,
    command: Callable[[Origin], CommandResult],
    query: PageQuery = DEFAULT_QUERY,
    *,
    group: int = 0,
    name: str | None = None,
    seen: str = "",
    entered: Mapping[str, str] | None = None,
    edited: int = 0,
) -> Page:
    """Run a form's command and redirect to the import's page, at the group that the form was for.

    `edited` is the version that the command has edited, so that the page can offer to take that back.
    """
    told = "&".join(filter(None, (query.encoded(), f"edited={edited}" if edited else "")))
    page = f"/subscriptions/{subscription_id}/imports/{import_id}?{told}".removesuffix("?")

    def refused(error: Refused) -> Page:
        row = find_import(rollcall, subscription_id, import_id)
        return refused_page(request, rollcall, row, query, error, group, name, seen, entered)

    return answer_form(
        request,
        rollcall,
        subscription_id,
        lambda: command(origin_of(request, subscription_id, import_id)),
        lambda _: f"{page}#group-{group}" if group else page,
        refused,
    )


@post(f"{IMPORT}/encoding", opt=ADMINISTRATORS)
async def choose_encoding(
    request: AnyRequest,
    rollcall: Injected[Rollcall],
    file_reader: Injected[FileReader],
    form: Injected[Form],
    subscription_id: FromPath[UUID],
    import_id: FromPath[UUID],
) -> Page:
    """Read the file again in another encoding."""
    row = await sync_to_thread(find_import, rollcall, subscription_id, import_id)
    chosen, version = form.field("encoding"), form.version()
    origin = await sync_to_thread(origin_of, request, subscription_id, import_id)
    outcome: CommandResult | Refused
    try:
        outcome = await read_again(rollcall, file_reader, origin, row, chosen, version)
    except Refused as refusal:
        outcome = refusal

    def command(_: Origin) -> CommandResult:
        if isinstance(outcome, Refused):
            raise outcome
        return outcome

    return await sync_to_thread(answer_import_form, request, rollcall, subscription_id, import_id, command)


@post(f"{IMPORT}/commit", sync_to_thread=True, opt=ADMINISTRATORS)
def commit(
    request: AnyRequest,
    rollcall: Injected[Rollcall],
    form: Injected[Form],
    subscription_id: FromPath[UUID],
    import_id: FromPath[UUID],
) -> Page:
    """Add the reviewed groups, or continue after a stop, if the plan is still the one that was shown."""
    version, digest, seen = form.version(), form.field("plan", ""), form.field("seen", "")

    def command(origin: Origin) -> CommandResult:
        return committing.start_commit(rollcall, origin, version, digest or None)

    return answer_import_form(request, rollcall, subscription_id, import_id, command, seen=seen)


@post(f"{IMPORT}/stop", sync_to_thread=True, opt=ADMINISTRATORS)
def stop(
    request: AnyRequest, rollcall: Injected[Rollcall], subscription_id: FromPath[UUID], import_id: FromPath[UUID]
) -> Page:
    """Stop adding groups, or undoing the import."""
    command = partial(committing.stop, rollcall)
    return answer_import_form(request, rollcall, subscription_id, import_id, command)


@post(f"{IMPORT}/discard", sync_to_thread=True, opt=ADMINISTRATORS)
def discard(
    request: AnyRequest,
    rollcall: Injected[Rollcall],
    form: Injected[Form],
    subscription_id: FromPath[UUID],
    import_id: FromPath[UUID],
) -> Page:
    """Discard an import that has added nothing."""
    version = form.version()

    def command(origin: Origin) -> CommandResult:
        return importing.discard(rollcall, origin, version)

    return answer_import_form(request, rollcall, subscription_id, import_id, command)


@post(f"{IMPORT}/close", sync_to_thread=True, opt=ADMINISTRATORS)
def close(
    request: AnyRequest,
    rollcall: Injected[Rollcall],
    form: Injected[Form],
    subscription_id: FromPath[UUID],
    import_id: FromPath[UUID],
) -> Page:
    """Finish a stopped import."""
    version = form.version()

    def command(origin: Origin) -> CommandResult:
        return importing.close(rollcall, origin, version)

    return answer_import_form(request, rollcall, subscription_id, import_id, command)


ROUTES = (choose_encoding, commit, stop, discard, close)
