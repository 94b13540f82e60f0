"""Importing files, and looking at imports."""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import UUID, uuid4

import click

from adapters.cli import import_report
from adapters.cli.import_run import ImportRun, dry_run
from adapters.cli.shared import (
    content_of,
    file_argument,
    find_subscription,
    json_option,
    limit_option,
    me,
    one_more,
    running,
    subscription_option,
    time_of,
)
from adapters.cli.terminal import DONE, Column, Terminal
from domain.errors import NotFound
from projections.import_list import read as import_list
from projections.reports.history import history_row

if TYPE_CHECKING:
    from pathlib import Path

    from rich.text import Text

    from adapters.composition import Rollcall
    from projections.directory.read import SubscriptionRow
    from projections.import_list.read import ImportDocument, ImportRow
    from projections.reports.history import HistoryRow

import_argument = click.argument("import_id", type=click.UUID, metavar="ID")
yes_option = click.option("--yes", "-y", is_flag=True, help="Add the groups without asking.")


@click.command("import", short_help="Review a file and add its groups")
@file_argument
@subscription_option
@click.option("--dry-run", "dry", is_flag=True, help="Show what the file would do; record nothing.")
@yes_option
@json_option
def import_(*, file: Path, name_or_id: str, dry: bool, yes: bool, as_json: bool) -> int:
    """Review FILE, confirm, and watch its groups being added.

    FILE is a .csv or .txt file, user-based or group-based. Ctrl-C stops at once, says what was added and what was
    not, and how to go on.
    """
    terminal = Terminal(as_json=as_json)
    if not (dry or yes or terminal.can_ask()):
        raise click.UsageError(
            "Nobody is there to confirm: give --yes to add the groups, or --dry-run to see what they are."
        )
    with running("directory", commits=not dry) as rollcall:
        found = find_subscription(rollcall, name_or_id)
        content = content_of(file, rollcall.settings.limits.file_bytes)
        if dry:
            return dry_run(rollcall, terminal, found, file.name, content)
        run = run_of(rollcall, terminal, found, uuid4())
        code = run.upload(file.name, content, yes=yes)
        if as_json:
            terminal.emit(run.report)
        return code


@click.command("import-resume", short_help="Go on with an import")
@import_argument
@yes_option
@json_option
def import_resume(*, import_id: UUID, yes: bool, as_json: bool) -> int:
    """Go on with an import from wherever it stands.

    One that waits is reviewed and confirmed, one that was stopped continues, one that is running is watched, and of
    one that has ended you see what became of it.
    """
    terminal = Terminal(as_json=as_json)
    with running("import_list", "review", "directory", commits=True) as rollcall:
        row = _find_import(rollcall, import_id)
        run = run_of(rollcall, terminal, find_subscription(rollcall, str(row.subscription_id)), import_id)
        code = run.carry_on(yes=yes)
        if as_json:
            terminal.emit(run.report)
        return code


def run_of(rollcall: Rollcall, terminal: Terminal, subscription: SubscriptionRow, import_id: UUID) -> ImportRun:
    """Return the run of an import on behalf of whoever runs this command."""
    return ImportRun(rollcall, terminal, subscription, me(subscription.id, import_id), import_id)


@click.command(short_help="List the imports of a subscription")
@subscription_option
@limit_option
@json_option
def imports(*, name_or_id: str, limit: int | None, as_json: bool) -> int:
    """List the imports of a subscription, newest first, and how far they came."""
    terminal = Terminal(as_json=as_json)
    with running("directory", "import_list") as rollcall:
        found = find_subscription(rollcall, name_or_id)
        with rollcall.views() as cursor:
            rows = import_list.imports(cursor, found.id, limit=one_more(limit))
    terminal.listing(
        [import_list.document(row) for row in rows],
        (
            Column("id", whole=True),
            Column("file"),
            Column("state", whole=True),
            Column("groups", number=True),
            Column("uploaded", whole=True, optional=True),
            Column("by", optional=True),
            Column("memberships", number=True, optional=True),
            Column("skipped", number=True, optional=True),
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
        import_report.state(row.state),
        f"{done:,} of {progress.groups_total:,}" if progress.groups_total else "",
        time_of(row.uploaded_at),
        row.uploaded_by.name,
        f"{progress.users_added:,}",
        f"{progress.groups_skipped:,}" if progress.groups_skipped else "",
    )


@click.command("import-history", short_help="Tell an import event by event")
@import_argument
@limit_option
@json_option
def import_history(*, import_id: UUID, limit: int | None, as_json: bool) -> int:
    """Tell an import event by event, in order: who, when, what."""
    terminal = Terminal(as_json=as_json)
    with running("import_list") as rollcall:
        _find_import(rollcall, import_id)
        records = rollcall.events.history(import_id, limit=one_more(limit))
    terminal.listing(
        [history_row(record) for record in records],
        (
            Column("version", number=True),
            Column("at", whole=True, optional=True),
            Column("by", optional=True),
            Column("event", whole=True, optional=True),
            Column("what happened"),
        ),
        _history_cells,
        limit,
    )
    return DONE


def _history_cells(row: HistoryRow) -> tuple[str, ...]:
    return str(row.version), time_of(row.at), row.actor.name, row.type, row.text


def _find_import(rollcall: Rollcall, import_id: UUID) -> ImportRow:
    with rollcall.views() as cursor:
        row = import_list.find_import(cursor, import_id)
    if row is None:
        raise NotFound(what="import", id=import_id)
    return row
