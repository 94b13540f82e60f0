"""Files to read in the tests of this folder, and what was read of them."""

from __future__ import annotations

from domain.files.roster_file import read_roster
from domain.problems import FileProblems, Problem
from domain.roster import Limits, Roster

USERS = "email,FirstName,LastName,Groupname,Groupname\n"
GROUPS = "Groupname,Email,Email\n"

Place = tuple[str, int, int]
"""A problem's code, line and column."""


def content(text: str | bytes) -> bytes:
    return text if isinstance(text, bytes) else text.encode()


def roster(text: str | bytes, limits: Limits | None = None) -> Roster:
    read = read_roster(content(text), "list.csv", limits or Limits())
    assert isinstance(read, Roster), read
    return read


def refusal(text: str | bytes, name: str = "list.csv", limits: Limits | None = None) -> tuple[Problem, ...]:
    read = read_roster(content(text), name, limits or Limits())
    assert isinstance(read, FileProblems), read
    return read.problems


def places(problems: list[Problem] | tuple[Problem, ...]) -> list[Place]:
    return [(problem.code, problem.line, problem.column) for problem in problems]


def memberships(read: Roster) -> dict[str, list[str]]:
    return {group.name: [member.email for member in group.members] for group in read}
