"""Rebuilding an import from its events and its bytes, and comparing that with what is shown."""

from __future__ import annotations

from uuid import UUID

import click
from msgspec import Struct

from adapters.cli.lookup import find_import
from adapters.cli.options import import_argument, json_option
from adapters.cli.process import open_rollcall
from adapters.cli.terminal import DONE, REFUSED, Column, Terminal
from adapters.replaying import Difference, differences, differing_verdicts, is_erased
from application.erased_files import why_erased
from projections.reports.wording import counted


class ReplayReport(Struct, frozen=True):
    """What a replay has found, as JSON: it is `exact` if there are no differences.

    `file_erased` means that the file couldn't be compared, because it was erased: after its retention, or because it
    named a person who was forgotten.
    """

    import_id: UUID
    version: int
    exact: bool
    differences: list[Difference]
    file_erased: bool


@click.command("replay", short_help="Rebuild an import from its events, and compare")
@import_argument
@click.option("--reader", is_flag=True, help="Read the stored file with today's reader, and list what would differ.")
@json_option
def audit_replay(*, import_id: str, reader: bool, as_json: bool) -> int:
    """Rebuild an import from its events and its stored bytes, and compare that with what every view says of it.

    Exits with 1 if anything differs. With --reader, compare instead what today's reader makes of the stored file with
    what was made of it when it was uploaded.
    """
    terminal = Terminal(as_json=as_json)
    with open_rollcall() as rollcall:
        row = find_import(rollcall, import_id)
        found = differing_verdicts(rollcall, row) if reader else differences(rollcall, row)
        erased = is_erased(rollcall, row)
        why = why_erased(rollcall, row.subscription_id, row.id) if erased else ""
    if as_json:
        terminal.emit(ReplayReport(row.id, row.version, not found, found, erased))
    elif found:
        terminal.table(
            (Column("what differs"), Column("expected"), Column("found")),
            ((each.what, each.expected, each.found) for each in found),
            title=counted(len(found), "difference"),
        )
    elif reader:
        terminal.say("Today's reader says the same of the file as when it was uploaded.")
    else:
        events = counted(row.version, "event")
        compared = "the roster" if erased else "the file, its roster"
        terminal.say(f"Exact: {compared} and every view are what the {events} of this import say.")
        if erased:
            terminal.say(f"The file itself is gone. {why}")
    return REFUSED if found else DONE
