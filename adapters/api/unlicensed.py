"""The users of an import's file without a licence: list them, download them as a licence file, allocate licences."""

from __future__ import annotations

from array import array
from typing import TYPE_CHECKING, Annotated, Literal
from uuid import UUID

from litestar import Response, get, post
from litestar.params import FromPath, JSONBody
from litestar.response import Stream
from msgspec import Meta, Struct, json

from adapters.api.imports import IMPORT
from adapters.api.licences import AllocatedDocument, allocated_document
from adapters.composition import Rollcall
from adapters.csv_text import csv_pieces
from adapters.http.downloads import note_download
from adapters.http.lookups import find_import, open_roster
from adapters.http.paging import After, Limit, decode_after, document_list, list_response
from adapters.http.problems import accepted_response, responses
from adapters.http.reads import read
from adapters.http.requests import (
    AnyRequest,
    IdempotencyKey,
    Injected,
    changed,
    etag,
    origin_of,
    request_key,
    sent_path,
)
from adapters.http.security import ADMINISTRATORS, READERS
from adapters.http.validation import MANY_BYTES
from application.licensing import allocate_licences
from domain.addresses import email_key
from domain.files.licence_file import HEADER
from projections.reports.unlicensed import UnlicensedUser, unlicensed_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from projections.import_list.read import ImportRow

UNLICENSED = f"{IMPORT}/unlicensed"
USERS_AT_ONCE = 5_000


class UnlicensedChoice(Struct, forbid_unknown_fields=True, frozen=True):
    """Which of the users without a licence get one, and of which group of the file, by its number, if not of any."""

    emails: Literal["all"] | Annotated[list[str], Meta(max_length=250_000)] = "all"
    group: Annotated[int, Meta(ge=1)] | None = None


@read(UNLICENSED, responses=responses("not-found"), opt=READERS)
def list_unlicensed(
    request: AnyRequest,
    rollcall: Injected[Rollcall],
    subscription_id: FromPath[UUID],
    import_id: FromPath[UUID],
    limit: Limit = 100,
    after: After = None,
) -> Response[list[UnlicensedUser]]:
    """List the users whom an import leaves out because they have no licence, in the order of the file.

    `licensed_as` is the address that is probably meant, if one with a licence differs in its apostrophe only.
    """
    row = find_import(rollcall, subscription_id, import_id)
    start = decode_after(after, int)
    with rollcall.views() as cursor:
        unlicensed = unlicensed_of(cursor, subscription_id, import_id, open_roster(rollcall, cursor, row))
        found = unlicensed.page(after=0 if start is None else start + 1, limit=limit + 1)
    page = list_response(request, found, limit, lambda each: each[0], etag(row.version))
    return document_list(page, lambda each: each[1])


@get(  # it may take long, so it isn't a `read`, of which only a few run at once
    f"{UNLICENSED}.csv",
    media_type="text/csv",
    sync_to_thread=True,
    responses=responses("not-found"),
    opt=READERS,
)
def download_unlicensed(
    request: AnyRequest, rollcall: Injected[Rollcall], subscription_id: FromPath[UUID], import_id: FromPath[UUID]
) -> Stream:
    """Download these users as a licence file, which you can complete and then allocate licences by."""
    row = find_import(rollcall, subscription_id, import_id)
    with rollcall.views() as cursor:
        unlicensed = unlicensed_of(cursor, subscription_id, import_id, open_roster(rollcall, cursor, row))
        users = array("I", unlicensed.users())
    name = f"unlicensed-{import_id}.csv"
    note_download(request, rollcall, subscription_id, "unlicensed", name, import_id=import_id)
    return Stream(
        csv_pieces(HEADER, _rows(rollcall, row, users)),
        media_type="text/csv",
        headers={"Content-Disposition": f'attachment; filename="{name}"'},
    )


def _rows(rollcall: Rollcall, row: ImportRow, users: array[int]) -> Iterator[tuple[str, str, str]]:
    for start in range(0, len(users), USERS_AT_ONCE):
        with rollcall.views() as cursor:
            unlicensed = unlicensed_of(cursor, row.subscription_id, row.id, open_roster(rollcall, cursor, row))
            people = unlicensed.people(users[start : start + USERS_AT_ONCE])
        yield from ((each.email, each.first_name, each.last_name) for each in people)


@post(
    UNLICENSED,
    sync_to_thread=True,
    status_code=200,
    responses=accepted_response(AllocatedDocument) | responses("not-found", "seats-exceeded", "key-reused"),
    request_max_body_size=MANY_BYTES,
    opt=ADMINISTRATORS,
)
def license_users(
    request: AnyRequest,
    rollcall: Injected[Rollcall],
    subscription_id: FromPath[UUID],
    import_id: FromPath[UUID],
    data: JSONBody[UnlicensedChoice],
    idempotency_key: IdempotencyKey = None,
) -> Response[AllocatedDocument]:
    """Allocate licences to the users of an import without one: to all, to those of a group, or to those you name.

    If there aren't enough seats for all of them, no licences are allocated.
    """
    emails = None if isinstance(data.emails, str) else list(map(email_key, data.emails))
    row = find_import(rollcall, subscription_id, import_id)
    with rollcall.views() as cursor:
        unlicensed = unlicensed_of(cursor, subscription_id, import_id, open_roster(rollcall, cursor, row))
        users = unlicensed.chosen(emails, data.group)
    key = request_key(request, idempotency_key, subscription_id, json.encode(data))
    done = allocate_licences(rollcall, origin_of(request, subscription_id, import_id), users, key)
    return changed(allocated_document(done, []), sent_path(request), readable=done.readable)


ROUTES = (list_unlicensed, download_unlicensed, license_users)
