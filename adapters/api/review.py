"""The review of an import: what it would add, what is wrong with the file, and the edits."""

from __future__ import annotations

from typing import Annotated, Literal
from uuid import UUID

from litestar import Response, delete, get, patch
from litestar.params import FromPath, JSONBody, QueryParameter
from msgspec import Meta, Struct

from adapters.api.imports import IMPORT, nothing, readable_later
from adapters.composition import Rollcall
from adapters.http.lookups import find_import, open_roster
from adapters.http.paging import After, Limit, Search, cursor, page
from adapters.http.problems import responses
from adapters.http.requests import AnyRequest, Given, IfMatch, address, etag, origin, text, version
from adapters.http.security import ADMINISTRATORS, READERS
from application.importing import plan_at, remove_user, rename_group
from domain.errors import NotFound
from domain.problems import Severity
from projections.reports.problem_rows import ProblemRow, problem_codes, problem_rows
from projections.reports.reviewed_users import ReviewedUser, reviewed_users
from projections.review import read as review
from projections.review.read import ReviewedGroup

UPLOADED = 1  # the version at which a file is there and was not read yet


@get(f"{IMPORT}/groups", sync_to_thread=True, responses=responses("not-found"), opt=READERS)
def list_reviewed_groups(
    request: AnyRequest,
    rollcall: Given[Rollcall],
    subscription_id: FromPath[UUID],
    import_id: FromPath[UUID],
    q: Search = "",
    only: Annotated[Literal["problems"] | None, QueryParameter(description="Only groups that have problems.")] = None,
    version: Annotated[int | None, QueryParameter(ge=1, description="As it stood at this version.")] = None,
    limit: Limit = 100,
    after: After = None,
) -> Response[list[ReviewedGroup]]:
    """Review an import: its groups as they would be added, or as they stood at a version."""
    row = find_import(rollcall, subscription_id, import_id)
    if version is not None and version > row.version:
        raise NotFound(what="version", id=version)
    if row.read is None or version == UPLOADED:
        return page(request, [], limit, lambda group: group.number, lambda group: group, etag(version or row.version))
    plan = plan_at(rollcall, import_id, version) if version is not None else None
    wanted = review.GroupFilter(search=text(q), only_problems=only is not None, plan=plan)
    start = cursor(after, int) or 0
    with rollcall.views() as rows:
        roster = open_roster(rollcall, rows, row)
        found = review.groups(rows, subscription_id, import_id, roster, wanted, after=start, limit=limit + 1)
    return page(request, found, limit, lambda group: group.number, lambda group: group, etag(version or row.version))


@get(f"{IMPORT}/groups/{{number:int}}/users", sync_to_thread=True, responses=responses("not-found"), opt=READERS)
def list_reviewed_users(
    request: AnyRequest,
    rollcall: Given[Rollcall],
    subscription_id: FromPath[UUID],
    import_id: FromPath[UUID],
    number: FromPath[int],
    limit: Limit = 100,
    after: After = None,
) -> Response[list[ReviewedUser]]:
    """List the users of one group of an import, in the order of the file."""
    row = find_import(rollcall, subscription_id, import_id)
    start = cursor(after, int) or 0
    with rollcall.views() as rows:
        roster = open_roster(rollcall, rows, row)
        found = reviewed_users(rows, subscription_id, import_id, roster, number, after=start, limit=limit + 1)
    places = {user.email: start + place for place, user in enumerate(found, start=1)}
    return page(request, found, limit, lambda user: places[user.email], lambda user: user, etag(row.version))


@get(f"{IMPORT}/problems", sync_to_thread=True, responses=responses("not-found"), opt=READERS)
def list_problems(
    request: AnyRequest,
    rollcall: Given[Rollcall],
    subscription_id: FromPath[UUID],
    import_id: FromPath[UUID],
    code: Annotated[str | None, QueryParameter(max_length=100, description="Only problems of this code.")] = None,
    severity: Annotated[Severity | None, QueryParameter(description="Only problems as severe as this.")] = None,
    limit: Limit = 100,
    after: After = None,
) -> Response[list[ProblemRow]]:
    """List what is wrong with the file, in its order."""
    row = find_import(rollcall, subscription_id, import_id)
    codes = problem_codes(code, severity)
    start = cursor(after, int) or 0
    if row.read is None:
        ordered = [(n, p) for n, p in enumerate(row.file_problems, start=1) if p.code in codes and n > start]
    else:
        with rollcall.views() as rows:
            ordered = review.problems(rows, import_id, codes=codes, after=start, limit=limit + 1)
    headers = etag(row.version)
    return page(request, ordered, limit, lambda each: each[0], lambda each: problem_rows([each[1]])[0], headers)


# --- edit -----------------------------------------------------------------------------------------------------------


class NewName(Struct, forbid_unknown_fields=True, frozen=True):
    """What to call a group."""

    name: Annotated[str, Meta(min_length=1, max_length=255, examples=["Sales Europe"])]


EDITING = responses("not-found", "wrong-state", "stale", "version-required", "group-name-invalid")


@patch(f"{IMPORT}/groups/{{number:int}}", sync_to_thread=True, responses=EDITING, opt=ADMINISTRATORS)
def rename(
    request: AnyRequest,
    rollcall: Given[Rollcall],
    subscription_id: FromPath[UUID],
    import_id: FromPath[UUID],
    number: FromPath[int],
    data: JSONBody[NewName],
    if_match: IfMatch = None,
) -> Response[ReviewedGroup | None]:
    """Rename a group in this import."""
    whence, seen = origin(request, subscription_id, import_id), version(if_match)
    done = rename_group(rollcall, whence, number, data.name, seen)
    if not done.readable:
        return readable_later(done, subscription_id)
    row = find_import(rollcall, subscription_id, import_id)
    with rollcall.views() as rows:
        (group,) = review.groups(
            rows, subscription_id, import_id, open_roster(rollcall, rows, row), after=number - 1, limit=1
        )
    return Response(group, headers=etag(done.version))


@delete(
    f"{IMPORT}/groups/{{number:int}}/users/{{email:path}}", sync_to_thread=True, responses=EDITING, opt=ADMINISTRATORS
)
def remove(
    request: AnyRequest,
    rollcall: Given[Rollcall],
    subscription_id: FromPath[UUID],
    import_id: FromPath[UUID],
    number: FromPath[int],
    email: FromPath[str],
    if_match: IfMatch = None,
) -> Response[None]:
    """Remove a user from a group of this import."""
    whence, seen = origin(request, subscription_id, import_id), version(if_match)
    done = remove_user(rollcall, whence, number, address(request, email), seen)
    return readable_later(done, subscription_id) if not done.readable else nothing(done)


ROUTES = (list_reviewed_groups, list_reviewed_users, list_problems, rename, remove)
