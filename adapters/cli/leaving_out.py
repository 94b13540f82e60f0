"""Groups of a file that its administrator doesn't want, by the names that `--leave-out` gives."""

from __future__ import annotations

from shlex import quote
from typing import TYPE_CHECKING

import click

from domain.errors import NotFound
from domain.naming import group_key, listed, printable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from application.rosters import StoredRoster
    from domain.problems import Problem

leave_out_option = click.option(
    "--leave-out",
    "leave_out",
    multiple=True,
    metavar="NAME",
    help="Don't add this group of the file. You can give the option several times.",
)


def group_numbers(roster: StoredRoster, names: Sequence[str]) -> list[int]:
    """Return the numbers of the groups with these names in the file; raises NotFound, which tells all others."""
    wanted = {group_key(name): name for name in names}
    if not wanted:
        return []
    keys = (group_key(name) for some in roster.group_names() for name in some)
    found = {key: number for number, key in enumerate(keys, start=1) if key in wanted}
    if missing := [printable(name) for key, name in wanted.items() if key not in found]:
        raise NotFound(what="group in the file with the name", id=listed(missing))
    return sorted(found.values())


def advice(problem: Problem) -> str:
    """Return how to leave the group out that a problem is about, if that is what its remedy says."""
    return f" (--leave-out {quote(problem.value)})" if problem.code == "looks-blank" and problem.groups else ""
