"""Change many things by one request: delete groups, remove users from a group, revoke licences. A plan only tells."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Annotated, TypeAlias
from uuid import UUID

from litestar import Response, post
from litestar.params import FromPath, JSONBody, QueryParameter
from msgspec import Meta, Struct

from adapters.api.groups import GROUP, GROUPS, MOST_USERS, Email
from adapters.composition import Rollcall
from adapters.http.lookups import find_group, find_subscription
from adapters.http.problems import Invalid, accepted_response, responses
from adapters.http.requests import AnyRequest, Injected, changed, checked_text, origin_of, sent_path
from adapters.http.security import ADMINISTRATORS
from adapters.http.validation import MANY_BYTES
from application import changing_many
from application.changing_many import ManyResult
from application.records import Origin
from domain.errors import SelectionChanged
from domain.naming import LONGEST_NAME
from projections.directory.read import OnlyUsers
from projections.reports import selections
from projections.reports.group_list import GroupFilter
from projections.reports.selections import MOST, Impact, Selection, versions

OnlyTell: TypeAlias = Annotated[bool, QueryParameter(description="Only tell what would happen.")]
Digest: TypeAlias = Annotated[
    str | None, QueryParameter(max_length=64, description="The `digest` of the plan that you have seen.")
]
Most: TypeAlias = Annotated[
    int, QueryParameter(name="limit", ge=1, le=MOST, description="The most that this request changes.")
]
Text: TypeAlias = Annotated[str, Meta(max_length=LONGEST_NAME)]
Size: TypeAlias = Annotated[int, Meta(ge=0, le=MOST_USERS)]


class SelectedGroups(Struct, forbid_unknown_fields=True, frozen=True):
    """Groups: those with these ids, or those that match `q` and the other filters of the list; `q` may be empty."""

    ids: Annotated[list[UUID], Meta(max_length=MOST)] | None = None
    q: Text | None = None
    import_id: UUID | None = None
    min_users: Size | None = None
    max_users: Size | None = None


class SelectedUsers(Struct, forbid_unknown_fields=True, frozen=True):
    """Users with a licence: those with these addresses, or those that match `q` and `only`; `q` may be empty."""

    emails: Annotated[list[Email], Meta(max_length=MOST)] | None = None
    q: Text | None = None
    only: OnlyUsers | None = None


class SelectedMembers(Struct, forbid_unknown_fields=True, frozen=True):
    """Users of a group: those with these addresses, or those that match `q`, which may be empty."""

    emails: Annotated[list[Email], Meta(max_length=MOST)] | None = None
    q: Text | None = None


class ManyDocument(Struct, frozen=True):
    """What a request that changes many things does or would do.

    `text` says in words what happens to all that are selected. `users`, `groups` and `memberships` count who is
    concerned. `missing` are ids or addresses that were asked for but aren't there. `remaining` are beyond what one
    request changes: send it again with the `digest` of its answer until there are none.

    `digest` stands for what is selected and, in an answer that isn't a plan, for what is left of it. `done` says how
    many were changed, and is null in a plan. `not_done` were not, because others kept changing them. `kept` are groups
    that were not deleted, because they changed since the plan.
    """

    text: str
    users: int
    groups: int
    memberships: int
    missing: list[str]
    remaining: int
    digest: str
    done: int | None = None
    not_done: int = 0
    kept: tuple[UUID, ...] = ()


REFUSALS = responses("not-found", "plan-changed")


@post(
    f"{GROUPS}/delete",
    sync_to_thread=True,
    status_code=200,
    responses=accepted_response(ManyDocument) | REFUSALS,
    request_max_body_size=MANY_BYTES,
    opt=ADMINISTRATORS,
)
def delete_groups(
    request: AnyRequest,
    rollcall: Injected[Rollcall],
    subscription_id: FromPath[UUID],
    data: JSONBody[SelectedGroups],
    plan: OnlyTell = False,
    digest: Digest = None,
    most: Most = MOST,
) -> Response[ManyDocument]:
    """Delete many groups. With `plan`, only tell what would happen; with its `digest`, do just that.

    One request deletes 10,000 at most; send it again with the `digest` of its answer for the rest. Users keep their
    licences. If you get no answer, ask for the plan again: what was deleted is no longer in it.
    """
    _require_one(data.ids, data.q, "ids")
    find_subscription(rollcall, subscription_id)
    wanted = GroupFilter(checked_text(data.q or ""), data.import_id, data.min_users, data.max_users)
    with rollcall.views() as cursor:
        if data.ids is not None:
            found = selections.groups_by_id(cursor, subscription_id, data.ids)
        else:
            found = selections.groups_that_match(cursor, subscription_id, wanted)
        told = found.impact(cursor, subscription_id)

    def delete(origin: Origin, keys: Mapping[str, int]) -> ManyResult:
        return changing_many.delete_groups(rollcall, origin, versions(keys))

    return _answer(request, subscription_id, found, told, None if plan else delete, digest, most)


@post(
    "/subscriptions/{subscription_id:uuid}/licences/revoke",
    sync_to_thread=True,
    status_code=200,
    responses=accepted_response(ManyDocument) | REFUSALS,
    request_max_body_size=MANY_BYTES,
    opt=ADMINISTRATORS,
)
def revoke_licences(
    request: AnyRequest,
    rollcall: Injected[Rollcall],
    subscription_id: FromPath[UUID],
    data: JSONBody[SelectedUsers],
    plan: OnlyTell = False,
    digest: Digest = None,
    most: Most = MOST,
) -> Response[ManyDocument]:
    """Revoke many licences. With `plan`, only tell what would happen; with its `digest`, do just that.

    The seats become free, and the users leave every group in the subscription. One request revokes 10,000 at most; send
    it again with the `digest` of its answer for the rest. If you get no answer, ask for the plan again.
    """
    _require_one(data.emails, data.q, "emails")
    find_subscription(rollcall, subscription_id)
    with rollcall.views() as cursor:
        if data.emails is not None:
            emails = [checked_text(email, "emails") for email in data.emails]
            found = selections.licences_by_address(cursor, subscription_id, emails)
        else:
            found = selections.licences_that_match(cursor, subscription_id, checked_text(data.q or ""), data.only)
        told = found.impact(cursor, subscription_id)

    def revoke(origin: Origin, keys: Mapping[str, int]) -> ManyResult:
        return changing_many.revoke_licences(rollcall, origin, [*keys])

    return _answer(request, subscription_id, found, told, None if plan else revoke, digest, most)


@post(
    f"{GROUP}/users/remove",
    sync_to_thread=True,
    status_code=200,
    responses=accepted_response(ManyDocument) | REFUSALS,
    request_max_body_size=MANY_BYTES,
    opt=ADMINISTRATORS,
)
def remove_group_users(
    request: AnyRequest,
    rollcall: Injected[Rollcall],
    subscription_id: FromPath[UUID],
    group_id: FromPath[UUID],
    data: JSONBody[SelectedMembers],
    plan: OnlyTell = False,
    digest: Digest = None,
    most: Most = MOST,
) -> Response[ManyDocument]:
    """Remove many users from a group. With `plan`, only tell what would happen; with its `digest`, do just that.

    One request removes 10,000 at most; send it again with the `digest` of its answer for the rest. If you get no
    answer, ask for the plan again.
    """
    _require_one(data.emails, data.q, "emails")
    find_group(rollcall, subscription_id, group_id)
    with rollcall.views() as cursor:
        if data.emails is not None:
            emails = [checked_text(email, "emails") for email in data.emails]
            found = selections.members_by_address(cursor, subscription_id, group_id, emails)
        else:
            found = selections.members_that_match(cursor, subscription_id, group_id, checked_text(data.q or ""))
        told = found.impact(cursor, subscription_id)

    def remove(origin: Origin, keys: Mapping[str, int]) -> ManyResult:
        return changing_many.remove_users(rollcall, origin, group_id, [*keys])

    return _answer(request, subscription_id, found, told, None if plan else remove, digest, most)


def _require_one(listed: object, q: str | None, name: str) -> None:
    if (listed is None) == (q is None):
        raise Invalid(reason=f"Send either {name}, or q for those that match it. An empty q matches all.", field=name)


def _answer(
    request: AnyRequest,
    subscription_id: UUID,
    found: Selection,
    told: Impact,
    command: Callable[[Origin, Mapping[str, int]], ManyResult] | None,
    digest: str | None,
    most: int,
) -> Response[ManyDocument]:
    origin = origin_of(request, subscription_id)
    if digest is not None and digest != found.digest():
        raise SelectionChanged
    keys = found.first(most)
    remaining = len(found.keys) - len(keys)
    counts = told.text, told.users, told.groups, told.memberships
    if command is None:
        return Response(ManyDocument(*counts, found.missing, remaining, found.digest()), status_code=200)
    result = command(origin, keys)
    left = found.digest(after=len(keys) - result.not_done)
    done = ManyDocument(*counts, found.missing, remaining, left, result.done, result.not_done, result.kept)
    return changed(done, sent_path(request).rpartition("/")[0], readable=result.readable)


ROUTES = (delete_groups, revoke_licences, remove_group_users)
