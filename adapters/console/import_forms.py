"""The forms of an import's page: rename a group, remove a user, Add Groups, Stop, Continue, discard."""

from __future__ import annotations

from collections.abc import Callable
from uuid import UUID

from litestar import post
from litestar.params import FromPath

from adapters.composition import Rollcall
from adapters.console.import_page import refused
from adapters.console.imports import IMPORT
from adapters.console.page_query import ALL, Look, look_of
from adapters.console.pages import Form, Page, seen
from adapters.http.lookups import find_import
from adapters.http.requests import AnyRequest, Injected, origin_of
from adapters.http.security import ADMINISTRATORS
from application import committing, importing
from application.decisions import CommandResult
from application.records import Origin
from domain.errors import NotFound, Refused
from domain.naming import email_key


def _do(
    request: AnyRequest,
    rollcall: Rollcall,
    subscription_id: UUID,
    import_id: UUID,
    what: Callable[[Origin], CommandResult],
    look: Look = ALL,
    *,
    group: int = 0,
    entered: str | None = None,
) -> Page:
    """Do what a form asks for and go on to the import's page; or say there why not, beside what was entered."""
    try:
        done = what(origin_of(request, subscription_id, import_id))
    except NotFound:
        raise
    except Refused as error:
        row = find_import(rollcall, subscription_id, import_id)
        return refused(request, rollcall, row, look, error, group, entered)
    where = f"/subscriptions/{subscription_id}/imports/{import_id}?{look.query()}".removesuffix("?")
    if group:
        where += f"#group-{group}"
    return seen(request, rollcall, subscription_id, done, where)


@post(f"{IMPORT}/groups/{{number:int}}/rename", sync_to_thread=True, opt=ADMINISTRATORS)
def rename(
    request: AnyRequest,
    rollcall: Injected[Rollcall],
    form: Injected[Form],
    subscription_id: FromPath[UUID],
    import_id: FromPath[UUID],
    number: FromPath[int],
) -> Page:
    """Rename a group in this import."""
    name, version, look = form.text("name"), form.version(), look_of(form.text("look", ""))

    def what(whence: Origin) -> CommandResult:
        return importing.rename_group(rollcall, whence, number, name, version)

    return _do(request, rollcall, subscription_id, import_id, what, look, group=number, entered=name)


@post(f"{IMPORT}/groups/{{number:int}}/remove", sync_to_thread=True, opt=ADMINISTRATORS)
def remove(
    request: AnyRequest,
    rollcall: Injected[Rollcall],
    form: Injected[Form],
    subscription_id: FromPath[UUID],
    import_id: FromPath[UUID],
    number: FromPath[int],
) -> Page:
    """Remove a user from a group of this import."""
    email, version, look = form.text("email"), form.version(), look_of(form.text("look", ""))

    def what(whence: Origin) -> CommandResult:
        return importing.remove_user(rollcall, whence, number, email_key(email), version)

    return _do(request, rollcall, subscription_id, import_id, what, look, group=number)


@post(f"{IMPORT}/commit", sync_to_thread=True, opt=ADMINISTRATORS)
def commit(
    request: AnyRequest,
    rollcall: Injected[Rollcall],
    form: Injected[Form],
    subscription_id: FromPath[UUID],
    import_id: FromPath[UUID],
) -> Page:
    """Add the groups as they were reviewed, or go on after a stop."""
    version = form.version()

    def what(whence: Origin) -> CommandResult:
        return committing.start_commit(rollcall, whence, version)

    return _do(request, rollcall, subscription_id, import_id, what)


@post(f"{IMPORT}/stop", sync_to_thread=True, opt=ADMINISTRATORS)
def stop(
    request: AnyRequest, rollcall: Injected[Rollcall], subscription_id: FromPath[UUID], import_id: FromPath[UUID]
) -> Page:
    """Stop adding."""
    return _do(request, rollcall, subscription_id, import_id, lambda whence: committing.stop(rollcall, whence))


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

    def what(whence: Origin) -> CommandResult:
        return importing.discard(rollcall, whence, version)

    return _do(request, rollcall, subscription_id, import_id, what)


ROUTES = (rename, remove, commit, stop, discard)
