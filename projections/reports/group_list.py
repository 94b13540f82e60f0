"""The list of a subscription's groups: filtered and sorted, in pages that cost the same wherever they are.

Each order is that of an index, and so are the filter by import in the order of names, by size in that of sizes, and by
date in that of dates. Any other filter passes over the rows that don't match (see decision 33).
"""

from __future__ import annotations

from collections.abc import Callable  # noqa: TC003 - NamedTuple evaluates it
from datetime import datetime
from typing import TYPE_CHECKING, Any, Literal, LiteralString, NamedTuple, TypeAlias
from uuid import UUID

from msgspec import Struct, structs

from domain.naming import group_key
from projections.directory.read import GroupRow

if TYPE_CHECKING:
    from projections.view import ViewCursor

GroupSort: TypeAlias = Literal["name", "-name", "users", "-users", "created", "-created"]
Place: TypeAlias = tuple[Any, UUID]
"""Where a group is in a list: what the list is sorted by, and the group's id."""


class GroupFilter(Struct, frozen=True):
    """Which groups to list: those that meet every condition set.

    `search` is part of the name, `import_id` the import that created the group. `least` and `most` are numbers of
    users. `since` and `until` are times between which it was created, the latter excluded.
    """

    search: str = ""
    import_id: UUID | None = None
    least: int | None = None
    most: int | None = None
    since: datetime | None = None
    until: datetime | None = None


ALL_GROUPS = GroupFilter()


class _Order(NamedTuple):
    """What a list is sorted by: a column, what to compare it with, the type of places, and how to get a value."""

    column: LiteralString
    place: LiteralString
    places: Any
    key: Callable[[GroupRow], object]


_BY_NAME = _Order("left(name_key, 255)", "left(%(key)s, 255)", tuple[str, UUID], lambda row: group_key(row.name))
_ORDERS = {
    "name": _BY_NAME,
    "users": _Order("users", "%(key)s", tuple[int, UUID], lambda row: row.users),
    "created": _Order("created_at", "%(key)s", tuple[datetime, UUID], lambda row: row.created_at),
}
_CONDITIONS: dict[str, LiteralString] = {
    "search": "AND strpos(name_key, %(search)s) > 0",
    "import_id": "AND import_id = %(import_id)s",
    "least": "AND users >= %(least)s",
    "most": "AND users <= %(most)s",
    "since": "AND created_at >= %(since)s",
    "until": "AND created_at < %(until)s",
}


def default_sort(wanted: GroupFilter) -> GroupSort:
    """Return the order in which a filter is cheapest: by size if it is about sizes, by date if it is about dates."""
    if wanted.least is not None or wanted.most is not None:
        return "users"
    return "-created" if wanted.since or wanted.until else "name"


def group_list(
    cursor: ViewCursor,
    subscription_id: UUID,
    wanted: GroupFilter = ALL_GROUPS,
    sort: GroupSort = "name",
    *,
    after: Place | None = None,
    limit: int | None = 100,
) -> list[GroupRow]:
    """Return a page of the groups that match a filter and follow a place."""
    order, down = _ORDERS[sort.removeprefix("-")], sort.startswith("-")
    conditions: LiteralString = " ".join(
        sql for name, sql in _CONDITIONS.items() if getattr(wanted, name) not in {None, ""}
    )
    behind: LiteralString = f"AND ({order.column}, group_id) {'<' if down else '>'} ({order.place}, %(id)s)"
    direction: LiteralString = "DESC" if down else "ASC"
    key, group_id = after or (None, None)
    cursor.execute(
        f"""
        SELECT group_id, name, users, created_at, import_id FROM directory_groups
        WHERE subscription_id = %(subscription)s {conditions} {behind if after else ""}
        ORDER BY {order.column} {direction}, group_id {direction} LIMIT %(limit)s
        """,
        {
            **structs.asdict(wanted),
            "search": group_key(wanted.search),
            "subscription": subscription_id,
            "key": key,
            "id": group_id,
            "limit": limit,
        },
    )
    return [GroupRow(*row.values()) for row in cursor]


def place(row: GroupRow, sort: GroupSort) -> Place:
    """Return the place of a group in a list with this order."""
    return _ORDERS[sort.removeprefix("-")].key(row), row.id


def kind_of_place(sort: GroupSort) -> Any:
    """Return the type of the places in a list with this order."""
    return _ORDERS[sort.removeprefix("-")].places
