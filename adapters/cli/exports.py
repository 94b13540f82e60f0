"""Exports to files or to the standard output."""

from __future__ import annotations

import sys
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Unpack, cast

import click

from adapters.cli.audit_filters import KINDS_TEXT, FilterOptions, filter_options, wanted_changes
from adapters.cli.lookup import find_group_id, find_import, find_subscription
from adapters.cli.options import import_argument, subscription_option
from adapters.cli.process import open_rollcall, operator_origin
from adapters.cli.terminal import DONE, OutputClosed
from adapters.exports import NAMES, ExportKind, ExportName, export, export_users, rows_to_fix
from adapters.http.lookups import find_group
from application.recording_downloads import record_download
from domain.downloads import FileDownloaded
from projections.reports import exports

if TYPE_CHECKING:
    from collections.abc import Iterator

    from adapters.composition import Rollcall
    from projections.directory.read import SubscriptionRow

GROUP_USERS, AUDIT = "group-users", "audit"


output_option = click.option(
    "--output", "-o", type=click.Path(dir_okay=False, path_type=Path), help="The file to write, instead of the output."
)


@click.command("export", short_help="Write groups, users or the audit log to a file", epilog=KINDS_TEXT)
@click.argument("what", metavar="WHAT", type=click.Choice([*NAMES, GROUP_USERS]))
@subscription_option
@output_option
@click.option("--json", "as_json", is_flag=True, help="Write lines of JSON instead of CSV.")
@filter_options
def export_command(
    *,
    what: str,
    name_or_id: str,
    output: Path | None,
    as_json: bool,
    **options: Unpack[FilterOptions],
) -> int:
    """Write WHAT to a file: groups-user-based, groups-group-based, users, audit or group-users.

    The groups files are import files. If you import one again, nothing changes. The user-based one has no groups
    without users. Users are written in the columns of a licence file.

    The options from --actor on narrow down the audit log; group-users needs --group. Exports are recorded in the audit
    log.
    """
    given = {name for name, value in options.items() if value}
    if what == GROUP_USERS and given != {"group"}:
        raise click.UsageError(f"Give {GROUP_USERS} a --group, and no other of these options.")
    if what not in {GROUP_USERS, AUDIT} and given:
        raise click.UsageError(f"Only {AUDIT} has these options.")
    kind: ExportKind = "ndjson" if as_json else "csv"
    with open_rollcall("directory", "import_list", "audit_log") as rollcall, ExitStack() as stack:
        found = find_subscription(rollcall, name_or_id)
        if what == GROUP_USERS:
            pieces = _group_users(rollcall, found, options["group"] or "")
        else:
            name, wanted = cast("ExportName", what), wanted_changes(rollcall, found.id, options)
            record_download(rollcall, operator_origin(found.id), FileDownloaded(name, f"{name}.{kind}"))
            pieces = export(rollcall.views, found.id, name, kind, wanted)
        _write(pieces, stack.enter_context(output.open("wb")) if output else sys.stdout.buffer)
    return DONE


@click.command("rows-not-added", short_help="Write the rows that an import didn't add to a file")
@import_argument
@output_option
def rows_not_added(*, import_id: str, output: Path | None) -> int:
    """Write the rows of an import's file that weren't added to a file that you can fix and import as it is.

    It has the columns of the file, and a last column with the reason, which is passed over when you import it. Users
    who were removed in the review, and groups that were left out, aren't there. While the import is in review, these
    are the rows that wouldn't be added.
    """
    with open_rollcall("import_list", "review", "groups_added", "directory") as rollcall, ExitStack() as stack:
        row = find_import(rollcall, import_id)
        pieces = rows_to_fix(rollcall, row)
        downloaded = FileDownloaded("rows-not-added", f"rows-not-added-{row.id}.csv")
        record_download(rollcall, operator_origin(row.subscription_id, row.id), downloaded)
        _write(pieces, stack.enter_context(output.open("wb")) if output else sys.stdout.buffer)
    return DONE


def _group_users(rollcall: Rollcall, found: SubscriptionRow, group: str) -> Iterator[bytes]:
    group_id = find_group_id(rollcall, found.id, group)
    find_group(rollcall, found.id, group_id)
    downloaded = FileDownloaded("group-users", f"group-{group_id}.csv", group_id)
    record_download(rollcall, operator_origin(found.id), downloaded)
    return export_users(exports.users_of_group(rollcall.views, found.id, group_id))


def _write(pieces: Iterator[bytes], out: BinaryIO) -> None:
    try:
        out.writelines(pieces)
        out.flush()
    except BrokenPipeError:
        raise OutputClosed from None
