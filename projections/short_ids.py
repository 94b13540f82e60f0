"""Ids by their first characters, as people shorten them: a query over the keys of several views."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, TypeAlias
from uuid import UUID

from msgspec import Struct

if TYPE_CHECKING:
    from projections.view import ViewCursor

Kind: TypeAlias = Literal["subscription", "group", "import", "token"]

DIGITS = 32  # of a whole id
SOURCES: dict[Kind, str] = {
    "subscription": "SELECT subscription_id AS id, subscription_id, name FROM directory_subscriptions",
    "group": "SELECT group_id AS id, subscription_id, name FROM directory_groups",
    "import": "SELECT import_id AS id, subscription_id, file->>'file_name' AS name FROM imports",
    "token": "SELECT token_id AS id, subscription_id, name FROM access_tokens",
}


class NamedId(Struct, frozen=True):
    """An id, and the name by which people know what it belongs to."""

    id: UUID
    name: str


def beginning_with(
    cursor: ViewCursor, kind: Kind, digits: str, *, subscription_id: UUID | None = None, limit: int
) -> list[NamedId]:
    """Return what has an id that begins with these hexadecimal digits, in one subscription or in all, by id."""
    cursor.execute(
        f"""
        SELECT id, name FROM ({SOURCES[kind]}) AS named
        WHERE id BETWEEN %(lowest)s AND %(highest)s
          AND (%(subscription)s::uuid IS NULL OR subscription_id = %(subscription)s)
        ORDER BY id LIMIT %(limit)s
        """,
        {**_ids(digits), "subscription": subscription_id, "limit": limit},
    )
    return [NamedId(row["id"], row["name"]) for row in cursor]


def groups_ever(
    cursor: ViewCursor, subscription_id: UUID, key: str, digits: str | None, *, limit: int
) -> list[NamedId]:
    """Return the groups of a subscription that have or had a name (by `naming.group_key`), or an id that begins so.

    Deleted ones are among them. Each bears its latest name of those that fit.
    """
    cursor.execute(
        """
        SELECT DISTINCT ON (id) id, name FROM (
            SELECT group_id AS id, subscription_id, name, name_key, NULL::bigint AS until FROM directory_groups
            UNION ALL
            SELECT group_id, subscription_id, name, name_key, until FROM directory_past_groups
        ) AS ever
        WHERE subscription_id = %(subscription)s AND (
            (left(name_key, 255) = left(%(key)s, 255) AND name_key = %(key)s) OR id BETWEEN %(lowest)s AND %(highest)s
        )
        ORDER BY id, until DESC LIMIT %(limit)s
        """,
        {**_ids(digits), "subscription": subscription_id, "key": key, "limit": limit},
    )
    return [NamedId(row["id"], row["name"]) for row in cursor]


def _ids(digits: str | None) -> dict[str, UUID | None]:
    """Return the lowest and the highest id that begin with these digits; None if there are none."""
    return {
        "lowest": UUID(digits.ljust(DIGITS, "0")) if digits else None,
        "highest": UUID(digits.ljust(DIGITS, "f")) if digits else None,
    }
