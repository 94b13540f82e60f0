"""How an import looks in the terminal and as JSON: its review, its problems and its result."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING

from msgspec import UNSET, Struct, UnsetType, field
from rich.text import Text

from adapters.cli.edit_options import advice
from adapters.cli.process import command_line
from adapters.cli.terminal import ROWS_SHOWN, Column, Failure, visible
from projections.groups_added.read import GroupAddedRow, GroupSkippedRow
from projections.import_list.read import ImportCounts, ImportDocument
from projections.reports.import_plan import PlanDocument, PlanSummary
from projections.reports.plan_text import outcome_label
from projections.reports.problem_rows import ProblemRow
from projections.reports.result_text import is_incomplete, result_text
from projections.reports.sentences import FORMATS, SKIPPED
from projections.reports.unlicensed import UnlicensedUser
from projections.reports.wording import counted
from projections.review.read import ReviewedGroup

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from adapters.cli.terminal import Terminal
    from domain.import_session import FormatDetected
    from domain.problems import Problem
    from projections.import_list.read import ImportProgress, ImportRow

ROWS = {"user_based": "one row per user", "group_based": "one row per group"}
DELIMITERS = {"\t": "tab", ",": "comma", ";": "semicolon", "|": "bar"}
STATES = {
    "reviewing": "cyan",
    "committing": "blue",
    "stopped": "yellow",
    "completed": "green",
    "closed": "dim",
    "undoing": "blue",
    "partly_undone": "yellow",
    "undone": "dim",
    "rejected": "red",
    "discarded": "dim",
}
OUTCOME_STYLES = {
    "creates": "green",
    "adds_to": "cyan",
    "joins": "cyan",
    "unchanged": "dim",
    "nobody_to_add": "yellow",
    "left_out": "yellow",
}
REFUSED_CODE = "file-refused"


class ImportReport(Struct, frozen=True):
    """The result of an import, as JSON; it has an `error` if the exit code is 1.

    `licensed_as` are addresses of the file without a licence, each with the licensed one that is probably meant.
    `plan` is what adding the groups would do now, if they weren't added.
    """

    imported: ImportDocument = field(name="import")
    problems: list[ProblemRow]
    groups_added: list[GroupAddedRow]
    groups_skipped: list[GroupSkippedRow]
    licensed_as: dict[str, str] = {}
    plan: PlanDocument | UnsetType = UNSET
    error: Failure | UnsetType = UNSET


class DryRunReport(Struct, frozen=True):
    """What importing a file would do, as JSON; it has an `error` if the file is refused.

    `licensed_as` as in `ImportReport`. There is a `plan` unless the file is refused. `unlicensed` are the users whom it
    would leave out because they have no licence.
    """

    file_name: str
    size_bytes: int
    format: str | None
    encoding: str | None
    delimiter: str | None
    counts: ImportCounts
    users_not_licensed: int
    problems: list[ProblemRow]
    groups: list[ReviewedGroup]
    licensed_as: dict[str, str] = {}
    plan: PlanSummary | UnsetType = UNSET
    unlicensed: list[UnlicensedUser] = []
    error: Failure | UnsetType = UNSET


def state(text: str, *, failing: bool = False) -> Text:
    """Return an import's state in its colour."""
    if failing:
        return Text(f"{text}, failing", style="red")
    return Text(text, style=STATES.get(text, ""))


def summary(terminal: Terminal, name: str, what: str, read: FormatDetected) -> None:
    """Show how a file was read and how much is in it."""
    terminal.say(Text(name, style="bold"), f"  {what}")
    delimiter = DELIMITERS.get(read.delimiter, read.delimiter)
    terminal.say(f"{FORMATS[read.format]} ({ROWS[read.format]}), {read.encoding}, {delimiter}-separated")
    terminal.say(
        f"{counted(read.rows, 'row')}, {counted(read.groups, 'group')}, {counted(read.users, 'user')}, "
        f"{counted(read.memberships, 'membership')}"
    )


def problems(terminal: Terminal, found: Sequence[Problem], total: int) -> None:
    """Show what is wrong with a file, where, and how to fix it."""
    terminal.say()
    terminal.table(
        (Column("line", number=True), Column("column", number=True), Column("", whole=True), Column("problem")),
        (
            (
                (f"{each.line} (row {each.row})" if each.row else f"{each.line}") if each.line else "",
                f"{each.column}" if each.column else "",
                Text(each.severity, style="red" if each.severity == "error" else "yellow"),
                Text.assemble(visible(each.message), "\n", (visible(each.remedy + advice(each)), "dim")),
            )
            for each in found
        ),
        title=counted(total, "problem"),
        more=total - len(found),
    )


def groups_to_review(
    terminal: Terminal, groups: Sequence[ReviewedGroup], unlicensed: int, total: int, meant: Mapping[str, str]
) -> None:
    """Show what an import would do, group by group; `meant` is what is probably meant for users without a licence."""
    terminal.say()
    terminal.table(
        (
            Column("#", number=True),
            Column("group"),
            Column("", whole=True),
            Column("users", number=True),
            Column("not licensed", number=True),
            Column("problems", number=True),
        ),
        (
            (
                str(each.number),
                each.name if each.name == each.name_in_file else f"{each.name} (in the file: {each.name_in_file})",
                _outlook(each),
                f"{each.users:,}",
                f"{each.not_licensed:,}" if each.not_licensed else "",
                f"{each.problems:,}" if each.problems else "",
            )
            for each in groups
        ),
        title=counted(total, "group"),
        more=total - len(groups),
    )
    if unlicensed:
        have = "has" if unlicensed == 1 else "have"
        text = f"{counted(unlicensed, 'user')} in the file {have} no licence and would be left out."
        terminal.say(Text(text, style="yellow"))
    for email, licensed in islice(meant.items(), ROWS_SHOWN):
        terminal.say(
            Text(visible(f"“{email}” has no licence, but “{licensed}” has one. Is that meant?"), style="yellow")
        )


def _outlook(group: ReviewedGroup) -> Text:
    return Text(outcome_label(group).lower(), style=OUTCOME_STYLES[group.outcome])


def groups_done(
    terminal: Terminal, added: Sequence[GroupAddedRow], skipped: Sequence[GroupSkippedRow], progress: ImportProgress
) -> None:
    """Show which groups an import added and which it skipped."""
    terminal.say()
    terminal.table(
        (
            Column("#", number=True),
            Column("group"),
            Column("", whole=True),
            Column("users added", number=True),
            Column("already there", number=True),
            Column("left out", number=True),
            Column("group id", whole=True, optional=True),
        ),
        (
            (
                str(each.number),
                each.name,
                _done_to(each),
                f"{each.users_added:,}",
                f"{each.users_already_there:,}" if each.users_already_there else "",
                f"{each.left_out:,}" if each.left_out else "",
                str(each.group_id),
            )
            for each in added
        ),
        title="Groups added",
        more=progress.groups_added - len(added),
    )
    for each in skipped:
        terminal.say(
            Text(visible(f"Group “{each.name or each.number}” was skipped: {SKIPPED[each.reason]}."), style="yellow")
        )
    if progress.groups_skipped > len(skipped):
        terminal.say(Text(f"… and {progress.groups_skipped - len(skipped):,} more skipped", style="dim"))


def _done_to(group: GroupAddedRow) -> str:
    if group.created:
        return "created"
    return "joined" if group.joins else "added to" if group.users_added else "unchanged"


def outcome(terminal: Terminal, row: ImportRow) -> None:
    """Say what was added and what was not."""
    progress = row.progress
    done = progress.groups_added + progress.groups_skipped
    what = result_text(progress, row.counts.rows_not_read)
    what = what[0].lower() + what[1:]
    terminal.say()
    if row.state == "completed":
        terminal.say(Text("Completed: ", style="yellow" if is_incomplete(row) else "green"), f"{what}.")
        if is_incomplete(row):
            _rows_to_fix(terminal, row)
        return
    closed = row.state == "closed"
    terminal.say(Text("Finished early: " if closed else "Stopped: ", style="yellow"), f"{what}.")
    total = progress.groups_total
    if done:
        terminal.say(f"Groups 1 to {done:,} of the file are done. Groups {done + 1:,} to {total:,} were not added.")
    else:
        terminal.say(f"None of the {total:,} groups was added.")
    if closed:
        _rows_to_fix(terminal, row)
    else:
        terminal.say(f"To continue:\n  {command_line('import-resume', str(row.id))}")
        if progress.groups_added:
            terminal.say(f"To keep what was added and finish here:\n  {command_line('import-close', str(row.id))}")


def _rows_to_fix(terminal: Terminal, row: ImportRow) -> None:
    command = command_line("rows-not-added", str(row.id), "-o", "rows-not-added.csv")
    terminal.say(f"To get the rows that weren't added as a file that you can fix and import:\n  {command}")


def refusal(terminal: Terminal, name: str, found: Sequence[Problem]) -> None:
    """Say why a file was refused."""
    terminal.note(Text("error: ", style="bold red"), refused(name).message)
    problems(terminal, found[:ROWS_SHOWN], len(found))


def refused(name: str) -> Failure:
    """Return the error for a file that was refused."""
    return Failure(REFUSED_CODE, f"“{name}” was refused. Nothing was added.")
