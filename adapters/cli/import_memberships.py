"""Who was added to which group by an import, who was there already, who was left out, and whom an undo removed."""

from __future__ import annotations

from typing import get_args

import click

from adapters.cli.lookup import find_import
from adapters.cli.options import import_argument, json_option, limit_option
from adapters.cli.process import open_rollcall
from adapters.cli.terminal import DONE, Column, Terminal
from application.importing import stored_roster
from projections.reports.import_memberships import ImportMembership, MembershipOutcome, import_memberships

ALL = 100_000_000
LABELS: dict[MembershipOutcome, str] = {
    "added": "added",
    "already_there": "already there",
    "left_out": "left out: no licence",
    "removed": "removed by the undo",
}


@click.command("import-memberships", short_help="List who was added to which group")
@import_argument
@click.option("--outcome", type=click.Choice(get_args(MembershipOutcome)), help="Only users of whom this became.")
@limit_option
@json_option
def import_memberships_command(
    *, import_id: str, outcome: MembershipOutcome | None, limit: int | None, as_json: bool
) -> int:
    """List what became of the users of an import's file, group by group in its order.

    They were added to their group, in it already, or left out because they have no licence. With --outcome removed, you
    see whom an undo removed again.
    """
    terminal = Terminal(as_json=as_json)
    with open_rollcall("import_list", "review", "groups_added", "directory") as rollcall:
        row = find_import(rollcall, import_id)
        rows: list[ImportMembership] = []
        if row.read is not None:
            roster = stored_roster(rollcall, row.subscription_id, row.read.roster)
            with rollcall.views() as cursor:
                found = import_memberships(cursor, row, roster, outcome, limit=ALL if limit is None else limit + 1)
            rows = [each for _, each in found]
    terminal.listing(
        rows,
        (Column("user"), Column("group"), Column("result", whole=True), Column("line", number=True)),
        lambda each: (each.email, each.group, LABELS[each.outcome], f"{each.line:,}" if each.line else ""),
        limit,
    )
    return DONE
