"""The users of a subscription, who are those with a licence: the groups that they are in."""

from __future__ import annotations

from uuid import UUID

from litestar import Response
from litestar.exceptions import NotFoundException
from litestar.params import FromPath

from adapters.composition import Rollcall
from adapters.http.lookups import find_subscription, licence_in
from adapters.http.paging import After, Limit, Search, decode_after, list_response
from adapters.http.problems import responses
from adapters.http.reads import read
from adapters.http.requests import AnyRequest, Injected, checked_text, email_in_path
from adapters.http.security import READERS
from adapters.http.then import At, views_at
from domain.naming import group_key
from projections.directory import read as directory
from projections.directory.read import GroupRow

ENDING = "/groups"


@read(  # an address may contain slashes, which only the last parameter of a path may
    "/subscriptions/{subscription_id:uuid}/users/{email:path}",
    responses=responses("not-found"),
    opt=READERS,
)
def list_user_groups(
    request: AnyRequest,
    rollcall: Injected[Rollcall],
    subscription_id: FromPath[UUID],
    email: FromPath[str],
    q: Search = "",
    at: At = None,
    limit: Limit = 100,
    after: After = None,
) -> Response[list[GroupRow]]:
    """List the groups of a user by name, on request those that the user was in at a time."""
    if not email.endswith(ENDING):
        raise NotFoundException
    find_subscription(rollcall, subscription_id)
    search, start, user = checked_text(q), decode_after(after, tuple[str, UUID]), email_in_path(request, email, ENDING)
    with views_at(rollcall, subscription_id, at) as cursor:
        licence_in(cursor, subscription_id, user)
        found = directory.groups_of_user(cursor, subscription_id, user, search=search, after=start, limit=limit + 1)
    return list_response(request, found, limit, lambda row: (group_key(row.name), row.id))


ROUTES = (list_user_groups,)
