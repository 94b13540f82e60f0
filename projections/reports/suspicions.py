"""What is suspicious about the names of a file's groups once the groups are known that exist.

The reader points out what the file itself says (see `domain.files.suspicions`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct

from domain.files.suspicions import parts_of
from domain.naming import group_key, printable
from domain.problems import Problem
from domain.spreadsheets import may_be_changed, sheet_values
from projections.directory import read as directory

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from uuid import UUID

    from application.rosters import StoredRoster
    from projections.view import ViewCursor

BYTES_PER_SUSPECT = 1_000


class _Suspect(Struct, frozen=True):
    """A group of a file that may not be what was meant: the keys of the groups that its name lists, and its values.

    There are none that it lists if all of them are groups of the file, which the reader has pointed out.
    """

    number: int
    name: str
    parts: tuple[str, ...]
    values: frozenset[str]


def suspicions(cursor: ViewCursor, subscription_id: UUID, roster: StoredRoster) -> dict[int, Problem]:
    """Return what existing groups make suspicious about those groups of a file that would be new, by number."""
    suspects = roster.cached("suspects", lambda: _suspects(roster))
    if not suspects:
        return {}

    def look_up() -> tuple[dict[int, Problem], int]:
        found = _suspicions(cursor, subscription_id, roster, suspects)
        return found, BYTES_PER_SUSPECT * len(found)

    # The mark is read first, so that what is found is at least as new as it says.
    return roster.cached(("suspicions", directory.mark(cursor)), look_up)


def _suspicions(
    cursor: ViewCursor, subscription_id: UUID, roster: StoredRoster, suspects: Sequence[_Suspect]
) -> dict[int, Problem]:
    keys = {group_key(each.name) for each in suspects}.union(*(each.parts for each in suspects))
    existing = directory.group_ids_by_key(cursor, subscription_id, sorted(keys))
    values = {value for each in suspects for value in each.values}
    named = directory.names_by_sheet_value(cursor, subscription_id, sorted(values)) if values else {}
    found = ((each, _suspicion(each, existing, named)) for each in suspects if group_key(each.name) not in existing)
    return {each.number: _problem(roster, each, *suspicion) for each, suspicion in found if suspicion}


def _suspects(roster: StoredRoster) -> tuple[Sequence[_Suspect], int]:
    numbers = roster.index.comparable if roster.index.comparable is not None else range(1, len(roster) + 1)
    names = {number: roster.group_name(number) for number in numbers}
    listing = {number: parts for number, name in names.items() if (parts := parts_of(name))}
    keys = {group_key(name) for some in roster.group_names() for name in some} if listing else set[str]()
    suspects = []
    for number, name in names.items():
        elsewhere = tuple(part for part in listing.get(number, []) if part not in keys)
        values = sheet_values(name)
        if elsewhere or values:
            suspects.append(_Suspect(number, name, elsewhere, values))
    return suspects, BYTES_PER_SUSPECT * len(suspects)


def _suspicion(
    suspect: _Suspect, existing: Mapping[str, UUID], named: Mapping[str, Sequence[str]]
) -> tuple[str, str] | None:
    if suspect.parts and all(part in existing for part in suspect.parts):
        return "looks-like-several", "each part of it is a group that exists or is in the file"
    others = (other for value in sorted(suspect.values) for other in named.get(value, ()))
    if other := next((other for other in others if may_be_changed(suspect.name, other)), ""):
        return "looks-changed", f"there is a group “{printable(other)}”, and programs turn one into the other"
    return None


def _problem(roster: StoredRoster, suspect: _Suspect, code: str, detail: str) -> Problem:
    group = roster.group(suspect.number)
    header = roster.index.header[group.column - 1] if group.column <= len(roster.index.header) else ""
    place, row = (group.line, group.column, header), roster.sheet_row(group.line)
    return Problem(code, *place, printable(suspect.name), detail, (suspect.number,), row)
