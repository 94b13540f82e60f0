"""Several edits of an import in review, under one version: all of them or none."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from litestar import Response, patch
from litestar.params import FromPath, JSONBody
from msgspec import Meta, Struct

from adapters.api.imports import IMPORT, shown_import
from adapters.composition import Rollcall
from adapters.http.problems import accepted_response, responses
from adapters.http.requests import AnyRequest, IfMatch, Injected, at_expected_version, origin_of
from adapters.http.security import ADMINISTRATORS
from application.editing import AskedEdit, edit
from projections.import_list.read import ImportDocument

MOST_EDITS = 1_000


class EditsBody(Struct, forbid_unknown_fields=True, frozen=True):
    """Edits of an import in review, in this order. Groups are those of the file, by number."""

    edits: Annotated[list[AskedEdit], Meta(min_length=1, max_length=MOST_EDITS)]


@patch(
    IMPORT,
    sync_to_thread=True,
    responses=accepted_response(ImportDocument)
    | responses("not-found", "wrong-state", "stale", "version-required", "group-name-invalid", "email-invalid"),
    opt=ADMINISTRATORS,
)
def edit_import(
    request: AnyRequest,
    rollcall: Injected[Rollcall],
    subscription_id: FromPath[UUID],
    import_id: FromPath[UUID],
    data: JSONBody[EditsBody],
    if_match: IfMatch = None,
) -> Response[ImportDocument]:
    """Make several edits in the review, all of them or none: rename, remove, restore, add, correct, leave_out, take_in.

    A correction holds for every group of the file that has the address, unless you name one. If one of several edits is
    refused, `field` says which, counted from 0: `edits[0]`.
    """
    origin = origin_of(request, subscription_id, import_id)
    done = at_expected_version(if_match, lambda version: edit(rollcall, origin, data.edits, version))
    return shown_import(done, status=200)


ROUTES = (edit_import,)
