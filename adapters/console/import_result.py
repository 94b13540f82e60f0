"""What the page of an import shows after groups were added: the result, and for each of its counts what is counted."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from adapters.console.import_parts import A_PAGE, extent_of, names_of, page_of_groups, plan_of
from adapters.console.page_query import DEFAULT_QUERY
from adapters.http.lookups import open_roster
from projections.directory import read as directory
from projections.groups_added import read as groups_added
from projections.groups_added.read import GroupAddedRow
from projections.reports.import_memberships import import_memberships
from projections.reports.review_edits import edits_of
from projections.reports.rows_not_read import rows_not_read

if TYPE_CHECKING:
    from collections.abc import Callable

    from adapters.composition import Rollcall
    from adapters.console.page_query import PageQuery, Tab
    from projections.groups_added.read import GroupFilter
    from projections.import_list.read import ImportRow
    from projections.reports.import_memberships import MembershipOutcome
    from projections.view import ViewCursor


def result(rollcall: Rollcall, row: ImportRow, query: PageQuery) -> dict[str, Any]:
    """Return what the page of an import shows after groups were added."""
    done = row.progress.groups_added + row.progress.groups_skipped
    tab = _tab(row, query)
    with rollcall.views() as rows:
        return {
            "tab": tab,
            "done": done,
            "remaining": row.progress.groups_total - done,
            **plan_of(rollcall, rows, row),
            **LISTS[tab](rollcall, rows, row, query),
            "undoable": row.state in {"completed", "closed", "stopped"} and row.progress.users_added > 0,
        }


def _tab(row: ImportRow, query: PageQuery) -> Tab:
    if query.outcome in {"skipped", "remaining"}:
        return "left"
    if query.show and query.show in LISTS:
        return query.show
    return "kept" if row.state == "undone" and row.progress.groups_kept and not query.outcome else "added"


def _added(rollcall: Rollcall, rows: ViewCursor, row: ImportRow, query: PageQuery) -> dict[str, Any]:
    """Return a page of the groups that were added, or of those that the query narrows them down to."""
    progress = row.progress
    totals: dict[GroupFilter | None, int] = {
        None: progress.groups_added,
        "created": progress.groups_created,
        "added_to": progress.groups_added_to,
        "joined": progress.groups_joined,
        "unchanged": progress.groups_unchanged,
        "users_added": progress.groups_added - progress.groups_unchanged,
        "deleted": progress.groups_deleted,
        "not_undone": progress.groups_added - progress.groups_undone,
    }
    only = None if query.outcome == "remaining" else query.outcome
    return _groups_added(rollcall, rows, row, query, only, totals.get(only))


def _kept(rollcall: Rollcall, rows: ViewCursor, row: ImportRow, query: PageQuery) -> dict[str, Any]:
    return _groups_added(rollcall, rows, row, query, "kept", row.progress.groups_kept)


def _groups_added(
    rollcall: Rollcall,
    rows: ViewCursor,
    row: ImportRow,
    query: PageQuery,
    only: GroupFilter | None,
    total: int | None,
) -> dict[str, Any]:
    wanted = groups_added.wanted("added", only)
    where = (rows, row.subscription_id, row.id)
    found = groups_added.groups_done(*where, *wanted, after=query.after, limit=A_PAGE + 1)
    following = {"after": found[A_PAGE - 1].number, "users": 0} if len(found) > A_PAGE else None
    shown = found[:A_PAGE]
    extent = extent_of(query, found, total)
    names = _names_in_file(rollcall, rows, row, [group.number for group in shown])
    ids = {group.group_id for group in shown if isinstance(group, GroupAddedRow)}
    exist = directory.groups_among(rows, row.subscription_id, ids)
    return {"added": shown, "following": following, "extent": extent, "names_in_file": names, "exist": exist}


OF_USERS: dict[str | None, MembershipOutcome] = {
    "users_added": "added",
    "already_there": "already_there",
    "left_out": "left_out",
    "users_removed": "removed",
}
"""What became of the users whom the query narrows the memberships down to."""


def _memberships(rollcall: Rollcall, rows: ViewCursor, row: ImportRow, query: PageQuery) -> dict[str, Any]:
    """Return a page of the memberships. It begins in the group `after`, of whose users `users` came before."""
    progress, only = row.progress, OF_USERS.get(query.outcome)
    totals: dict[MembershipOutcome | None, int] = {
        None: progress.users_added + progress.users_already_there + progress.users_left_out,
        "added": progress.users_added,
        "already_there": progress.users_already_there,
        "left_out": progress.users_left_out,
        "removed": progress.users_removed,
    }
    roster, place = open_roster(rollcall, rows, row), (query.after, query.users)
    found = import_memberships(rows, row, roster, only, after=place, limit=A_PAGE + 1)
    following = dict(zip(("after", "users"), found[A_PAGE - 1][0], strict=True)) if len(found) > A_PAGE else None
    shown = [each for _, each in found[:A_PAGE]]
    exist = directory.groups_among(rows, row.subscription_id, {each.group_id for each in shown if each.group_id})
    extent = extent_of(query, found, totals[only])
    return {"memberships": shown, "following": following, "extent": extent, "exist": exist}


def _not_added(rollcall: Rollcall, rows: ViewCursor, row: ImportRow, query: PageQuery) -> dict[str, Any]:
    """Return a page of the groups that weren't added, with number, name and reason; those that remain have none."""
    progress, only = row.progress, query.outcome
    where = (rows, row.subscription_id, row.id)
    skipped = [] if only == "remaining" else groups_added.groups_skipped(*where, after=query.after, limit=A_PAGE + 1)
    names = names_of(rollcall, rows, row, [group.number for group in skipped])
    found: list[tuple[int, str, str | None]] = [
        (group.number, name, group.reason) for group, name in zip(skipped, names, strict=True)
    ]
    done = progress.groups_added + progress.groups_skipped
    if done < progress.groups_total and len(found) <= A_PAGE and only != "skipped":
        remaining, _ = page_of_groups(rollcall, rows, row, DEFAULT_QUERY, max(done, query.after))
        found += [(group.number, group.name, None) for group in remaining]
    following = {"after": found[A_PAGE - 1][0], "users": 0} if len(found) > A_PAGE else None
    remaining_groups = 0 if only == "skipped" else progress.groups_total - done
    total = remaining_groups + (0 if only == "remaining" else progress.groups_skipped)
    in_file = _names_in_file(rollcall, rows, row, [number for number, _, _ in found[:A_PAGE]])
    extent = extent_of(query, found, total)
    return {"not_added": found[:A_PAGE], "following": following, "extent": extent, "names_in_file": in_file}


def _left_out(rollcall: Rollcall, rows: ViewCursor, row: ImportRow, query: PageQuery) -> dict[str, Any]:
    """Return a page of the users who were left out for want of a licence, each with the name of their group.

    A page begins in the group `after`, of whose users `users` came before.
    """
    found = groups_added.page_of_left_out(rows, row.id, query.after, query.users, limit=A_PAGE + 1)
    numbers = sorted({number for number, _ in found[:A_PAGE]})
    names = dict(zip(numbers, names_of(rollcall, rows, row, numbers), strict=True))
    following = None
    if len(found) > A_PAGE:
        last = found[A_PAGE - 1][0]
        before = query.users if last == query.after else 0
        following = {"after": last, "users": before + sum(number == last for number, _ in found[:A_PAGE])}
    extent = extent_of(query, found, row.progress.users_left_out)
    shown = [(names[number], email) for number, email in found[:A_PAGE]]
    return {"users_left_out": shown, "following": following, "extent": extent}


def _not_read(rollcall: Rollcall, rows: ViewCursor, row: ImportRow, query: PageQuery) -> dict[str, Any]:
    """Return a page of the rows of the file with something that couldn't be read."""
    roster, plan = open_roster(rollcall, rows, row), edits_of(rows, row.id)
    found = rows_not_read(roster, plan, after=query.after, limit=A_PAGE + 1)
    following = {"after": found[A_PAGE - 1].line, "users": 0} if len(found) > A_PAGE else None
    extent = extent_of(query, found, row.counts.rows_not_read)
    return {"rows_not_read": found[:A_PAGE], "following": following, "extent": extent}


def _names_in_file(rollcall: Rollcall, rows: ViewCursor, row: ImportRow, numbers: list[int]) -> dict[int, str]:
    names = open_roster(rollcall, rows, row).names_of_groups(numbers)
    return dict(zip(numbers, names, strict=True))


LISTS: dict[Tab, Callable[[Rollcall, ViewCursor, ImportRow, PageQuery], dict[str, Any]]] = {
    "added": _added,
    "memberships": _memberships,
    "kept": _kept,
    "left": _not_added,
    "unlicensed": _left_out,
    "unread": _not_read,
}
"""What each tab lists."""
