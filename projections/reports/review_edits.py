"""The edits that were made in a review, as the view has them."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

from domain.edits import Plan

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from uuid import UUID

    from projections.view import ViewCursor


def edits_of(cursor: ViewCursor, import_id: UUID, numbers: Sequence[int] | None = None) -> Plan:
    """Return the edits of these groups of an import's file, or of all its groups, as a plan that says nothing else."""
    cursor.execute(
        """
        SELECT * FROM (
            SELECT import_id, number, 'name' AS what, name AS text, '' AS new FROM review_renamed
            UNION ALL SELECT import_id, number, 'removed', email, '' FROM review_removed
            UNION ALL SELECT import_id, number, 'added', email, '' FROM review_added
            UNION ALL SELECT import_id, number, 'corrected', old, new FROM review_corrected
            UNION ALL SELECT import_id, number, 'left out', '', '' FROM review_left_out
        ) AS edits
        WHERE import_id = %(import)s AND (%(numbers)s::int[] IS NULL OR number = ANY(%(numbers)s))
        """,
        {"import": import_id, "numbers": None if numbers is None else list(numbers)},
    )
    names, left_out = dict[int, str](), set[int]()
    removed, added = defaultdict[int, set[str]](set), defaultdict[int, set[str]](set)
    corrected = defaultdict[int, dict[str, str]](dict)
    for row in cursor:
        match row["what"]:
            case "name":
                names[row["number"]] = row["text"]
            case "removed":
                removed[row["number"]].add(row["text"])
            case "added":
                added[row["number"]].add(row["text"])
            case "corrected":
                corrected[row["number"]][row["text"]] = row["new"]
            case _:
                left_out.add(row["number"])
    return Plan("", 0, names, _frozen(removed), frozenset(left_out), dict(corrected), _frozen(added))


def _frozen(users: Mapping[int, set[str]]) -> dict[int, frozenset[str]]:
    return {number: frozenset(some) for number, some in users.items()}


def problems_solved(cursor: ViewCursor, import_id: UUID, plan: Plan) -> dict[int, int]:
    """Return how many problems the corrections of a plan have solved, by group: cells that were no address."""
    if not plan.corrected:
        return {}
    pairs = [(number, old) for number, addresses in plan.corrected.items() for old in addresses]
    cursor.execute(
        """
        SELECT p.number, count(*) AS solved
        FROM unnest(%(numbers)s::int[], %(addresses)s::text[]) AS c (number, old)
        JOIN review_group_problems AS p ON p.import_id = %(import)s AND p.number = c.number
        JOIN review_problems AS q ON q.import_id = p.import_id AND q.ordinal = p.ordinal
        WHERE q.code = 'email-invalid' AND q.value = c.old
        GROUP BY p.number
        """,
        {"import": import_id, "numbers": [n for n, _ in pairs], "addresses": [old for _, old in pairs]},
    )
    return {row["number"]: row["solved"] for row in cursor}
