"""Edits of a file that the options of a command ask for: groups to leave out, and addresses to correct."""

from __future__ import annotations

from collections.abc import Sequence
from shlex import quote
from typing import TYPE_CHECKING

import click
from msgspec import Struct

from application.editing import Correct, LeaveOut
from domain.errors import NotFound
from domain.naming import group_key, listed, printable

if TYPE_CHECKING:
    from application.editing import AskedEdit
    from application.rosters import StoredRoster
    from domain.problems import Problem


class EditOptions(Struct, frozen=True):
    """The names of groups that the administrator doesn't want, and addresses as they are and should be."""

    leave_out: Sequence[str] = ()
    correct: Sequence[tuple[str, str]] = ()

    def asked(self, roster: StoredRoster) -> list[AskedEdit]:
        """Return the edits of a file that are asked for; raises NotFound, which tells all groups that it hasn't."""
        left_out = [LeaveOut(number) for number in _group_numbers(roster, self.leave_out)]
        return [*left_out, *(Correct(old, new) for old, new in self.correct)]


NO_EDITS = EditOptions()


def _pairs(
    _context: click.Context, _parameter: click.Parameter, values: tuple[str, ...]
) -> tuple[tuple[str, str], ...]:
    pairs = [value.rpartition("=") for value in values]
    if wrong := next((value for value, (old, _, new) in zip(values, pairs, strict=True) if not (old and new)), None):
        raise click.BadParameter(f"“{wrong}” isn't of the form OLD=NEW.")
    return tuple((old, new) for old, _, new in pairs)


leave_out_option = click.option(
    "--leave-out",
    "leave_out",
    multiple=True,
    metavar="NAME",
    help="Don't add this group of the file. You can give the option several times.",
)
correct_option = click.option(
    "--correct",
    multiple=True,
    metavar="OLD=NEW",
    callback=_pairs,
    help="Put an address in place of one in the file, in all its groups. You can give the option several times.",
)


def _group_numbers(roster: StoredRoster, names: Sequence[str]) -> list[int]:
    wanted = {group_key(name): name for name in names}
    if not wanted:
        return []
    keys = (group_key(name) for some in roster.group_names() for name in some)
    found = {key: number for number, key in enumerate(keys, start=1) if key in wanted}
    if missing := [printable(name) for key, name in wanted.items() if key not in found]:
        raise NotFound(what="group in the file with the name", id=listed(missing))
    return sorted(found.values())


def advice(problem: Problem) -> str:
    """Return the option that solves a problem, if one does what its remedy says."""
    if not problem.groups:
        return ""
    if problem.code == "email-invalid":
        return f" (--correct {quote(f'{problem.value}=ADDRESS')})"
    return f" (--leave-out {quote(problem.value)})" if problem.code == "looks-blank" else ""
