"""Undo an import: what that would do, and the start. It is stopped and followed like a commit."""

from __future__ import annotations

from uuid import UUID

from litestar import Response, get, post
from litestar.params import FromPath
from msgspec import Struct

from adapters.api.imports import IMPORT, shown_import
from adapters.composition import Rollcall
from adapters.http.lookups import find_import
from adapters.http.paging import After, Limit, decode_after, encode_after, next_link
from adapters.http.problems import responses
from adapters.http.requests import AnyRequest, IfMatch, Injected, at_expected_version, etag, origin_of
from adapters.http.security import ADMINISTRATORS, READERS
from application.undoing import start_undo
from projections.groups_added.read import LaterChange
from projections.import_list.read import ImportDocument
from projections.reports.undo_plan import KeptGroup, undo_plan


class KeptGroupDocument(Struct, frozen=True):
    """A group in which an undo keeps something, because others have changed it since the import; the latest changes.

    `users_removed` are removed nevertheless. `users_kept` were added by the import and stay.
    """

    number: int
    group_id: UUID
    name: str
    users_removed: int
    users_kept: int
    changes: int
    changed_by: list[LaterChange]


class UndoDocument(Struct, frozen=True):
    """What an undo would do: delete groups, remove users from others (`groups_reduced`), keep what others have changed.

    `users_removed` counts users once per group, those of deleted groups included.
    """

    groups_deleted: int
    groups_reduced: int
    users_removed: int
    groups_kept: int
    kept: list[KeptGroupDocument]


@get(f"{IMPORT}/undo", sync_to_thread=True, responses=responses("not-found", "wrong-state"), opt=READERS)
def show_undo(
    request: AnyRequest,
    rollcall: Injected[Rollcall],
    subscription_id: FromPath[UUID],
    import_id: FromPath[UUID],
    limit: Limit = 100,
    after: After = None,
) -> Response[UndoDocument]:
    """Show what an undo would do now, or what is left of one that was stopped. The kept groups come in pages.

    Send the `ETag` as `If-Match` when you undo the import.
    """
    find_import(rollcall, subscription_id, import_id)
    plan = undo_plan(rollcall.events, import_id, after=decode_after(after, int) or 0, limit=limit + 1)
    kept = plan.kept[:limit]
    headers = etag(plan.version)
    if len(plan.kept) > limit:
        headers = {**headers, "Link": next_link(request, encode_after(kept[-1].number))}
    counts = plan.groups_deleted, plan.groups_reduced, plan.users_removed, plan.groups_kept
    return Response(UndoDocument(*counts, list(map(_document, kept))), headers=headers)


def _document(kept: KeptGroup) -> KeptGroupDocument:
    undo = kept.undo
    counts = undo.users_removed, undo.users_kept, undo.changes
    return KeptGroupDocument(kept.number, kept.group_id, kept.name, *counts, list(undo.changed_by))


@post(
    f"{IMPORT}/undo",
    sync_to_thread=True,
    status_code=202,
    responses=responses("not-found", "wrong-state", "nothing-to-undo", "stale", "version-required"),
    opt=ADMINISTRATORS,
)
def undo(
    request: AnyRequest,
    rollcall: Injected[Rollcall],
    subscription_id: FromPath[UUID],
    import_id: FromPath[UUID],
    if_match: IfMatch = None,
) -> Response[ImportDocument]:
    """Undo a completed, closed or stopped import, or continue an undo after a stop. A worker does it in the background.

    Groups that the import created are deleted, and users whom it added to other groups are removed, except where others
    have changed that since. Licences stay.
    """
    origin = origin_of(request, subscription_id, import_id)
    done = at_expected_version(if_match, lambda version: start_undo(rollcall, origin, version))
    return shown_import(done, status=202, readable=False)


ROUTES = (show_undo, undo)
