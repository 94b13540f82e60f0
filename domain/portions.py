"""How many users one event holds. More of them go into several events of one append."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

T = TypeVar("T")

USERS_AN_EVENT = 1_000
"""So that an event has some 50 KB, and 1.5 MB at most, if all addresses and names are as long as they may be."""


def portions(users: Sequence[T]) -> Iterator[tuple[T, ...]]:
    """Return the users in tuples that an event can hold; none if there are no users."""
    return (tuple(users[start : start + USERS_AN_EVENT]) for start in range(0, len(users), USERS_AN_EVENT))
