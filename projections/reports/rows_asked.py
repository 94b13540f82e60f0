"""What the rows of a file ask for, one membership after the other, with the names and addresses of its review."""

from __future__ import annotations

from functools import lru_cache
from itertools import chain
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

from domain.edits import UNCORRECTED
from domain.errors import GroupNameInvalid
from domain.files.file_rows import BrokenRow, emails_in
from domain.files.suspicions import BLANK_WORDS
from domain.naming import group_key, parse_group_name, printable
from domain.problems import Problem

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from application.rosters import StoredRoster
    from domain.addresses import PrivateDomains
    from domain.edits import Plan
    from domain.files.file_rows import Cell, FileRow, FileRows

Membership: TypeAlias = tuple[int, str]
"""A group of the file, by number, and the address of a user."""


class Wanted(NamedTuple):
    """A cell that puts a user into a group: what to write if that isn't done, and whom it puts where.

    If it can't be used, `fault` says why.
    """

    text: str
    membership: Membership = (0, "")
    fault: str = ""


class AskedRow(NamedTuple):
    """What a row asks for: its first cells, by column, the repeated ones, and why none of it can be done, if so."""

    cells: Mapping[int, str]
    wanted: Sequence[Wanted]
    fault: str = ""


class _Faults:
    """The errors found in a file, looked up row by row, from first to last."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self._rest = (problem for problem in problems if problem.severity == "error")
        self._next = next(self._rest, None)

    def between(self, first: int, last: int) -> list[Problem]:
        """Return those on these lines."""
        found = []
        while self._next is not None and self._next.line <= last:
            if self._next.line >= first:
                found.append(self._next)
            self._next = next(self._rest, None)
        return found


class AskedRows:
    """What the rows of a file ask for, in its order, and then what the review has added."""

    def __init__(self, source: FileRows, roster: StoredRoster, plan: Plan, private: PrivateDomains) -> None:
        self._source = source
        self._roster = roster
        self._plan = plan
        self._private = private
        self._numbers = {key: number for number, key in enumerate(roster.group_keys(), start=1)}
        self._number = lru_cache(maxsize=100_000)(self._find_number)
        self._faults = _Faults(roster.problems())

    def __iter__(self) -> Iterator[AskedRow | BrokenRow]:
        of_row = self._user_based if self._source.format == "user_based" else self._group_based
        for row in self._source:
            if isinstance(row, BrokenRow):
                yield row
            else:
                yield from of_row(row, self._faults.between(row.line, row.last_line))
        yield from self._added_users() if self._source.format == "user_based" else self._added_to_groups()

    def _find_number(self, name: str) -> int:
        """Return the number of the group that a cell names; 0 if it is none."""
        try:
            return self._numbers.get(group_key(parse_group_name(name)), 0)
        except GroupNameInvalid:
            return 0

    def _name(self, number: int, in_file: str) -> str:
        return self._plan.names.get(number, in_file)

    def _corrected(self, number: int, said: str) -> str:
        return self._plan.corrected.get(number, UNCORRECTED).get(said, said)

    # --- user-based -------------------------------------------------------------------------------------------------

    def _user_based(self, row: FileRow, faults: Sequence[Problem]) -> Iterator[AskedRow]:
        address, *names = row.cells[:3]
        groups = [cell for cell in row.cells[3:] if cell.text.strip()]
        by_column = {fault.column: fault.message for fault in faults}
        missing = next((fault.message for fault in faults if fault.code == "group-name-missing"), "")
        said = self._said(address, by_column)
        found: dict[str, list[Wanted]] = {}
        for cell in groups:
            number = self._number(cell.text)
            if wrong := by_column.get(cell.column):
                for head, fault in self._heads(address, said, groups, by_column):
                    found.setdefault(head, []).append(Wanted(cell.text, fault=f"{wrong} {fault}".strip()))
                continue
            if not number or number in self._plan.left_out:
                continue
            for email, fault in said.items():
                head, membership = self._membership(number, cell.text, email, fault)
                plain = head == email and len(said) == 1
                found.setdefault(address.text if plain else head, []).append(membership)
        leading = row.passed_over | {each.column: each.text for each in names}
        if missing:
            told = " ".join(dict.fromkeys((missing, *filter(None, said.values()))))
            yield AskedRow(leading | {address.column: address.text}, (), told)
        for head, wanted in found.items():
            yield AskedRow(leading | {address.column: head}, wanted)

    def _said(self, address: Cell, faults: Mapping[int, str]) -> dict[str, str]:
        """Return the addresses in a cell, or what it holds that is none, each with what is wrong about it."""
        if fault := faults.get(address.column):
            return {printable(address.text): fault}
        emails = emails_in(address.text, self._private)
        return dict.fromkeys(emails, "") or {address.text: _no_address(address.text)}

    def _membership(self, number: int, name: str, said: str, fault: str) -> tuple[str, Wanted]:
        """Return the address that a row stands for in a group, and what the cell of the group puts there."""
        email = self._corrected(number, said)
        if fault and email == said:
            return said, Wanted(self._name(number, name), (number, said), fault)
        return email, Wanted(self._name(number, name), (number, email))

    def _heads(
        self, address: Cell, said: Mapping[str, str], groups: Sequence[Cell], faults: Mapping[int, str]
    ) -> Iterator[tuple[str, str]]:
        """Yield the addresses to write before a cell that names no group, as they are in the other groups of the row.

        Each comes with what is wrong about it.
        """
        numbers = [self._number(cell.text) for cell in groups if cell.column not in faults]
        for email, fault in said.items():
            corrected = next((to for at in numbers if (to := self._corrected(at, email)) != email), "")
            yield corrected or (address.text if len(said) == 1 else email), "" if corrected else fault

    def _added_users(self) -> Iterator[AskedRow]:
        groups: dict[str, list[int]] = {}
        for number, emails in sorted(self._plan.added.items()):
            for email in sorted(emails):
                groups.setdefault(email, []).append(number)
        for email, numbers in groups.items():
            names = self._roster.names_of_groups(numbers)
            wanted = [Wanted(self._name(at, name), (at, email)) for at, name in zip(numbers, names, strict=True)]
            yield AskedRow({self._source.leading[0]: email}, wanted)

    # --- group-based ------------------------------------------------------------------------------------------------

    def _group_based(self, row: FileRow, faults: Sequence[Problem]) -> Iterator[AskedRow]:
        name, *rest = row.cells
        addresses = [cell for cell in rest if (word := cell.text.strip()) and word not in BLANK_WORDS]
        by_column = {fault.column: fault for fault in faults}
        number = self._number(name.text)
        if number in self._plan.left_out:
            return
        wrong = next(
            (each.message for each in faults if each.column == name.column or each.code == "email-missing"), ""
        )
        cells = row.passed_over | {name.column: self._name(number, name.text)}
        if wrong or not number:
            yield AskedRow(cells, [Wanted(cell.text, fault=wrong) for cell in addresses], wrong or _no_group(name.text))
            return
        wanted = list(chain.from_iterable(self._users(number, cell, by_column.get(cell.column)) for cell in addresses))
        yield AskedRow(cells, wanted)

    def _users(self, number: int, cell: Cell, fault: Problem | None) -> Iterator[Wanted]:
        """Return whom a cell puts into a group."""
        if fault:
            said = printable(cell.text)
            email = self._corrected(number, said)
            yield Wanted(email, (number, email)) if email != said else Wanted(cell.text, fault=fault.message)
            return
        emails = emails_in(cell.text, self._private)
        if not emails:
            yield Wanted(cell.text, fault=_no_address(cell.text))
        for said in emails:
            email = self._corrected(number, said)
            yield Wanted(cell.text if email == said and len(emails) == 1 else email, (number, email))

    def _added_to_groups(self) -> Iterator[AskedRow]:
        for number, emails in sorted(self._plan.added.items()):
            name = self._name(number, self._roster.group_name(number))
            yield AskedRow({self._source.leading[0]: name}, [Wanted(each, (number, each)) for each in sorted(emails)])


def _no_address(text: str) -> str:
    return Problem("email-invalid", value=printable(text)).message.strip()


def _no_group(text: str) -> str:
    return Problem("group-name-invalid", value=printable(text)).message.strip()
