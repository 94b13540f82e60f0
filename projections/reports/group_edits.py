"""The edits of some groups of a file, the problems found in them, and the groups that exist, by one look-up."""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import UUID

from msgspec import Struct, json

from projections.arrays import array
from projections.directory import read as directory
from projections.positions import Bookmark

if TYPE_CHECKING:
    from collections.abc import Sequence

    from projections.view import ViewCursor


class Edits(Struct, frozen=True):
    """What the review and the directory say of some groups, by their numbers or the keys of their names.

    `brings_users` are the numbers of those that have users whom the file doesn't have there (see `domain.edits`).
    """

    renamed: dict[int, tuple[str, str]]
    problems: dict[int, int]
    removed: dict[int, tuple[str, ...]]
    left_out: frozenset[int]
    brings_users: tuple[int, ...]
    existing: dict[str, UUID]
    any_renamed: bool
    directory: Bookmark


DECODE = json.Decoder(Edits).decode
# One document, because the rows of a page would take several times as long to decode. Each table is looked up once.
EDITS = """
SELECT json_build_object(
    'renamed', (
        SELECT coalesce(json_object_agg(number, json_build_array(name, name_key)), '{}')
        FROM review_renamed WHERE import_id = %(import)s AND number = ANY(%(numbers)b::int[])
    ),
    'problems', (
        SELECT coalesce(json_object_agg(number, problems), '{}') FROM (
            SELECT number, count(*) AS problems FROM review_group_problems
            WHERE import_id = %(import)s AND number = ANY(%(numbers)b::int[]) GROUP BY number
        ) AS counted
    ),
    'removed', (
        SELECT coalesce(json_object_agg(number, emails), '{}') FROM (
            SELECT number, json_agg(email) AS emails FROM review_removed
            WHERE import_id = %(import)s AND number = ANY(%(numbers)b::int[]) GROUP BY number
        ) AS listed
    ),
    'left_out', (
        SELECT coalesce(json_agg(number), '[]')
        FROM review_left_out WHERE import_id = %(import)s AND number = ANY(%(numbers)b::int[])
    ),
    'brings_users', (
        SELECT coalesce(json_agg(number), '[]') FROM (
            SELECT number FROM review_corrected WHERE import_id = %(import)s AND number = ANY(%(numbers)b::int[])
            UNION SELECT number FROM review_added WHERE import_id = %(import)s AND number = ANY(%(numbers)b::int[])
        ) AS edited
    ),
    'existing', (
        SELECT coalesce(json_object_agg(name_key, group_id), '{}') FROM (
            SELECT unnest(string_to_array(%(keys)s, E'\\n')) UNION
            SELECT name_key FROM review_renamed WHERE import_id = %(import)s AND number = ANY(%(numbers)b::int[])
        ) AS named (name_key)
        CROSS JOIN LATERAL (
            SELECT group_id FROM directory_groups AS d
            WHERE d.subscription_id = %(subscription)s
              AND left(d.name_key, 255) = left(named.name_key, 255) AND d.name_key = named.name_key LIMIT 1
        ) AS found
    ),
    'any_renamed', EXISTS (SELECT FROM review_renamed WHERE import_id = %(import)s),
    'directory', (
        SELECT json_build_object('position', position, 'proof', proof) FROM view_positions WHERE view = %(directory)s
    )
)::text AS edits
"""


def find_edits(
    cursor: ViewCursor, subscription_id: UUID, import_id: UUID, numbers: Sequence[int], keys: Sequence[str]
) -> Edits:
    """Return what there is about the groups with these numbers, whose names in the file have these keys."""
    wanted = {
        "subscription": subscription_id,
        "directory": directory.NAME,
        "import": import_id,
        "numbers": array("int", numbers),
        "keys": "\n".join(keys),
    }
    row = cursor.execute(EDITS, wanted).fetchone()
    assert row  # noqa: S101 - it is one document
    return DECODE(row["edits"])
