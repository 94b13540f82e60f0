"""How much is measured."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator


class Sizes(NamedTuple):
    """How often each row is measured, and with how many of everything."""

    runs: int
    licences: int
    groups: int
    large_groups: int
    read_rows: int
    memory_rows: int
    django_rows: int
    growth: tuple[int, ...]
    seconds: float
    """How long clients send requests."""


FULL = Sizes(
    runs=5,
    licences=100_000,
    groups=100_000,
    large_groups=1_000,
    read_rows=500_000,
    memory_rows=1_000_000,
    django_rows=10_000,
    growth=(1_000, 10_000, 100_000, 1_000_000),
    seconds=3.0,
)
QUICK = Sizes(
    runs=3,
    licences=2_000,
    groups=1_000,
    large_groups=30,
    read_rows=20_000,
    memory_rows=20_000,
    django_rows=200,
    growth=(100, 1_000, 10_000),
    seconds=0.5,
)

USERS_A_GROUP = 10
USERS_A_LARGE_GROUP = 1_000


def email(number: int) -> str:
    """Return a user's address, as long as addresses are."""
    return f"user{number:06}@department{number % 100:02}.example.com"


def licences(users: int, first: int = 0) -> bytes:
    """Return a file that allocates a licence to so many users, from a number on."""
    numbers = range(first, first + users)
    rows = (f"{email(number)},Firstname{number:06},Lastname{number:06}\n" for number in numbers)
    return ("email,FirstName,LastName\n" + "".join(rows)).encode()


def group_based(name: str, groups: int, licensed: int, users: int = USERS_A_GROUP) -> bytes:
    """Return a file of groups with so many users each, from among those with a licence."""

    def row(number: int) -> str:
        first = number * users
        return f"{name} {number}," + ",".join(email(each % licensed) for each in range(first, first + users)) + "\n"

    return ("Groupname" + ",Email" * users + "\n" + "".join(map(row, range(groups)))).encode()


def user_based(rows: int, groups: int, columns: int) -> bytes:
    """Return a file of users that are each in some of the groups, of about 85 bytes a row where it is one group."""

    def lines() -> Iterator[str]:
        yield "email,FirstName,LastName" + ",Groupname" * columns + "\n"
        for number in range(rows):
            names = (f",Group {(number + each * 3) % groups:05}" for each in range(columns))
            yield f"{email(number)},Firstname{number:06},Lastname{number:06}{''.join(names)}\n"

    return "".join(lines()).encode()
