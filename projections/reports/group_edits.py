"""The edits of some groups of a file, and the problems found in them, by one look-up."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct, json

from projections.arrays import array
from projections.directory import read as directory

if TYPE_CHECKING:
    from collections.abc import Sequence
    from uuid import UUID

    from projections.view import ViewCursor


class Edits(Struct, frozen=True):
    """What the review says of some groups, by their numbers, and the directory's mark before.

    `brings_users` are the numbers of those that have users whom the file doesn't have there (see `domain.edits`).
    """

    renamed: dict[int, tuple[str, str]]
    problems: dict[int, int]
    removed: dict[int, tuple[str, ...]]
    left_out: frozenset[int]
    brings_users: tuple[int, ...]
    any_renamed: bool
    directory: directory.Mark


DECODE = json.Decoder(Edits).decode
# One document, because the rows of a page would take several times as long to decode. Each table is looked up once.
EDITS = """
SELECT json_build_object(
    'renamed', (
        SELECT coalesce(json_object_agg(number, json_build_array(name, name_key)), '{{}}')
        FROM review_renamed WHERE {which}
    ),
    'problems', (
        SELECT coalesce(json_object_agg(number, problems), '{{}}') FROM (
            SELECT number, count(*) AS problems FROM review_group_problems
            WHERE {which} GROUP BY number
        ) AS counted
    ),
    'removed', (
        SELECT coalesce(json_object_agg(number, emails), '{{}}') FROM (
            SELECT number, json_agg(email) AS emails FROM review_removed
            WHERE {which} GROUP BY number
        ) AS listed
    ),
    'left_out', (
        SELECT coalesce(json_agg(number), '[]')
        FROM review_left_out WHERE {which}
    ),
    'brings_users', (
        SELECT coalesce(json_agg(number), '[]') FROM (
            SELECT number FROM review_corrected WHERE {which}
            UNION SELECT number FROM review_added WHERE {which}
        ) AS edited
    ),
    'any_renamed', EXISTS (SELECT FROM review_renamed WHERE import_id = %(import)s),
    'directory', (
        SELECT json_build_object('position', position, 'proof', proof, 'table_oid', {table})
        FROM view_positions WHERE view = %(directory)s
    )
)::text AS edits
"""


EDITS_OF_PAGE = EDITS.format(
    which="import_id = %(import)s AND number BETWEEN %(first)s AND %(last)s", table=directory.TABLE
)
EDITS_OF_LIST = EDITS.format(which="import_id = %(import)s AND number = ANY(%(numbers)b::int[])", table=directory.TABLE)


def find_edits(cursor: ViewCursor, import_id: UUID, numbers: Sequence[int]) -> tuple[Edits, str]:
    """Return what there is about the groups with these numbers, and the same as one text."""
    wanted: dict[str, object] = {"import": import_id, "directory": directory.NAME}
    if isinstance(numbers, range):
        row = cursor.execute(EDITS_OF_PAGE, wanted | {"first": numbers[0], "last": numbers[-1]}).fetchone()
    else:
        row = cursor.execute(EDITS_OF_LIST, wanted | {"numbers": array("int", numbers)}).fetchone()
    assert row  # noqa: S101 - it is one document
    return DECODE(row["edits"]), row["edits"]
