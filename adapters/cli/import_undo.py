"""Undo an import in the terminal: review, confirm, watch, stop."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click
from msgspec import Struct
from rich.text import Text

from adapters.cli.lookup import find_import
from adapters.cli.options import import_argument, json_option
from adapters.cli.process import command_line, open_rollcall, operator_origin
from adapters.cli.stop_button import stop_button
from adapters.cli.terminal import DONE, ROWS_SHOWN, STOPPED, Column, Terminal, utc_time
from application.committing import stop
from application.undoing import start_undo
from domain.errors import NotFound
from projections.groups_added import read as groups_added
from projections.groups_added.read import GroupAddedRow, GroupUndo
from projections.import_list import read as import_list
from projections.import_list.read import ImportDocument
from projections.reports.result_text import undo_text
from projections.reports.sentences import attempts
from projections.reports.undo_plan import KeptGroup, UndoPlan, undo_plan
from projections.reports.wording import counted

if TYPE_CHECKING:
    from collections.abc import Sequence
    from uuid import UUID

    from adapters.composition import Rollcall
    from projections.import_list.read import ImportRow

NO_TERMINAL = (
    "There is no terminal to confirm on. Pass --yes to undo the import, or --dry-run to see what that would do."
)
EVERY_GROUP = 1_000_000


class UndoReport(Struct, frozen=True):
    """An import after its undo has ended or was stopped, and the groups in which something was kept."""

    imported: ImportDocument
    kept: list[GroupAddedRow]


@click.command("import-undo", short_help="Undo an import")
@import_argument
@click.option("--dry-run", "dry", is_flag=True, help="Show what the undo would do, and change nothing.")
@click.option("--yes", "-y", is_flag=True, help="Undo the import without asking.")
@json_option
def import_undo(*, import_id: str, dry: bool, yes: bool, as_json: bool) -> int:
    """Take back what an import did.

    Groups that it created are deleted, and users whom it added to other groups are removed, except where others have
    changed that since. Licences stay. Press Ctrl-C to stop; run the command again to continue.
    """
    terminal = Terminal(as_json=as_json)
    with open_rollcall("import_list", "groups_added", "directory", commits=not dry) as rollcall:
        row = find_import(rollcall, import_id)
        if row.state != "undone":
            plan = undo_plan(rollcall.events, row.id, limit=EVERY_GROUP)
            if dry and as_json:
                terminal.emit(plan)
            elif not as_json:
                _show_plan(terminal, row, plan)
            if dry:
                return DONE
            if row.state != "undoing" and not _confirmed(terminal, row, yes=yes):
                terminal.note("Nothing was changed.")
                return STOPPED
            row = _watch(rollcall, terminal, row, plan.version)
        return _ended(rollcall, terminal, row)


def _confirmed(terminal: Terminal, row: ImportRow, *, yes: bool) -> bool:
    if yes:
        return True
    if not terminal.can_ask():
        raise click.UsageError(NO_TERMINAL)
    terminal.say()
    return terminal.confirm(f"Undo the import of “{row.file_name}”?")


def _show_plan(terminal: Terminal, row: ImportRow, plan: UndoPlan) -> None:
    rest = "The rest of the undo" if row.state in {"undoing", "partly_undone"} else "Undoing this import"
    deleted = f"deletes {counted(plan.groups_deleted, 'group')}" if plan.groups_deleted else ""
    reduced = f"removes users from {counted(plan.groups_reduced, 'other group')}" if plan.groups_reduced else ""
    done = " and ".join(filter(None, (deleted, reduced)))
    does = f"{done} ({counted(plan.users_removed, 'membership')} in all)" if done else "changes nothing"
    kept = f", and keeps {counted(plan.groups_kept, 'group')} that others have changed" if plan.groups_kept else ""
    terminal.say(f"{rest} {does}{kept}.")
    _show_kept(terminal, [(each, each.undo) for each in plan.kept], plan.groups_kept)


def _show_kept(terminal: Terminal, kept: Sequence[tuple[KeptGroup | GroupAddedRow, GroupUndo]], total: int) -> None:
    if not kept:
        return
    terminal.say()
    columns = (Column("#", number=True), Column("group"), Column("users kept", number=True), Column("last changed"))
    terminal.table(
        (*columns, Column("by"), Column("at", whole=True, optional=True)),
        (
            (
                str(group.number),
                group.name,
                f"{undo.users_kept:,}",
                undo.changed_by[-1].text if undo.changed_by else "",
                undo.changed_by[-1].actor.name if undo.changed_by else "",
                utc_time(undo.changed_by[-1].at) if undo.changed_by else "",
            )
            for group, undo in kept[:ROWS_SHOWN]
        ),
        title="Kept, because others have changed them",
        more=total - min(len(kept), ROWS_SHOWN),
    )


def _row(rollcall: Rollcall, import_id: UUID) -> ImportRow:
    with rollcall.views() as cursor:
        row = import_list.find_import(cursor, import_id)
    if row is None:
        raise NotFound(what="import", id=import_id)
    return row


def _watch(rollcall: Rollcall, terminal: Terminal, row: ImportRow, version: int) -> ImportRow:
    """Start the undo, unless it has started, and show progress to the end. Ctrl-C stops it."""
    origin = operator_origin(row.subscription_id, row.id)
    stopping, told = False, None
    with (
        stop_button(rollcall.wakeups.wake) as pressed,
        terminal.progress(row.progress.groups_added, "Undoing groups") as bar,
    ):
        until = row.version
        if row.state != "undoing":
            until = start_undo(rollcall, origin, version).version
        while row.state == "undoing" or row.version < until:
            count = rollcall.wakeups.count_changes("import_list")
            if pressed and not stopping:
                until, stopping = stop(rollcall, origin).version, True
            row = _row(rollcall, row.id)
            if (error := row.progress.last_error) not in (None, told):
                told = error
                terminal.note(f"{error.message} {attempts(error)}")
            bar.show(row, stopping=stopping)
            if row.state == "undoing" or row.version < until:
                rollcall.wakeups.wait_for_change("import_list", count)
    return row


def _ended(rollcall: Rollcall, terminal: Terminal, row: ImportRow) -> int:
    if not rollcall.health.catch_up("groups_added"):
        terminal.note("The views are still catching up. What you see may be out of date.")
    with rollcall.views() as cursor:
        kept = groups_added.groups_added(cursor, row.subscription_id, row.id, only="kept", limit=None)
    if terminal.as_json:
        terminal.emit(UndoReport(import_list.document(row), kept))
    else:
        _show_kept(terminal, [(each, each.undo) for each in kept if each.undo], row.progress.groups_kept)
        _outcome(terminal, row)
    return DONE if row.state == "undone" else STOPPED


def _outcome(terminal: Terminal, row: ImportRow) -> None:
    what = undo_text(row.progress)
    terminal.say()
    if row.state == "undone":
        terminal.say(Text("Undone: ", style="green"), f"{what}.")
        return
    terminal.say(Text("Stopped: ", style="yellow"), f"{what}.")
    terminal.say(f"To continue:\n  {command_line('import-undo', str(row.id))}")
