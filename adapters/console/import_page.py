"""The page of an import. What it shows depends on the import's state."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any

from msgspec import Struct, structs

from adapters.console.excerpt import BYTES, excerpt
from adapters.console.forms import Refusal
from adapters.console.import_parts import (
    A_PAGE,
    PLANNED,
    extent_of,
    names_of,
    page_of_groups,
    plan_of,
    why_file_is_gone,
)
from adapters.console.import_result import result
from adapters.console.page_query import PageQuery
from adapters.console.pages import Extent, Page, page
from adapters.http.lookups import open_roster
from adapters.http.plans import find_plan
from application.choosing_encoding import EncodingChoice, encoding_choices
from application.ports import BlobMissing
from domain.edits import Edit
from domain.errors import PlanChanged, Refused, Stale
from domain.files.encodings import ENCODINGS
from projections.import_list.read import RUNNING
from projections.reports import history, plan_changes
from projections.reports.problem_rows import problem_rows
from projections.reports.review_problems import count_problems, problems, problems_of_group
from projections.reports.reviewed_users import reviewed_users
from projections.reports.sentences import sentence
from projections.reports.unlicensed import unlicensed_of
from projections.review import read as review

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from adapters.composition import Rollcall
    from adapters.http.requests import AnyRequest
    from projections.import_list.read import ImportRow
    from projections.reports.plan_changes import PlanDifference
    from projections.view import ViewCursor

CHANGES_SHOWN = 5
PROBLEMS_OF_A_GROUP = 20


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
        followed=row.id if row.state == "reviewing" or row.state in RUNNING else None,
        path=path,
        here=path if refusal else "",
        own_address=path if refusal else f"{path}?{query.encoded()}" if edited or licensed is not None else "",
        query=query,
        refusal=refusal,
        licensed=licensed,
        file_gone=why_file_is_gone(rollcall, row),
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
    changes = map(history.event_row, rollcall.events.history(row.id, after=version, limit=CHANGES_SHOWN))
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
            **plan_of(rollcall, rows, row),
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
            content["extent"] = extent_of(query, found, content["problems_found"])
        elif query.show == "unlicensed":
            people = unlicensed.page(after=query.after, limit=A_PAGE + 1)
            content["people"] = [each for _, each in people[:A_PAGE]]
            following = people[A_PAGE][0] if len(people) > A_PAGE else None
            content["extent"] = extent_of(query, people, unlicensed.count)
        else:
            groups, following = page_of_groups(rollcall, rows, row, query, query.after)
            total = row.read.groups if row.read and not query.narrowed else None
            content |= {
                "extent": Extent(query.before, len(groups), total),
                "groups": groups,
                "open_group": _open_group(rollcall, rows, row, query),
            }
    return content | {"following": following}


def _encodings(rollcall: Rollcall, row: ImportRow) -> list[EncodingChoice]:
    """Return in which encodings the file could be, the one it was read in first; none if that is certain."""
    if row.state != "reviewing" or row.read is None or row.read.encoding not in ENCODINGS:
        return []
    choices = encoding_choices(rollcall, row.subscription_id, row.sha256)
    return sorted(choices, key=lambda choice: choice.encoding != row.encoding)


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
        return {"done": done, "current": next(iter(names_of(rollcall, rows, row, following)), None)}


def _rejected(rollcall: Rollcall, row: ImportRow, _query: PageQuery) -> dict[str, Any]:
    content = b""
    if row.size_bytes:
        with suppress(BlobMissing):  # it was erased: see application.erased_files
            content = rollcall.blobs.chunk(row.subscription_id, "file", row.sha256, 0)
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
    "stopped": ("result.html", result),
    "completed": ("result.html", result),
    "closed": ("result.html", result),
    "rejected": ("rejected.html", _rejected),
    "undoing": ("progress.html", _progress),
    "partly_undone": ("result.html", result),
    "undone": ("result.html", result),
}
"""The template for each state, and the function that returns what it shows besides the import itself."""
