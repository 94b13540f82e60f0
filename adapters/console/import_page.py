"""What an import's page shows, by the import's state."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from msgspec import Struct, structs

from adapters.console.excerpt import BYTES, excerpt
from adapters.console.page_query import Look
from adapters.console.pages import Page, page
from adapters.http.lookups import open_roster
from adapters.http.problem_kinds import KINDS
from domain.errors import Refused, Stale
from projections import groups_added
from projections.reports import file_licences, history
from projections.reports.problem_rows import problem_rows
from projections.reports.reviewed_users import reviewed_users
from projections.review import read as review

if TYPE_CHECKING:
    from collections.abc import Callable

    from adapters.composition import Rollcall
    from adapters.http.requests import AnyRequest
    from projections.import_list.read import ImportRow
    from projections.review.read import ReviewedGroup
    from projections.view import ViewCursor

A_PAGE = 50  # of long names and addresses, and the page weighs less than 100 kB
CHANGES_TOLD = 5
PROBLEMS_OF_A_GROUP = 20
USERS_ASKED_FOR = 100_000  # some tenths of a second, once: what was found is remembered


class Refusal(Struct, frozen=True):
    """Why a form was refused, to be shown where it was sent from.

    `group` and `entered` are what a name was for and what was entered; `changes` what others did meanwhile.
    """

    error: Refused
    group: int = 0
    entered: str | None = None
    changes: tuple[str, ...] = ()


def import_page(
    request: AnyRequest, rollcall: Rollcall, row: ImportRow, look: Look, refusal: Refusal | None = None
) -> Page:
    """Return the page of an import, and with it why a form was refused, if one was."""
    template, shown = SHOWN[row.state]
    path = f"/subscriptions/{row.subscription_id}/imports/{row.id}"
    return page(
        request,
        rollcall,
        template,
        of=row.subscription_id,
        section="imports",
        status=KINDS[refusal.error.code].status if refusal else 200,
        row=row,
        path=path,
        here=path if refusal else "",  # a form's address is not the page's
        look=look,
        refusal=refusal,
        **shown(rollcall, row, look),
    )


def refused(
    request: AnyRequest,
    rollcall: Rollcall,
    row: ImportRow,
    look: Look,
    error: Refused,
    group: int,
    entered: str | None,
) -> Page:
    """Return the page of an import after a form was refused: beside the cause, with what was entered."""
    changes: tuple[str, ...] = ()
    if isinstance(error, Stale):
        seen = int(str(error.fields["expected"]))
        told = map(history.history_row, rollcall.events.history(row.id, after=seen, limit=CHANGES_TOLD))
        changes = tuple(f"{each.actor.name}: {each.text}" for each in told)
    if entered is not None:
        look = structs.replace(look, edit=group)
    return import_page(request, rollcall, row, look, Refusal(error, group, entered, changes))


# --- by state -------------------------------------------------------------------------------------------------------


def _review(rollcall: Rollcall, row: ImportRow, look: Look) -> dict[str, Any]:
    with rollcall.views() as rows:
        shown: dict[str, Any] = {
            "existing": review.count_existing(rows, row.subscription_id, row.id),
            "unlicensed": _unlicensed(rollcall, rows, row),
        }
        if look.show == "problems":
            found = review.problems(rows, row.id, after=look.after, limit=A_PAGE + 1)
            shown["problems"] = problem_rows(problem for _, problem in found[:A_PAGE])
            following = found[A_PAGE - 1][0] if len(found) > A_PAGE else None
        else:
            groups, following = _groups(rollcall, rows, row, look, look.after)
            shown |= {"groups": groups, "opened": _opened(rollcall, rows, row, look)}
    return shown | {"following": following, "problems_found": sum(row.read.problems.values()) if row.read else 0}


def _unlicensed(rollcall: Rollcall, rows: ViewCursor, row: ImportRow) -> int | None:
    """Return how many users of the file hold no licence; None where it would take too long to ask for each."""
    if row.read is None or row.read.users > USERS_ASKED_FOR:
        return None
    return len(file_licences.unlicensed_users(rows, row.subscription_id, open_roster(rollcall, rows, row)))


def _groups(
    rollcall: Rollcall, rows: ViewCursor, row: ImportRow, look: Look, after: int
) -> tuple[list[ReviewedGroup], int | None]:
    """Return a page of an import's groups, and behind which number the next one begins."""
    wanted = review.GroupFilter(search=look.q, only_problems=look.only is not None)
    roster = open_roster(rollcall, rows, row)
    found = review.groups(rows, row.subscription_id, row.id, roster, wanted, after=after, limit=A_PAGE + 1)
    return found[:A_PAGE], found[A_PAGE - 1].number if len(found) > A_PAGE else None


def _opened(rollcall: Rollcall, rows: ViewCursor, row: ImportRow, look: Look) -> dict[str, Any] | None:
    """Return the users of the group that is opened, and its problems."""
    if not look.open:
        return None
    roster = open_roster(rollcall, rows, row)
    users = reviewed_users(rows, row.subscription_id, row.id, roster, look.open, after=look.users, limit=A_PAGE + 1)
    problems = review.problems_of_group(rows, row.id, look.open, limit=PROBLEMS_OF_A_GROUP + 1)
    return {
        "number": look.open,
        "users": users[:A_PAGE],
        "following": look.users + A_PAGE if len(users) > A_PAGE else None,
        "problems": problem_rows(problem for _, problem in problems[:PROBLEMS_OF_A_GROUP]),
        "more_problems": len(problems) > PROBLEMS_OF_A_GROUP,
    }


def _progress(rollcall: Rollcall, row: ImportRow, _look: Look) -> dict[str, Any]:
    done = row.progress.groups_added + row.progress.groups_skipped
    with rollcall.views() as rows:
        names = review.group_names(rows, row.id, range(done + 1, done + 2))
    return {"done": done, "current": names.get(done + 1)}


def _result(rollcall: Rollcall, row: ImportRow, look: Look) -> dict[str, Any]:
    done = row.progress.groups_added + row.progress.groups_skipped
    shown: dict[str, Any] = {"remaining": row.progress.groups_total - done, "done": done}
    with rollcall.views() as rows:
        shown["left_out"] = groups_added.count_left_out(rows, row.id)
        if look.show == "left":
            skipped = groups_added.groups_skipped(rows, row.id, after=look.after, limit=A_PAGE + 1)
            names = (
                review.group_names(rows, row.id, range(skipped[0].number, skipped[-1].number + 1)) if skipped else {}
            )
            left: list[tuple[int, str, str | None]] = [
                (each.number, names.get(each.number, ""), each.reason) for each in skipped
            ]
            if row.state == "stopped" and len(left) <= A_PAGE:
                groups, _ = _groups(rollcall, rows, row, Look(), max(done, look.after))
                left += [(each.number, each.name, None) for each in groups]
            following = left[A_PAGE - 1][0] if len(left) > A_PAGE else None
            shown["left"] = left[:A_PAGE]
        else:
            added = groups_added.groups_added(rows, row.id, after=look.after, limit=A_PAGE + 1)
            following = added[A_PAGE - 1].number if len(added) > A_PAGE else None
            shown["added"] = added[:A_PAGE]
    return shown | {"following": following}


def _rejected(rollcall: Rollcall, row: ImportRow, _look: Look) -> dict[str, Any]:
    content = rollcall.blobs.chunk(row.subscription_id, "file", row.sha256, 0) if row.size_bytes else b""
    return {
        "key": rollcall.new_id(),
        "limits": rollcall.settings.limits,
        "error": None,
        "problems": problem_rows(row.file_problems),
        "excerpt": excerpt(content[:BYTES], row.file_problems, rollcall.settings.limits),
    }


SHOWN: dict[str, tuple[str, Callable[[Rollcall, ImportRow, Look], dict[str, Any]]]] = {
    "reviewing": ("review.html", _review),
    "discarded": ("review.html", _review),
    "committing": ("progress.html", _progress),
    "stopped": ("result.html", _result),
    "completed": ("result.html", _result),
    "rejected": ("rejected.html", _rejected),
}
"""Each state's template, and what that shows beside the import itself."""
