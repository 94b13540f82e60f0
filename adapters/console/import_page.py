"""The page of an import. What it shows depends on the import's state."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from msgspec import Struct, structs

from adapters.console.excerpt import BYTES, excerpt
from adapters.console.forms import Refusal
from adapters.console.page_query import DEFAULT_QUERY, PageQuery
from adapters.console.pages import Extent, Page, page
from adapters.http.lookups import open_roster
from adapters.http.plans import find_plan, told_plan
from adapters.http.reviews import group_filter
from application.choosing_encoding import EncodingChoice, encoding_choices
from domain.edits import Edit
from domain.errors import PlanChanged, Refused, Stale
from domain.files.encodings import ENCODINGS
from projections import groups_added
from projections.reports import history, plan_changes
from projections.reports.problem_rows import problem_rows
from projections.reports.review_problems import count_problems, problems, problems_of_group
from projections.reports.reviewed_users import reviewed_users
from projections.reports.sentences import sentence
from projections.reports.unlicensed import unlicensed_of
from projections.review import read as review

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sized

    from adapters.composition import Rollcall
    from adapters.http.requests import AnyRequest
    from projections.import_list.read import ImportRow, ImportState
    from projections.reports.plan_changes import PlanDifference
    from projections.review.read import ReviewedGroup
    from projections.view import ViewCursor

A_PAGE = 45  # so that a page of long names and addresses stays below 100 kB
CHANGES_SHOWN = 5
PROBLEMS_OF_A_GROUP = 20
PLANNED: frozenset[ImportState] = frozenset({"reviewing", "stopped"})


class EditsMade(Struct, frozen=True):
    """What was edited in the review after a version, and can be taken back."""

    since: int
    texts: list[str]


def import_page(
    request: AnyRequest,
    rollcall: Rollcall,
    row: ImportRow,
    query: PageQuery,
    refusal: Refusal | None = None,
    *,
    edited: int = 0,
    licensed: int | None = None,
) -> Page:
    """Return the page of an import, and on it why a form was refused, if one was.

    `edited` is the version that a form has edited; 0 if none has. `licensed` is how many licences a form has allocated,
    None if none has.
    """
    template, content = CONTENT_BY_STATE[row.state]
    path = f"/subscriptions/{row.subscription_id}/imports/{row.id}"
    return page(
        request,
        rollcall,
        template,
        subscription_id=row.subscription_id,
        section="imports",
        status=refusal.status if refusal else 200,
        row=row,
        path=path,
        here=path if refusal else "",
        own_address=path if refusal else f"{path}?{query.encoded()}" if edited or licensed is not None else "",
        query=query,
        refusal=refusal,
        licensed=licensed,
        edits_made=_edits_made(request, rollcall, row, edited) if edited else None,
        **content(rollcall, row, query),
    )


def refused_page(
    request: AnyRequest,
    rollcall: Rollcall,
    row: ImportRow,
    query: PageQuery,
    error: Refused,
    group: int,
    name: str | None,
    seen: str = "",
    entered: Mapping[str, str] | None = None,
) -> Page:
    """Return the page of an import after a form was refused.

    `name` is the group name that was entered, if one was, and `seen` what the form has kept of the plan. `entered` is
    what was entered otherwise.
    """
    fields = dict(entered or {})
    if name is not None:
        fields["name"] = name
        query = structs.replace(query, edit=group)
    if "fix" in fields:
        query = structs.replace(query, fix=fields["fix"])
    changes = _changes_since(request, rollcall, row, error) if isinstance(error, Stale) else []
    plan = _changes_of_plan(rollcall, row, seen) if isinstance(error, PlanChanged) else None
    refusal = Refusal(error, fields, changes=changes, plan=plan)
    return import_page(request, rollcall, row, query, refusal)


def _edits_made(request: AnyRequest, rollcall: Rollcall, row: ImportRow, since: int) -> EditsMade | None:
    """Return what the user has edited since a version; None if others have, too, or if it can't be taken back."""
    if row.state != "reviewing":
        return None
    records = rollcall.events.history(row.id, after=since, limit=CHANGES_SHOWN + 1)
    myself = request.scope["state"]["actor"].id
    mine = [each for each in records if isinstance(each.event, Edit) and each.origin.actor.id == myself]
    if not records or len(mine) < len(records) or len(records) > CHANGES_SHOWN:
        return None
    return EditsMade(since, [sentence(record.event) for record in records])


def _changes_since(request: AnyRequest, rollcall: Rollcall, row: ImportRow, error: Stale) -> list[str]:
    """Return what happened to an import since the version that a form was based on, up to the first CHANGES_SHOWN.

    It may be the user's own doing, in another tab.
    """
    version = int(str(error.fields["expected"]))
    changes = map(history.history_row, rollcall.events.history(row.id, after=version, limit=CHANGES_SHOWN))
    myself = request.scope["state"]["actor"].id
    return [f"{'You' if change.actor.id == myself else change.actor.name}: {change.text}" for change in changes]


def _changes_of_plan(rollcall: Rollcall, row: ImportRow, seen: str) -> PlanDifference | None:
    kept = plan_changes.decoded(seen)
    if kept is None or row.state not in PLANNED:
        return None
    with rollcall.views() as rows:
        return find_plan(rollcall, rows, row).difference(kept)


# --- by state -------------------------------------------------------------------------------------------------------


def _review(rollcall: Rollcall, row: ImportRow, query: PageQuery) -> dict[str, Any]:
    with rollcall.views() as rows:
        roster = open_roster(rollcall, rows, row)
        unlicensed = unlicensed_of(rows, row.subscription_id, row.id, roster)
        content: dict[str, Any] = {
            "problems_found": count_problems(rows, row.subscription_id, row.id, roster),
            **_plan(rollcall, rows, row),
            "unlicensed": unlicensed.count,
            "encodings": _encodings(rollcall, row),
        }
        if query.show == "problems":
            found = problems(rows, row.subscription_id, row.id, roster, after=query.after, limit=A_PAGE + 1)
            content["problems"] = problem_rows(problem for _, problem in found[:A_PAGE])
            content["fixable"] = [each.code == "email-invalid" and bool(each.groups) for _, each in found[:A_PAGE]]
            blank = [each.groups[0] if each.code == "looks-blank" and each.groups else 0 for _, each in found[:A_PAGE]]
            content |= {"blank": blank, "left_out": review.left_out(rows, row.id, blank)}
            following = found[A_PAGE - 1][0] if len(found) > A_PAGE else None
            content["extent"] = _extent(query, found, content["problems_found"])
        elif query.show == "unlicensed":
            people = unlicensed.page(after=query.after, limit=A_PAGE + 1)
            content["people"] = [each for _, each in people[:A_PAGE]]
            following = people[A_PAGE][0] if len(people) > A_PAGE else None
            content["extent"] = _extent(query, people, unlicensed.count)
        else:
            groups, following = _groups(rollcall, rows, row, query, query.after)
            total = row.read.groups if row.read and not query.narrowed else None
            content |= {
                "extent": Extent(query.before, len(groups), total),
                "groups": groups,
                "open_group": _open_group(rollcall, rows, row, query),
            }
    return content | {"following": following}


def _plan(rollcall: Rollcall, rows: ViewCursor, row: ImportRow) -> dict[str, Any]:
    """Return what adding the groups would do, and what a form keeps of that; None if they can't be added."""
    if row.state not in PLANNED:
        return {"plan": None, "seen": ""}
    found = find_plan(rollcall, rows, row)
    return {"plan": told_plan(rows, row, found), "seen": plan_changes.encoded(found.planned)}


def _encodings(rollcall: Rollcall, row: ImportRow) -> list[EncodingChoice]:
    """Return in which encodings the file could be, the one it was read in first; none if that is certain."""
    if row.state != "reviewing" or row.read is None or row.read.encoding not in ENCODINGS:
        return []
    choices = encoding_choices(rollcall, row.subscription_id, row.sha256)
    return sorted(choices, key=lambda choice: choice.encoding != row.encoding)


def _groups(
    rollcall: Rollcall, rows: ViewCursor, row: ImportRow, query: PageQuery, after: int
) -> tuple[list[ReviewedGroup], int | None]:
    """Return a page of an import's groups, and the number that the next page begins behind."""
    roster = open_roster(rollcall, rows, row)
    wanted = group_filter(rollcall, rows, row, roster, search=query.q, only=query.only, person=query.user)
    found = review.groups(rows, row.subscription_id, row.id, roster, wanted, after=after, limit=A_PAGE + 1)
    return found[:A_PAGE], found[A_PAGE - 1].number if len(found) > A_PAGE else None


def _open_group(rollcall: Rollcall, rows: ViewCursor, row: ImportRow, query: PageQuery) -> dict[str, Any] | None:
    """Return the users and problems of the group that is open, if one is."""
    if not query.open:
        return None
    roster = open_roster(rollcall, rows, row)
    users = reviewed_users(rows, row.subscription_id, row.id, roster, query.open, after=query.users, limit=A_PAGE + 1)
    where = (rows, row.subscription_id, row.id, roster)
    found = problems_of_group(*where, query.open, limit=PROBLEMS_OF_A_GROUP + 1)
    return {
        "number": query.open,
        "users": users[:A_PAGE],
        "following": query.users + A_PAGE if len(users) > A_PAGE else None,
        "problems": problem_rows(problem for _, problem in found[:PROBLEMS_OF_A_GROUP]),
        "more_problems": len(found) > PROBLEMS_OF_A_GROUP,
    }


def _progress(rollcall: Rollcall, row: ImportRow, _query: PageQuery) -> dict[str, Any]:
    done, _ = row.run
    with rollcall.views() as rows:
        following = [done + 1] if row.state == "committing" and done < row.progress.groups_total else []
        return {"done": done, "current": next(iter(_names(rollcall, rows, row, following)), None)}


def _names(rollcall: Rollcall, rows: ViewCursor, row: ImportRow, numbers: list[int]) -> list[str]:
    """Return the names with which these groups of the file are added; their numbers are in order."""
    roster = open_roster(rollcall, rows, row)
    new_names = review.new_names(rows, row.id, range(numbers[0], numbers[-1] + 1)) if numbers else {}
    return [new_names.get(number) or roster.group_name(number) for number in numbers]


def _result(rollcall: Rollcall, row: ImportRow, query: PageQuery) -> dict[str, Any]:
    done = row.progress.groups_added + row.progress.groups_skipped
    tab = query.show or ("kept" if row.state == "undone" and row.progress.groups_kept else "added")
    with rollcall.views() as rows:
        return {
            "tab": tab,
            "done": done,
            "remaining": row.progress.groups_total - done,
            **_plan(rollcall, rows, row),
            "left_out": groups_added.count_left_out(rows, row.id),
            **_listed(rollcall, rows, row, query, tab),
            "undoable": row.state in {"completed", "closed", "stopped"} and row.progress.users_added > 0,
        }


def _listed(rollcall: Rollcall, rows: ViewCursor, row: ImportRow, query: PageQuery, tab: str) -> dict[str, Any]:
    """Return a page of the groups that were added, kept or not added, and their names in the file by number."""
    if tab == "left":
        done = row.progress.groups_added + row.progress.groups_skipped
        found = _not_added(rollcall, rows, row, query, done)
        numbers = [number for number, _, _ in found["not_added"]]
    else:
        found = _added(rows, row, query, tab)
        numbers = [group.number for group in found["added"]]
    names = open_roster(rollcall, rows, row).names_of_groups(numbers)
    return {**found, "names_in_file": dict(zip(numbers, names, strict=True))}


def _added(rows: ViewCursor, row: ImportRow, query: PageQuery, tab: str) -> dict[str, Any]:
    where, kept = (rows, row.subscription_id, row.id), tab == "kept"
    found = groups_added.groups_added(*where, after=query.after, only_kept=kept, limit=A_PAGE + 1)
    following = found[A_PAGE - 1].number if len(found) > A_PAGE else None
    total = row.progress.groups_kept if kept else row.progress.groups_added
    return {"added": found[:A_PAGE], "following": following, "extent": _extent(query, found, total)}


def _not_added(rollcall: Rollcall, rows: ViewCursor, row: ImportRow, query: PageQuery, done: int) -> dict[str, Any]:
    """Return a page of the groups that weren't added, with number, name and reason; those that remain have none."""
    skipped = groups_added.groups_skipped(rows, row.subscription_id, row.id, after=query.after, limit=A_PAGE + 1)
    names = _names(rollcall, rows, row, [group.number for group in skipped])
    found: list[tuple[int, str, str | None]] = [
        (group.number, name, group.reason) for group, name in zip(skipped, names, strict=True)
    ]
    if done < row.progress.groups_total and len(found) <= A_PAGE:
        remaining, _ = _groups(rollcall, rows, row, DEFAULT_QUERY, max(done, query.after))
        found += [(group.number, group.name, None) for group in remaining]
    following = found[A_PAGE - 1][0] if len(found) > A_PAGE else None
    extent = _extent(query, found, row.progress.groups_total - row.progress.groups_added)
    return {"not_added": found[:A_PAGE], "following": following, "extent": extent}


def _extent(query: PageQuery, found: Sized, total: int) -> Extent:
    """Return which rows a page shows, of which one more was asked for than it shows."""
    return Extent(query.before, min(len(found), A_PAGE), total)


def _rejected(rollcall: Rollcall, row: ImportRow, _query: PageQuery) -> dict[str, Any]:
    content = rollcall.blobs.chunk(row.subscription_id, "file", row.sha256, 0) if row.size_bytes else b""
    return {
        "key": rollcall.new_id(),
        "limits": rollcall.settings.limits,
        "error": None,
        "problems": problem_rows(row.file_problems),
        "excerpt": excerpt(content[:BYTES], row.file_problems, rollcall.settings.limits),
    }


CONTENT_BY_STATE: dict[str, tuple[str, Callable[[Rollcall, ImportRow, PageQuery], dict[str, Any]]]] = {
    "reviewing": ("review.html", _review),
    "discarded": ("review.html", _review),
    "committing": ("progress.html", _progress),
    "stopped": ("result.html", _result),
    "completed": ("result.html", _result),
    "closed": ("result.html", _result),
    "rejected": ("rejected.html", _rejected),
    "undoing": ("progress.html", _progress),
    "partly_undone": ("result.html", _result),
    "undone": ("result.html", _result),
}
"""The template for each state, and the function that returns what it shows besides the import itself."""
