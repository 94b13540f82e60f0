"""The memberships of an import's result, one by one. Its groups are listed in `imports`."""

from __future__ import annotations

from typing import Annotated, TypeAlias
from uuid import UUID

from litestar import Response
from litestar.params import FromPath, QueryParameter

from adapters.api.imports import IMPORT
from adapters.composition import Rollcall
from adapters.http.lookups import open_roster
from adapters.http.paging import After, Limit, decode_after, document_list, list_response
from adapters.http.problems import responses
from adapters.http.reads import read
from adapters.http.requests import AnyRequest, Injected
from adapters.http.security import READERS
from adapters.http.then import At, Version, find_replay
from projections.reports.import_memberships import ImportMembership, MembershipOutcome, import_memberships

OfOutcome: TypeAlias = Annotated[
    MembershipOutcome | None,
    QueryParameter(description="Only users of whom this became. By default all but `removed`, who were added before."),
]


@read(f"{IMPORT}/memberships", responses=responses("not-found"), opt=READERS)
def list_memberships(
    request: AnyRequest,
    rollcall: Injected[Rollcall],
    subscription_id: FromPath[UUID],
    import_id: FromPath[UUID],
    outcome: OfOutcome = None,
    limit: Limit = 100,
    after: After = None,
    version: Version = None,
    at: At = None,
) -> Response[list[ImportMembership]]:
    """List what became of the users of an import's file: in which group, and where in the file that is said.

    Each count of the import's `progress` has its list: `?outcome=added` has `users_added`, `already_there` has
    `users_already_there`, `left_out` those without a licence (`users_left_out`), and `removed` those whom an undo
    removed again (`users_removed`). They come group by group, in the order of the file. With `version` or `at`, it is
    the result of then.
    """
    replay = find_replay(rollcall, subscription_id, import_id, version, at)
    row, start = replay.row, decode_after(after, tuple[int, int]) or (0, 0)
    with replay.result() as cursor:
        found = []
        if row.read is not None:
            roster = open_roster(rollcall, cursor, row)
            found = import_memberships(cursor, row, roster, outcome, after=start, limit=limit + 1)
    return document_list(list_response(request, found, limit, lambda each: each[0]), lambda each: each[1])


ROUTES = (list_memberships,)
