"""The page of an import as it stood at one of its versions, with what that version changed, and a slider to others."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Annotated, Any, TypeAlias, get_args
from urllib.parse import urlencode
from uuid import UUID

from litestar.params import FromPath, QueryParameter
from msgspec import Struct, structs

from adapters.composition import Rollcall
from adapters.console.as_of import AtPart, as_of
from adapters.console.import_parts import A_PAGE, PLANNED, names_of
from adapters.console.imports import BASE
from adapters.console.linked_texts import licensed, linked_texts, told_by
from adapters.console.page_query import Number
from adapters.console.pages import Extent, Page, page
from adapters.http.lookups import find_import, open_roster
from adapters.http.paging import MOST, Search
from adapters.http.plans import find_plan, told_plan
from adapters.http.problems import Invalid
from adapters.http.reads import read
from adapters.http.requests import AnyRequest, Injected, checked_text
from adapters.http.reviews import group_filter
from adapters.http.security import READERS
from adapters.replays import replay_now, replay_time, replay_version
from domain.edits import Edit
from domain.errors import NotFound
from domain.naming import LONGEST_NAME
from projections.groups_added import read as groups_added
from projections.groups_added.read import GroupAddedRow
from projections.reports import history
from projections.reports.reviewed_users import reviewed_users
from projections.review import read as review

if TYPE_CHECKING:
    from collections.abc import Mapping

    from adapters.console.as_of import AsOf
    from adapters.replays import Replay
    from application.rosters import StoredRoster
    from projections.groups_added.read import GroupSkippedRow
    from projections.import_list.read import ImportRow
    from projections.reports.history import HistoryRow
    from projections.reports.import_plan import PlanDocument
    from projections.review.read import GroupFilter, ReviewedGroup
    from projections.view import ViewCursor

VersionPart: TypeAlias = Annotated[int, QueryParameter(ge=0, le=MOST, description="The version; 0 for the latest.")]
GroupNumber: TypeAlias = Annotated[int, QueryParameter(ge=0, le=2**31 - 1)]
CHANGED_SHOWN = 20


class VersionQuery(Struct, frozen=True):
    """What the page of a version shows: the version or, with `at`, a day or a time at which one stood; and its groups.

    The rest is as in `PageQuery`.
    """

    version: int = 0
    at: str = ""
    q: str = ""
    user: str = ""
    after: Number = 0
    before: Number = 0
    open: Number = 0
    users: Number = 0

    def encoded(self, **changes: object) -> str:
        """Return this as the query of an address, with changes."""
        return urlencode({name: value for name, value in {**structs.asdict(self), **changes}.items() if value})

    def step(self, version: int) -> str:
        """Return the query for another version, with the same filters."""
        return VersionQuery(version, q=self.q, user=self.user).encoded()


class VersionGroup(Struct, frozen=True):
    """A group of the file at a version: `state` is what became of it, or what would have, and `text` of its users.

    `group_id` is the group that it was added to, if that still existed.
    """

    number: int
    name: str
    name_in_file: str
    state: str
    text: str
    group_id: UUID | None = None


@read("/subscriptions/{subscription_id:uuid}/imports/{import_id:uuid}/versions", opt=READERS)
def show_version(
    request: AnyRequest,
    rollcall: Injected[Rollcall],
    subscription_id: FromPath[UUID],
    import_id: FromPath[UUID],
    version: VersionPart = 0,
    at: AtPart = "",
    q: Search = "",
    user: Annotated[str, QueryParameter(max_length=LONGEST_NAME)] = "",
    after: GroupNumber = 0,
    before: GroupNumber = 0,
    open: GroupNumber = 0,  # noqa: A002 - what the address calls it
    users: GroupNumber = 0,
) -> Page:
    """Show an import as it stood at a version, by default the latest, or at a time, and what that version changed."""
    row = find_import(rollcall, subscription_id, import_id)
    query = VersionQuery(version, at, checked_text(q), checked_text(user, "user"), after, before, open, users)
    then = as_of(rollcall, at)
    replay = _replay(rollcall, row, version, then)
    if replay is None:
        query, replay = VersionQuery(1), replay_version(rollcall, row, 1)
    found = rollcall.events.history(import_id, after=replay.row.version - 1, limit=2)
    with rollcall.views() as rows:
        (event,) = history.import_history(rows, row, found[:1])
        (text,) = linked_texts(rows, subscription_id, [told_by(found[0], event.text)], BASE)
        users_with_page = licensed(rows, subscription_id, event.change.users)
    return page(
        request,
        rollcall,
        "versions.html",
        subscription_id=subscription_id,
        section="imports",
        row=replay.row,
        last=row.version,
        path=f"/subscriptions/{subscription_id}/imports/{import_id}",
        query=query,
        then=then,
        too_early=at and not query.at,
        event=event,
        text=text,
        licensed=users_with_page,
        until=found[1].at if len(found) > 1 else None,
        changed=event.change.groups[:CHANGED_SHOWN],
        plan=_plan(replay),
        before=_plan_before(rollcall, row, event),
        **_groups(replay, query),
    )


def _replay(rollcall: Rollcall, row: ImportRow, version: int, then: AsOf) -> Replay | None:
    """Return the import as it was asked for, None if it was uploaded after that time; raises NotFound and Invalid."""
    if version and then.entered:
        raise Invalid(reason="Enter a version or a time, not both.", field="at")
    if version:
        return replay_version(rollcall, row, version)
    if then.at is None:
        return replay_now(rollcall, row)
    with suppress(NotFound):
        return replay_time(rollcall, row, then.at)
    return None


def _plan(replay: Replay) -> PlanDocument | None:
    """Return what adding the groups would have done then; None if they couldn't have been added."""
    if replay.row.state not in PLANNED:
        return None
    with replay.views() as rows:
        return told_plan(rows, replay.row, find_plan(replay.rollcall, rows, replay.row))


def _plan_before(rollcall: Rollcall, row: ImportRow, event: HistoryRow) -> PlanDocument | None:
    """Return the plan at the version before, if an edit of the review made this one."""
    if event.type not in EDITED:
        return None
    return _plan(replay_version(rollcall, row, event.version - 1))


EDITED = frozenset(edit.__name__ for edit in get_args(Edit))


# --- its groups -----------------------------------------------------------------------------------------------------


def _groups(replay: Replay, query: VersionQuery) -> dict[str, Any]:
    """Return a page of the groups as they stood, and the users of the one that is open."""
    row = replay.row
    if row.read is None:
        return {"groups": [], "following": None, "extent": None, "open_group": None}
    with replay.views() as rows:
        roster = open_roster(replay.rollcall, rows, row)
        wanted = group_filter(replay.rollcall, rows, row, roster, search=query.q, person=query.user)
        listed = _reviewed if row.state in {"reviewing", "discarded"} else _done
        found = listed(replay, rows, roster, wanted, query.after)
        total = None if query.q or query.user else row.read.groups
        return {
            "groups": found[:A_PAGE],
            "following": found[A_PAGE - 1].number if len(found) > A_PAGE else None,
            "extent": Extent(query.before, min(len(found), A_PAGE), total),
            "open_group": _open_group(rows, row, roster, query),
        }


def _reviewed(
    replay: Replay, rows: ViewCursor, roster: StoredRoster, wanted: GroupFilter, after: int
) -> list[VersionGroup]:
    """Return groups of a review: what would have happened to them."""
    row = replay.row
    found = review.groups(rows, row.subscription_id, row.id, roster, wanted, after=after, limit=A_PAGE + 1)
    return [_as_reviewed(group) for group in found]


def _as_reviewed(group: ReviewedGroup) -> VersionGroup:
    text = _counts(
        {
            "to add": group.to_add,
            "already in it": group.already_there,
            "without a licence": group.not_licensed,
            "removed": group.removed,
        }
    )
    return VersionGroup(group.number, group.name, group.name_in_file, group.outcome, text)


def _done(
    replay: Replay, rows: ViewCursor, roster: StoredRoster, wanted: GroupFilter, after: int
) -> list[VersionGroup]:
    """Return groups of an import that was adding them, or had: what became of them up to then."""
    row = replay.row
    numbers = review.numbers_of_groups(rows, row.id, roster, wanted, after=after, limit=A_PAGE + 1)
    if not numbers:
        return []
    where = (rows, row.subscription_id, row.id)
    found = groups_added.groups_done(*where, after=numbers[0] - 1, last=numbers[-1], limit=None)
    dealt_with = {each.number: each for each in found}
    names = names_of(replay.rollcall, rows, row, numbers)
    in_file = roster.names_of_groups(numbers)
    not_reached = "skipped" if row.state == "closed" else "remaining"
    return [
        _as_done(VersionGroup(number, name, in_file_name, not_reached, ""), dealt_with)
        for number, name, in_file_name in zip(numbers, names, in_file, strict=True)
    ]


def _as_done(group: VersionGroup, dealt_with: Mapping[int, GroupAddedRow | GroupSkippedRow]) -> VersionGroup:
    match dealt_with.get(group.number):
        case GroupAddedRow() as added:
            counts = {
                "added": added.users_added,
                "already in it": added.users_already_there,
                "left out (no licence)": added.left_out,
            }
            state = added.undo.outcome if added.undo else added.outcome
            exists = None if state == "deleted" else added.group_id
            return structs.replace(group, name=added.name, state=state, text=_counts(counts), group_id=exists)
        case None:
            return group
        case skipped:
            return structs.replace(group, state="skipped", text=_counts({"left out (no licence)": skipped.left_out}))


def _counts(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{count:,} {what}" for what, count in counts.items() if count)


def _open_group(rows: ViewCursor, row: ImportRow, roster: StoredRoster, query: VersionQuery) -> dict[str, Any] | None:
    if not query.open:
        return None
    where = (rows, row.subscription_id, row.id, roster)
    found = reviewed_users(*where, query.open, after=query.users, limit=A_PAGE + 1)
    return {"users": found[:A_PAGE], "following": query.users + A_PAGE if len(found) > A_PAGE else None}


ROUTES = (show_version,)
