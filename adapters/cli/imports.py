"""Imports: upload and review a file, add its groups, and see what happened."""

from __future__ import annotations

from typing import TYPE_CHECKING, get_args
from uuid import uuid4

import click

from adapters.cli import import_report
from adapters.cli.dry_run import dry_run
from adapters.cli.edit_options import NO_EDITS, EditOptions, correct_option, leave_out_option
from adapters.cli.import_run import NO_TERMINAL, ImportRun
from adapters.cli.lookup import find_import, find_subscription
from adapters.cli.options import (
    content_of,
    file_argument,
    import_argument,
    json_option,
    limit_option,
    one_more,
    subscription_option,
)
from adapters.cli.process import open_rollcall, operator_origin
from adapters.cli.rows_not_added import rows_not_added_option, save_rows_not_added
from adapters.cli.terminal import DONE, REQUEST_COLUMNS, Column, Terminal, utc_time
from application.importing import close
from domain.files.encodings import ENCODINGS
from domain.retention import expiry_id
from projections.import_list import read as import_list
from projections.import_list.read import ImportFilter, ImportState
from projections.reports import history
from projections.reports.result_text import result_text

if TYPE_CHECKING:
    from pathlib import Path
    from uuid import UUID

    from rich.text import Text

    from adapters.composition import Rollcall
    from projections.directory.read import SubscriptionRow
    from projections.import_list.read import ImportDocument
    from projections.reports.history import EventRow

yes_option = click.option("--yes", "-y", is_flag=True, help="Add the groups without asking.")


@click.command("import", short_help="Review a file and add its groups")
@file_argument
@subscription_option
@click.option("--dry-run", "dry", is_flag=True, help="Show what the import would do, and record nothing.")
@yes_option
@click.option(
    "--encoding", default="", help="How the text is encoded, if the file doesn't say so: windows-1250, for example."
)
@leave_out_option
@correct_option
@rows_not_added_option
@json_option
def import_(
    *,
    file: Path,
    name_or_id: str,
    dry: bool,
    yes: bool,
    encoding: str,
    leave_out: tuple[str, ...],
    correct: tuple[tuple[str, str], ...],
    rest: Path | None,
    as_json: bool,
) -> int:
    """Review FILE, confirm, and watch its groups being added.

    FILE is a .csv or .txt file, user-based or group-based. Press Ctrl-C to stop: you see what was added, what was not,
    and how to continue.
    """
    if encoding not in {"", *ENCODINGS}:
        raise click.BadParameter(f"Use one of {', '.join(ENCODINGS)}.", param_hint="'--encoding'")
    terminal = Terminal(as_json=as_json)
    with open_rollcall("directory", "import_list", commits=not dry) as rollcall:
        found = find_subscription(rollcall, name_or_id)
        if not (dry or yes or terminal.can_ask()):
            raise click.UsageError(f"{NO_TERMINAL} Pass --dry-run to only see what the import would do.")
        content = content_of(file, rollcall.settings.limits.file_bytes)
        if dry:
            options = EditOptions(leave_out, correct)
            return dry_run(rollcall, terminal, found, file.name, content, encoding, options, rest)
        run = run_of(rollcall, terminal, found, uuid4(), EditOptions(leave_out, correct))
        code = run.upload(file.name, content, encoding, yes=yes)
        if as_json:
            terminal.emit(run.report)
        if rest:
            save_rows_not_added(rollcall, terminal, run.id, rest)
        return code


@click.command("import-resume", short_help="Continue an import")
@import_argument
@yes_option
@leave_out_option
@correct_option
@json_option
def import_resume(
    *, import_id: str, yes: bool, leave_out: tuple[str, ...], correct: tuple[tuple[str, str], ...], as_json: bool
) -> int:
    """Continue an import from where it is.

    If it is waiting for review, review and confirm it. If it was stopped, it continues. If it is running, watch it.
    If it has ended, see its result.
    """
    terminal = Terminal(as_json=as_json)
    with open_rollcall("import_list", "review", "directory", commits=True) as rollcall:
        row = find_import(rollcall, import_id)
        found = find_subscription(rollcall, str(row.subscription_id))
        run = run_of(rollcall, terminal, found, row.id, EditOptions(leave_out, correct))
        code = run.carry_on(yes=yes)
        if as_json:
            terminal.emit(run.report)
        return code


@click.command("import-close", short_help="Finish a stopped import")
@import_argument
@json_option
def import_close(*, import_id: str, as_json: bool) -> int:
    """Finish an import that was stopped.

    What it added stays. The groups that remain are not added any more. To take back what it added, use import-undo.
    """
    terminal = Terminal(as_json=as_json)
    with open_rollcall("import_list") as rollcall:
        row = find_import(rollcall, import_id)
        close(rollcall, operator_origin(row.subscription_id, row.id), row.version)
        rollcall.health.catch_up("import_list")
        row = find_import(rollcall, row.id.hex)
    if as_json:
        terminal.emit(import_list.document(row))
    else:
        import_report.outcome(terminal, row)
    return DONE


def run_of(
    rollcall: Rollcall,
    terminal: Terminal,
    subscription: SubscriptionRow,
    import_id: UUID,
    options: EditOptions = NO_EDITS,
) -> ImportRun:
    """Return the run of an import, on behalf of the account that runs this command."""
    return ImportRun(rollcall, terminal, subscription, operator_origin(subscription.id, import_id), import_id, options)


@click.command(short_help="List the imports of a subscription")
@subscription_option
@click.option("--search", metavar="TEXT", default="", help="Only imports of files whose name contains this text.")
@click.option("--state", type=click.Choice(get_args(ImportState)), help="Only imports in this state.")
@click.option("--actor", metavar="LOGIN", default="", help="Only imports uploaded by this person.")
@limit_option
@json_option
def imports(
    *, name_or_id: str, search: str, state: ImportState | None, actor: str, limit: int | None, as_json: bool
) -> int:
    """List the imports of a subscription, newest first, with their progress."""
    terminal = Terminal(as_json=as_json)
    with open_rollcall("directory", "import_list") as rollcall:
        found = find_subscription(rollcall, name_or_id)
        with rollcall.views() as cursor:
            rows = import_list.imports(cursor, found.id, ImportFilter(search, state, actor), limit=one_more(limit))
    terminal.listing(
        [import_list.document(row) for row in rows],
        (
            Column("id", whole=True),
            Column("file"),
            Column("state", whole=True),
            Column("groups", number=True),
            Column("uploaded", whole=True, optional=True),
            Column("by", optional=True),
            Column("result", optional=True),
        ),
        _import_cells,
        limit,
    )
    return DONE


def _import_cells(row: ImportDocument) -> tuple[str | Text, ...]:
    progress = row.progress
    done = progress.groups_added + progress.groups_skipped
    return (
        str(row.id),
        row.file_name,
        import_report.state(row.state, failing=progress.last_error is not None),
        f"{done:,} of {progress.groups_total:,}" if progress.groups_total else "",
        utc_time(row.uploaded_at),
        row.uploaded_by.name,
        result_text(progress, row.counts.rows_not_read) if done else "",
    )


@click.command("import-history", short_help="Show what happened in an import")
@import_argument
@limit_option
@json_option
def import_history(*, import_id: str, limit: int | None, as_json: bool) -> int:
    """Show what happened in an import, event by event: who did what, and when."""
    terminal = Terminal(as_json=as_json)
    with open_rollcall("import_list", "groups_added") as rollcall:
        row = find_import(rollcall, import_id)
        records = rollcall.events.history(row.id, limit=one_more(limit))
        with rollcall.views() as cursor:
            rows: list[EventRow] = [*history.import_history(cursor, row, records)]
        if erased := history.expiry(records, rollcall.events.history(expiry_id(row.id))):
            rows.insert(erased.place, erased.row)
    terminal.listing(
        rows,
        (
            Column("version", number=True),
            Column("at", whole=True, optional=True),
            Column("by", optional=True),
            Column("what happened"),
            *REQUEST_COLUMNS,
        ),
        _history_cells,
        limit,
    )
    return DONE


def _history_cells(row: EventRow) -> tuple[str, ...]:
    who = row.actor.name
    return str(row.version or "–"), utc_time(row.at), who, row.text, row.request_id, row.client_request_id or ""
