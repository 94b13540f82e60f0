"""The group events that other systems consume, as CloudEvents 1.0 (https://cloudevents.io).

Each event of a group becomes exactly one public event, and so does each that says that a person was forgotten, or that
the subscription was closed or erased. Its id is its rank among the public events of its subscription, a hyphen, and a
digest of that event and of all before it. A rebuild cannot change the id, and it tells nothing about the position in
the log. An event that takes the place of a lost one has another id: see docs/decisions/0015-a-log-that-went-back.md.
What an event says is read from the log.
"""

from __future__ import annotations

import re
from datetime import datetime
from hashlib import sha256
from typing import TYPE_CHECKING, Literal, TypeAlias

from msgspec import Raw, Struct, json

from domain.errors import RollcallError
from domain.forgetting import PersonForgotten
from domain.group import GroupCreated, GroupDeleted, GroupNameChanged, UsersAddedToGroup, UsersRemovedFromGroup
from domain.subscription import SubscriptionClosed, SubscriptionErased
from projections.arrays import array
from projections.log import records_at
from projections.view import View, event_identity, insert_rows

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from uuid import UUID

    from application.records import Event, Record
    from projections.view import ViewCursor


class EventLost(RollcallError):
    """Rollcall no longer has the group event {id}: its database was restored to an earlier state.

    Groups that you know from lost events may not exist. Discard what you have and follow the events from the beginning,
    without an id, or from the last id that you know and that Rollcall still has.
    """

    code = "event-lost"


class EventId(Struct, frozen=True):
    """The id of a group event: its rank in its subscription, from 1, and a digest of all events up to it."""

    rank: int
    digest: str

    def __str__(self) -> str:
        return f"{self.rank}-{self.digest}"


EVENT_ID = "^([1-9][0-9]{0,17})-([0-9a-f]{16})$"


def parse_event_id(text: str) -> EventId:
    """Return the id that a text stands for; raises ValueError."""
    found = re.fullmatch(EVENT_ID, text)
    if not found:
        raise ValueError(f"“{text}” is not the id of a group event")
    return EventId(int(found[1]), found[2])


PAGE_BYTES = 1_000_000

NO_EVENT = EventId(0, "")

PublicType: TypeAlias = Literal[
    "group.created",
    "group.users_added",
    "group.users_removed",
    "group.renamed",
    "group.deleted",
    "person.forgotten",
    "subscription.closed",
    "subscription.erased",
]

CREATE = """
    CREATE TABLE IF NOT EXISTS group_events (
        subscription_id uuid NOT NULL,
        rank bigint NOT NULL,
        position bigint NOT NULL,
        digest text NOT NULL,
        PRIMARY KEY (subscription_id, rank)
    );
    CREATE INDEX IF NOT EXISTS group_events_by_position ON group_events (position);
"""


HANDLED = (
    GroupCreated,
    UsersAddedToGroup,
    UsersRemovedFromGroup,
    GroupNameChanged,
    GroupDeleted,
    PersonForgotten,
    SubscriptionClosed,
    SubscriptionErased,
)


def _insert_events(cursor: ViewCursor, run: Sequence[Record]) -> None:
    last = _last_ids(cursor, {record.origin.subscription_id for record in run})
    rows: list[tuple[object, ...]] = []
    for record in run:
        subscription = record.origin.subscription_id
        before = last.get(subscription, NO_EVENT)
        digest = sha256(f"{before.digest} {event_identity(record)}".encode()).hexdigest()[:16]
        last[subscription] = EventId(before.rank + 1, digest)
        rows.append((subscription, before.rank + 1, record.position, digest))
    insert_rows(cursor, "group_events (subscription_id, rank, position, digest)", "uuid bigint bigint text", rows)


def _last_ids(cursor: ViewCursor, subscriptions: Iterable[UUID]) -> dict[UUID, EventId]:
    cursor.execute(
        """
        SELECT wanted.id, last.rank, last.digest FROM unnest(%b::uuid[]) AS wanted (id)
        CROSS JOIN LATERAL (
            SELECT rank, digest FROM group_events WHERE subscription_id = wanted.id ORDER BY rank DESC LIMIT 1
        ) AS last
        """,
        (array("uuid", subscriptions),),
    )
    return {row["id"]: EventId(row["rank"], row["digest"]) for row in cursor}


def _public(event: Event, rewritten: Sequence[str]) -> tuple[PublicType, dict[str, object]]:
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
        case PersonForgotten(person):
            return "person.forgotten", {"person": person, "events": rewritten}
        case SubscriptionClosed():
            return "subscription.closed", {}
        case SubscriptionErased():
            return "subscription.erased", {}
        case _:
            raise ValueError(event)


GROUP_EVENTS = View(
    name="group_events",
    tables=("group_events",),
    create=CREATE,
    handlers=dict.fromkeys(HANDLED, _insert_events),
    version=5,
    names_people=False,
)


class CloudEvent(Struct, frozen=True):
    """One public event: `source` is the subscription, `subject` what it happened to. `id` is unique in the source."""

    specversion: Literal["1.0"]
    id: str
    source: str
    type: str
    subject: str
    time: datetime
    datacontenttype: Literal["application/json"]
    data: Raw


class EventPage(Struct, frozen=True):
    """A page of group events, the id of its last one, and whether others follow it."""

    events: list[CloudEvent]
    last: EventId | None
    more: bool


def group_events(
    cursor: ViewCursor, subscription_id: UUID, *, after: EventId | None = None, limit: int = 100
) -> EventPage:
    """Return a page of a subscription's group events, oldest first: from the beginning, or those that follow an id.

    It has at most `limit` events, and fewer if their data is more than `PAGE_BYTES`, but at least one if there is one.

    Raises EventLost.
    """
    cursor.execute(
        """
        SELECT rank, position, digest FROM (
            SELECT *, sum(bytes) OVER (ORDER BY rank) AS bytes_so_far FROM (
                SELECT g.rank, g.position, g.digest, octet_length(e.state) AS bytes FROM (
                    SELECT rank, position, digest FROM group_events
                    WHERE subscription_id = %s AND rank > %s ORDER BY rank LIMIT %s
                ) AS g JOIN events AS e ON e.notification_id = g.position
            ) AS following
        ) AS counted WHERE bytes_so_far <= %s OR bytes_so_far = bytes ORDER BY rank
        """,
        (subscription_id, after.rank if after else 0, limit, PAGE_BYTES),
    )
    rows = cursor.fetchall()
    records = records_at(cursor, ((subscription_id, row["position"]) for row in rows))
    if after is not None:
        _refuse_lost(cursor, subscription_id, after)  # after the page was read: a view may be replaced in between
    ids = [(EventId(row["rank"], row["digest"]), records.get(row["position"])) for row in rows]
    handled = [(event_id, record) for event_id, record in ids if record and type(record.event) in HANDLED]
    found = [_cloud_event(event_id, record, _rewritten(cursor, record)) for event_id, record in handled]
    last = ids[-1][0] if ids else None
    newest = _last_ids(cursor, [subscription_id]).get(subscription_id, NO_EVENT)
    return EventPage(found, last, last is not None and last.rank < newest.rank)


def _rewritten(cursor: ViewCursor, record: Record) -> list[str]:
    """Return the ids of the events in which a pseudonym stands now for a person who was forgotten."""
    if not isinstance(record.event, PersonForgotten):
        return []
    cursor.execute(
        "SELECT rank, digest FROM group_events AS g JOIN unnest(%s::bigint[]) AS t (position) USING (position)"
        " WHERE g.subscription_id = %s ORDER BY rank",
        ([each.position for each in record.event.erased if each.event], record.origin.subscription_id),
    )
    return [str(EventId(row["rank"], row["digest"])) for row in cursor]


def _cloud_event(event_id: EventId, record: Record, rewritten: Sequence[str]) -> CloudEvent:
    kind, data = _public(record.event, rewritten)
    subject = f"{kind.partition('.')[0]}s/{data.get('person', record.originator_id)}"
    return CloudEvent(
        "1.0",
        str(event_id),
        f"/api/v1/subscriptions/{record.origin.subscription_id}",
        kind,
        subject,
        record.at,
        "application/json",
        Raw(json.encode(data)),
    )


def _refuse_lost(cursor: ViewCursor, subscription_id: UUID, wanted: EventId) -> None:
    cursor.execute(
        "SELECT FROM group_events WHERE subscription_id = %s AND rank = %s AND digest = %s",
        (subscription_id, wanted.rank, wanted.digest),
    )
    if not cursor.rowcount:
        raise EventLost(id=wanted)
