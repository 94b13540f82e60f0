"""The group events that other systems consume, as CloudEvents 1.0 (https://cloudevents.io).

Each event of a group becomes exactly one public event. Its id is its rank among the group events of its subscription:
a rebuild cannot change it, and it reveals nothing about the position in the log. The column `position` holds this rank.
"""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Literal, TypeAlias

from msgspec import Raw, Struct, json

from domain.group import GroupCreated, GroupDeleted, GroupNameChanged, UsersAddedToGroup, UsersRemovedFromGroup
from projections.view import View, copy_rows, last_ranks

if TYPE_CHECKING:
    from collections.abc import Sequence
    from uuid import UUID

    from application.records import Event, Record
    from projections.view import ViewCursor

PAGE_BYTES = 1_000_000

PublicType: TypeAlias = Literal[
    "group.created", "group.users_added", "group.users_removed", "group.renamed", "group.deleted"
]

CREATE = """
    CREATE TABLE IF NOT EXISTS group_events (
        subscription_id uuid NOT NULL,
        position bigint NOT NULL,
        type text NOT NULL,
        group_id uuid NOT NULL,
        at timestamptz NOT NULL,
        data jsonb NOT NULL,
        bytes integer NOT NULL,
        PRIMARY KEY (subscription_id, position)
    );
"""


def _insert_events(cursor: ViewCursor, run: Sequence[Record]) -> None:
    last = last_ranks(cursor, "SELECT max(position) AS rank FROM group_events WHERE subscription_id = wanted.id", run)
    rows: list[tuple[object, ...]] = []
    for record in run:
        subscription = record.origin.subscription_id
        last[subscription] += 1
        kind, data = _public(record.event)
        encoded = json.encode(data)
        rows.append(
            (
                subscription,
                last[subscription],
                kind,
                record.originator_id,
                record.at,
                encoded.decode(),
                len(encoded),
            )
        )
    copy_rows(cursor, "group_events (subscription_id, position, type, group_id, at, data, bytes)", rows)


def _public(event: Event) -> tuple[PublicType, dict[str, object]]:
    match event:
        case GroupCreated(name, users):
            return "group.created", {"name": name, "users": users}
        case UsersAddedToGroup(users):
            return "group.users_added", {"users": users}
        case UsersRemovedFromGroup(users):
            return "group.users_removed", {"users": users}
        case GroupNameChanged(old, new):
            return "group.renamed", {"old_name": old, "name": new}
        case GroupDeleted(name):
            return "group.deleted", {"name": name}
        case _:
            raise ValueError(event)


GROUP_EVENTS = View(
    name="group_events",
    tables=("group_events",),
    create=CREATE,
    handlers=dict.fromkeys(
        (GroupCreated, UsersAddedToGroup, UsersRemovedFromGroup, GroupNameChanged, GroupDeleted), _insert_events
    ),
)


class CloudEvent(Struct, frozen=True):
    """One public event: `source` is the subscription, `subject` the group, `id` the rank within the source from 1."""

    specversion: Literal["1.0"]
    id: str
    source: str
    type: str
    subject: str
    time: datetime
    datacontenttype: Literal["application/json"]
    data: Raw


def group_events(cursor: ViewCursor, subscription_id: UUID, *, after: int = 0, limit: int = 100) -> list[CloudEvent]:
    """Return a page of a subscription's group events, oldest first, that follow an id.

    It has at most `limit` events, and fewer if their data is more than `PAGE_BYTES`, but at least one if there is one.
    """
    cursor.execute(
        """
        SELECT position, type, group_id, at, data::text AS data FROM (
            SELECT *, sum(bytes) OVER (ORDER BY position) AS bytes_so_far FROM (
                SELECT * FROM group_events WHERE subscription_id = %s AND position > %s ORDER BY position LIMIT %s
            ) AS following
        ) AS counted WHERE bytes_so_far <= %s OR bytes_so_far = bytes ORDER BY position
        """,
        (subscription_id, after, limit, PAGE_BYTES),
    )
    source = f"/api/v1/subscriptions/{subscription_id}"
    return [
        CloudEvent(
            "1.0",
            str(row["position"]),
            source,
            row["type"],
            f"groups/{row['group_id']}",
            row["at"],
            "application/json",
            Raw(row["data"].encode()),
        )
        for row in cursor
    ]


def last_event(cursor: ViewCursor, subscription_id: UUID) -> int:
    """Return the id of a subscription's last group event; 0 if there is none."""
    cursor.execute("SELECT max(position) AS last FROM group_events WHERE subscription_id = %s", (subscription_id,))
    row = cursor.fetchone()
    return (row and row["last"]) or 0
