"""The rows that an import didn't add, or wouldn't add, written to a file at its end."""

from __future__ import annotations

from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import uuid4

import click
from msgspec.structs import replace

from adapters.cli.process import operator_origin
from adapters.csv_text import csv_pieces
from adapters.memory.blobs import MemoryBlobs
from application.recording_downloads import record_download
from domain.downloads import FileDownloaded
from domain.errors import NoRowsRead
from domain.naming import clean_file_name
from projections.import_list import read as import_list
from projections.import_list.read import ImportProgress, ImportRow
from projections.reports.rows_not_added import rows_not_added
from projections.reports.wording import counted

if TYPE_CHECKING:
    from collections.abc import Sequence
    from uuid import UUID

    from adapters.cli.terminal import Terminal
    from adapters.composition import Rollcall
    from domain.edits import Plan
    from domain.import_session import FormatDetected
    from projections.reports.rows_not_added import NotAddedFile

VIEWS = ("import_list", "review", "groups_added", "directory")


def _in_a_folder(_context: click.Context, _option: click.Parameter, value: Path | None) -> Path | None:
    """Return a path; fails with a usage error if its folder doesn't exist, before anything is imported."""
    if value is not None and not value.absolute().parent.is_dir():
        raise click.BadParameter(f"the folder “{value.parent}” doesn't exist.")
    return value


rows_not_added_option = click.option(
    "--rows-not-added",
    "rest",
    metavar="FILE",
    type=click.Path(dir_okay=False, writable=True, path_type=Path),
    callback=_in_a_folder,
    help="Where to write the rows that aren't added, as a file that you can fix and import.",
)


def save_rows_not_added(rollcall: Rollcall, terminal: Terminal, import_id: UUID, output: Path) -> None:
    """Write the rows that an import didn't add to a file, and say how many. A refused file has none, and that is said.

    The import has told already what was refused, and why.
    """
    rollcall.health.catch_up(*VIEWS)
    with rollcall.views() as cursor:
        row = import_list.find_import(cursor, import_id)
    if row is None:  # it was stopped before anything was recorded
        return
    try:
        found = rows_not_added(rollcall.views, rollcall.blobs, row, rollcall.settings.limits)
    except NoRowsRead:
        say_refused(terminal, output)
        return
    downloaded = FileDownloaded("rows-not-added", f"rows-not-added-{row.id}.csv")
    record_download(rollcall, operator_origin(row.subscription_id, row.id), downloaded)
    _told(terminal, _write(found, output), output, done=row.state != "reviewing")


def save_rows_of_dry_run(
    rollcall: Rollcall,
    terminal: Terminal,
    subscription_id: UUID,
    file: tuple[str, bytes],
    roster: tuple[FormatDetected, Sequence[bytes]],
    plan: Plan,
    output: Path,
) -> None:
    """Write the rows that importing a file, given as its name and content, wouldn't add. Nothing is recorded.

    `roster` is how it was read, with the chunks of its roster, and `plan` has the edits of the options.
    """
    blobs, (name, content), (read, chunks) = MemoryBlobs(), file, roster
    now = rollcall.now()
    row = ImportRow(
        id=uuid4(),
        subscription_id=subscription_id,
        file_name=clean_file_name(name),
        size_bytes=len(content),
        sha256=blobs.put(subscription_id, "file", [content]),
        state="reviewing",
        version=0,
        read=replace(read, roster=blobs.put(subscription_id, "roster", chunks)),
        progress=ImportProgress(0, 0, 0, 0),
        uploaded_by=operator_origin(subscription_id).actor,
        uploaded_at=now,
        updated_at=now,
    )
    found = rows_not_added(rollcall.views, blobs, row, rollcall.settings.limits, plan)
    _told(terminal, _write(found, output), output, done=False)


def say_refused(terminal: Terminal, output: Path) -> None:
    """Say why there is no file of the rows of a refused file, and what to do."""
    terminal.note(
        f"“{output}” was not written: the file was refused as a whole, so Rollcall can't tell which of its rows are "
        "wrong. Fix the problems above in the file itself, and import it again."
    )


def _write(found: NotAddedFile, output: Path) -> int:
    """Write the file, and return how many rows it has below its header."""
    numbers = count()
    rows = (row for row, _ in zip(found.rows, numbers, strict=False))
    try:
        with output.open("wb") as out:
            out.writelines(csv_pieces(found.header, rows, found.delimiter))
    except OSError as error:
        raise click.FileError(str(output), error.strerror) from error
    return next(numbers)


def _told(terminal: Terminal, rows: int, output: Path, *, done: bool) -> None:
    if not rows:
        terminal.note(f"Every row {'was' if done else 'would be'} added, so “{output}” has only the header.")
        return
    verb = ("was" if rows == 1 else "were") if done else "would be"
    what = f"{counted(rows, 'row')} {verb} left out, at least in part."
    then = "Fix them and import that file." if done else "Fix them there or in the file."
    terminal.note(f"{what} See “{output}”. {then}")
