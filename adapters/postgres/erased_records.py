"""Records whose texts were erased: what is kept of them, and what events say about the texts in their place."""

from __future__ import annotations

from typing import TYPE_CHECKING

from application.records import decode_event
from application.verifying import NewTexts
from domain.forgetting import PersonForgotten, TextsErased
from domain.leaves import Kept

if TYPE_CHECKING:
    from collections.abc import Sequence

    from psycopg import Cursor
    from psycopg.rows import DictRow

TOPICS = [str(each.__struct_config__.tag) for each in (PersonForgotten, TextsErased)]
FORGETTINGS = """
SELECT notification_id, subscription_id, state FROM events
WHERE topic = ANY(%s) AND notification_id <= (SELECT max(last_position) FROM tree_leaves)
  AND NOT EXISTS (SELECT FROM erasures WHERE position = notification_id AND event_commitment IS NOT NULL)
ORDER BY notification_id
"""


def kept_of(cursor: Cursor[DictRow], among: Sequence[int] | None = None) -> dict[int, Kept]:
    """Return what is kept of the records that were erased, or of some of them, by position."""
    query = "SELECT * FROM erasures WHERE %(among)s::bigint[] IS NULL OR position = ANY(%(among)s)"
    rows = cursor.execute(query, {"among": among}, binary=True).fetchall()
    return {row["position"]: Kept(row["event_commitment"], row["origin_commitment"]) for row in rows}


def new_texts(cursor: Cursor[DictRow]) -> dict[int, NewTexts]:
    """Return what sealed events say about erased records before them, by position. The latest ones count."""
    found: dict[int, NewTexts] = {}
    for row in cursor.execute(FORGETTINGS, (TOPICS,), binary=True).fetchall():
        event = decode_event(row["state"])
        for each in event.erased if isinstance(event, (PersonForgotten, TextsErased)) else ():
            if each.position < row["notification_id"]:
                before = found.get(each.position, NewTexts(b"", None, None))
                event_said = bytes.fromhex(each.event) or before.event
                origin_said = bytes.fromhex(each.origin) or before.origin
                found[each.position] = NewTexts(row["subscription_id"].bytes, event_said, origin_said)
    return found
