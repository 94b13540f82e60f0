"""The users of a file without a licence, in the terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from adapters.cli.terminal import ROWS_SHOWN, Column

if TYPE_CHECKING:
    from collections.abc import Sequence

    from adapters.cli.terminal import Terminal
    from projections.reports.unlicensed import UnlicensedUser


def people_without_licence(terminal: Terminal, people: Sequence[UnlicensedUser]) -> None:
    """Show the first of these users, in the columns of a licence file."""
    if people:
        terminal.say()
        terminal.table(
            (Column("email"), Column("first name"), Column("last name")),
            ((each.email, each.first_name, each.last_name) for each in people[:ROWS_SHOWN]),
            title="Without a licence",
            more=max(0, len(people) - ROWS_SHOWN),
        )
