"""Exports to files or to the standard output."""

from __future__ import annotations

import sys
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, cast

import click

from adapters.cli.lookup import find_group_id, find_subscription
from adapters.cli.options import subscription_option
from adapters.cli.process import open_rollcall
from adapters.cli.terminal import DONE, OutputClosed
from adapters.exports import NAMES, ExportKind, ExportName, export, export_users
from adapters.http.lookups import find_group
from projections.reports import exports

if TYPE_CHECKING:
    from collections.abc import Iterator

    from adapters.composition import Rollcall
    from projections.directory.read import SubscriptionRow

GROUP_USERS = "group-users"


@click.command("export", short_help="Write groups, users or the audit log to a file")
@click.argument("what", metavar="WHAT", type=click.Choice([*NAMES, GROUP_USERS]))
@subscription_option
@click.option("--group", metavar="GROUP", help=f"The group, by name or id (with {GROUP_USERS}).")
@click.option(
    "--output", "-o", type=click.Path(dir_okay=False, path_type=Path), help="The file to write, instead of the output."
)
@click.option("--json", "as_json", is_flag=True, help="Write lines of JSON instead of CSV.")
def export_command(*, what: str, name_or_id: str, group: str | None, output: Path | None, as_json: bool) -> int:
    """Write WHAT to a file: groups-user-based, groups-group-based, users, audit or group-users.

    The groups files are import files. If you import one again, nothing changes. The user-based one has no groups
    without users. Users are written in the columns of a licence file.
    """
    if (what == GROUP_USERS) != (group is not None):
        raise click.UsageError(f"Give --group together with {GROUP_USERS}.")
    kind: ExportKind = "ndjson" if as_json else "csv"
    with open_rollcall("directory", "audit_log") as rollcall, ExitStack() as stack:
        found = find_subscription(rollcall, name_or_id)
        pieces = _pieces(rollcall, found, what, group, kind)
        _write(pieces, stack.enter_context(output.open("wb")) if output else sys.stdout.buffer)
    return DONE


def _pieces(
    rollcall: Rollcall, found: SubscriptionRow, what: str, group: str | None, kind: ExportKind
) -> Iterator[bytes]:
    if group is None:
        return export(rollcall.views, found.id, cast("ExportName", what), kind)
    group_id = find_group_id(rollcall, found.id, group)
    find_group(rollcall, found.id, group_id)
    return export_users(exports.users_of_group(rollcall.views, found.id, group_id), kind)


def _write(pieces: Iterator[bytes], out: BinaryIO) -> None:
    try:
        out.writelines(pieces)
        out.flush()
    except BrokenPipeError:
        raise OutputClosed from None
