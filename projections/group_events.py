"""The group events that other systems consume, as CloudEvents 1.0 (https://cloudevents.io).

Each event of a group becomes exactly one public event, and so does each that says that a person was forgotten, or that
the subscription was closed or erased. Its id is its rank among the public events of its subscription, a hyphen, and a
digest of that event and of all before it. A rebuild cannot change the id, and it tells nothing about the position in
the log. An event that takes the place of a lost one has another id: see docs/decisions/0015-a-log-that-went-back.md.

The view has a row for each run of events, as an import makes them. The ids inside a run are computed, and what an event
says is read from the log.
"""

from __future__ import annotations

import re
from datetime import datetime
from hashlib import sha256
from itertools import accumulate, groupby
from typing import TYPE_CHECKING, Literal, LiteralString, NamedTuple, TypeAlias

from msgspec import Raw, Struct, json

from domain.errors import RollcallError
from domain.forgetting import PersonForgotten
from domain.group import GroupCreated, GroupDeleted, GroupNameChanged, UsersAddedToGroup, UsersRemovedFromGroup
from domain.subscription import SubscriptionClosed, SubscriptionErased
from projections.arrays import array, arrays
from projections.log import records_at
from projections.view import LastRows, View, event_identity, identity

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from uuid import UUID

    from psycopg.rows import DictRow

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

RUN = 100
"""No run goes on at a position that is a multiple of this, so that a page computes few digests beside its own."""

# The events of a run are at the positions from `position` to `last`; `rank` is that of the first one, and `at` is the
# time of all. `digest_before` is the digest of the event before the run, and `digest_after` that of its last one.
CREATE = """
    CREATE TABLE IF NOT EXISTS group_events (
        subscription_id uuid NOT NULL,
        rank bigint NOT NULL,
        position bigint NOT NULL,
        last bigint NOT NULL,
        at timestamptz NOT NULL,
        digest_before text NOT NULL,
        digest_after text NOT NULL,
        PRIMARY KEY (subscription_id, rank)
    );
    CREATE INDEX IF NOT EXISTS group_events_by_position ON group_events (position);
"""


NEWEST_RUNS: LiteralString = """
    SELECT newest.* FROM unnest(%b::uuid[]) AS wanted (id) CROSS JOIN LATERAL (
        SELECT * FROM group_events WHERE subscription_id = wanted.id ORDER BY rank DESC LIMIT 1
    ) AS newest
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


class _Run(NamedTuple):
    """A row of the view: consecutive group events of one append."""

    subscription_id: UUID
    rank: int
    position: int
    last: int
    at: datetime
    digest_before: str
    digest_after: str

    @property
    def end(self) -> EventId:
        """The id of the last event."""
        return EventId(self.rank + self.last - self.position, self.digest_after)


def _write_runs(cursor: ViewCursor, records: Sequence[Record], newest: dict[UUID, _Run]) -> None:
    rows: dict[tuple[UUID, int], _Run] = {}
    for first, events in _runs(records):
        subscription, position = first.origin.subscription_id, first.position
        run = newest.get(subscription)
        before = run.end if run else NO_EVENT
        digest = before.digest
        for each in events:
            digest = _chained(digest, event_identity(each))
        if run and (run.last + 1, run.at) == (position, first.at) and position % RUN:
            run = run._replace(last=events[-1].position, digest_after=digest)
        else:
            run = _Run(subscription, before.rank + 1, position, events[-1].position, first.at, before.digest, digest)
        newest[subscription] = rows[subscription, run.rank] = run
    cursor.execute(
        """
        INSERT INTO group_events (subscription_id, rank, position, last, at, digest_before, digest_after)
        SELECT * FROM unnest(
            %b::uuid[], %b::bigint[], %b::bigint[], %b::bigint[], %b::timestamptz[], %b::text[], %b::text[]
        )
        ON CONFLICT (subscription_id, rank) DO UPDATE SET last = excluded.last, digest_after = excluded.digest_after
        """,
        arrays("uuid bigint bigint bigint timestamptz text text", rows.values()),
    )


def _runs(records: Sequence[Record]) -> Iterator[tuple[Record, list[Record]]]:
    """Return what these events add to the rows: the first event of each run, and all of them."""

    def run(numbered: tuple[int, Record]) -> tuple[object, ...]:
        number, record = numbered
        subscription = record.origin.subscription_id
        return subscription, record.at, record.position // RUN, record.position - number  # the same if consecutive

    for _, numbered in groupby(enumerate(records), run):
        events = [record for _, record in numbered]
        yield events[0], events


def _chained(digest: str, identity: str) -> str:
    """Return the digest of an event and all before it."""
    return sha256(f"{digest} {identity}".encode()).hexdigest()[:16]


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
    handlers=dict.fromkeys(HANDLED, _write_runs),
    last=LastRows(NEWEST_RUNS, _Run),
    version=6,
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
    start = after.rank if after else 0
    runs = _read(
        cursor,
        """
        SELECT *, rank + last - position > %(start)s AND rank <= %(end)s AS is_read FROM group_events
        WHERE subscription_id = %(subscription)s AND rank <= %(end)s + 1 AND rank >= coalesce((
            SELECT max(rank) FROM group_events WHERE subscription_id = %(subscription)s AND rank <= %(start)s
        ), 0)
        """,
        {"subscription": subscription_id, "start": start, "end": start + limit},
    )
    events = [each for _, some in runs for each in some]
    if after is not None and after not in {*(end for end, _ in runs), *(each.id for each in events)}:
        raise EventLost(id=after)
    page = _page([each for each in events if each.id.rank > start][:limit])
    records = records_at(cursor, ((subscription_id, each.position) for each in page))
    ids = [(each.id, records.get(each.position)) for each in page]
    handled = [(event_id, record) for event_id, record in ids if record and type(record.event) in HANDLED]
    found = [_cloud_event(event_id, record, _rewritten(cursor, record)) for event_id, record in handled]
    last = page[-1].id if page else None
    return EventPage(found, last, last is not None and last.rank < runs[-1][0].rank)


class _Known(NamedTuple):
    """An event of a run as it stands in the log: its id, its position, and its bytes."""

    id: EventId
    position: int
    bytes: int


# The planner can't know how few events a run has: LIMIT tells it.
READ: LiteralString = f"""
    SELECT run.*, log.events, log.sizes FROM ({{}}) AS run CROSS JOIN LATERAL (
        SELECT array_agg(concat_ws(' ', e.originator_id, e.originator_version) ORDER BY e.position) AS events,
               array_agg(e.bytes ORDER BY e.position) AS sizes
        FROM (
            SELECT notification_id AS position, append_position, originator_id, originator_version,
                   octet_length(state) AS bytes
            FROM events
            WHERE run.is_read AND subscription_id = run.subscription_id
              AND notification_id >= run.position AND notification_id <= run.last
            ORDER BY notification_id LIMIT {RUN}
        ) AS e JOIN appends AS a ON (a.position, a.at) = (e.append_position, run.at)
    ) AS log
    ORDER BY run.rank
"""


def _read(cursor: ViewCursor, runs: LiteralString, values: Mapping[str, object]) -> list[tuple[EventId, list[_Known]]]:
    """Return the id of the last event of each of these runs, and the events of those of which `is_read` is true."""
    cursor.execute(READ.format(runs), values, binary=True)
    return [(EventId(row["rank"] + row["last"] - row["position"], row["digest_after"]), _events(row)) for row in cursor]


def _events(row: DictRow) -> list[_Known]:
    """Return the events of a run that was read; none if the log doesn't have all of them any more."""
    found, digest = [], row["digest_before"]
    for number, (event, size) in enumerate(zip(row["events"] or (), row["sizes"] or (), strict=True)):
        digest = _chained(digest, identity(event, row["at"]))
        found.append(_Known(EventId(row["rank"] + number, digest), row["position"] + number, size))
    return found if digest == row["digest_after"] else []


def _page(events: Sequence[_Known]) -> Sequence[_Known]:
    """Return those events that fit on a page; one at least, if there is one."""
    sizes = accumulate(each.bytes for each in events)
    return [each for each, size in zip(events, sizes, strict=True) if size <= PAGE_BYTES] or events[:1]


def _rewritten(cursor: ViewCursor, record: Record) -> list[str]:
    """Return the ids of the events in which a pseudonym stands now for a person who was forgotten."""
    if not isinstance(record.event, PersonForgotten):
        return []
    positions = {each.position for each in record.event.erased if each.event}
    runs = _read(
        cursor,
        """
        SELECT DISTINCT run.*, true AS is_read FROM unnest(%(positions)b::bigint[]) AS t (position) CROSS JOIN LATERAL (
            SELECT * FROM group_events WHERE position <= t.position ORDER BY position DESC LIMIT 1
        ) AS run
        WHERE run.last >= t.position AND run.subscription_id = %(subscription)s
        """,
        {"positions": array("bigint", positions), "subscription": record.origin.subscription_id},
    )
    return [str(each.id) for _, some in runs for each in some if each.position in positions]


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
