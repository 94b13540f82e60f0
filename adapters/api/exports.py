"""Exports: the groups, users and changes of a subscription as files, streamed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, cast
from uuid import UUID

from litestar import get
from litestar.exceptions import NotFoundException
from litestar.params import FromPath, QueryParameter
from litestar.response import Stream
from msgspec.structs import replace

from adapters.api.audit import ByActor, OfAddress, OfRequest, OfTypes, wanted_changes
from adapters.api.groups import GROUP
from adapters.composition import Rollcall
from adapters.exports import MEDIA_TYPES, NAMES, ExportKind, ExportName, export, export_users
from adapters.http.downloads import note_download
from adapters.http.lookups import find_group, find_subscription
from adapters.http.paging import Since, Until
from adapters.http.problems import Invalid, responses
from adapters.http.requests import AnyRequest, Injected
from adapters.http.security import READERS
from projections.reports import exports
from projections.reports.audit_filters import NO_FILTER

if TYPE_CHECKING:
    from collections.abc import Iterator

FILES = tuple(f"{name}.{kind}" for name in NAMES for kind in MEDIA_TYPES)


@get(  # it may take long, so it isn't a `read`, of which only a few run at once
    "/subscriptions/{subscription_id:uuid}/export/{file:str}",
    media_type="text/csv",
    sync_to_thread=True,
    responses=responses("not-found"),
    opt=READERS,
)
def export_file(
    request: AnyRequest,
    rollcall: Injected[Rollcall],
    subscription_id: FromPath[UUID],
    file: FromPath[str],
    actor: ByActor = None,
    type: OfTypes = None,  # noqa: A002 - the name of the parameter
    import_id: Annotated[UUID | None, QueryParameter(description="Only changes made by this import.")] = None,
    group_id: Annotated[UUID | None, QueryParameter(description="Only changes of this group.")] = None,
    email: OfAddress = None,
    request_id: OfRequest = None,
    since: Since = None,
    until: Until = None,
) -> Stream:
    """Download all groups, all users, or the audit log, as CSV or as lines of JSON.

    The two groups files are import files. If you import one again, nothing changes. A group of more than 1,000 users,
    or a user in more than 1,000 groups, has several rows. The user-based file has no groups without users.

    The parameters narrow down the audit log, as they do in its list.
    """
    stem, _, ending = file.rpartition(".")
    if file not in FILES:
        raise NotFoundException
    find_subscription(rollcall, subscription_id)
    wanted = replace(
        wanted_changes(actor, type, email, request_id, since, until), import_id=import_id, group_id=group_id
    )
    if stem != "audit" and wanted != NO_FILTER:
        raise Invalid(reason="Only the audit log has filters.", field="file")
    kind, name = cast("ExportKind", ending), cast("ExportName", stem)
    note_download(request, rollcall, subscription_id, name, file)
    pieces = export(rollcall.views, subscription_id, name, kind, wanted)
    return _file(pieces, file, kind)


@get(
    f"{GROUP}/users.csv",
    media_type="text/csv",
    sync_to_thread=True,
    responses=responses("not-found"),
    opt=READERS,
)
def export_group_users(
    request: AnyRequest, rollcall: Injected[Rollcall], subscription_id: FromPath[UUID], group_id: FromPath[UUID]
) -> Stream:
    """Download the users of a group, in the columns of a licence file."""
    find_group(rollcall, subscription_id, group_id)
    name = f"group-{group_id}.csv"
    note_download(request, rollcall, subscription_id, "group-users", name, group_id=group_id)
    users = exports.users_of_group(rollcall.views, subscription_id, group_id)
    return _file(export_users(users), name, "csv")


def _file(pieces: Iterator[bytes], name: str, kind: ExportKind) -> Stream:
    # As a header, because the framework prefers the media type of the route.
    headers = {
        "Content-Disposition": f'attachment; filename="{name}"',
        "Content-Type": f"{MEDIA_TYPES[kind]}; charset=utf-8",
    }
    return Stream(pieces, headers=headers)


ROUTES = (export_file, export_group_users)
