"""The log behind the views: a view that says which event it means doesn't have to repeat what the event says."""

from __future__ import annotations

from typing import TYPE_CHECKING

from application.records import Record, decode_event, decode_origin
from projections.arrays import arrays

if TYPE_CHECKING:
    from collections.abc import Iterable
    from uuid import UUID

    from psycopg.rows import DictRow

    from application.records import Event
    from projections.view import ViewCursor


def records_at(cursor: ViewCursor, places: Iterable[tuple[UUID, int]]) -> dict[int, Record]:
    """Return the events of subscriptions at positions, by position.

    After the log went back, it may have lost an event or have another subscription's in its place. These are omitted:
    the view is about to be rebuilt.
    """
    wanted = arrays("uuid bigint", places)
    cursor.execute(
        """
        SELECT notification_id, originator_id, originator_version, at, origin, state, import_group
        FROM unnest(%b::uuid[], %b::bigint[]) AS wanted (subscription_id, position)
        JOIN records AS r ON (r.notification_id, r.subscription_id) = (wanted.position, wanted.subscription_id)
        """,
        wanted,
        binary=True,
    )
    return {record.position: record for record in map(_record, cursor)}


def records_of_streams(
    cursor: ViewCursor, subscription_id: UUID, wanted: Iterable[tuple[UUID, int]]
) -> dict[tuple[UUID, int], Record]:
    """Return events of a subscription by stream and version; those that the log has lost are omitted."""
    cursor.execute(
        """
        SELECT notification_id, r.originator_id, r.originator_version, at, origin, state, import_group
        FROM unnest(%b::uuid[], %b::bigint[]) AS wanted (stream, version)
        JOIN records AS r ON (r.originator_id, r.originator_version) = (wanted.stream, wanted.version)
        WHERE r.subscription_id = %b
        """,
        [*arrays("uuid bigint", wanted), subscription_id],
        binary=True,
    )
    return {(record.originator_id, record.originator_version): record for record in map(_record, cursor)}


def records_of_stream(
    cursor: ViewCursor, stream: UUID, kinds: Iterable[type[Event]], until: int | None = None
) -> list[Record]:
    """Return the events of these kinds of a stream, in order, up to a version if one is given."""
    cursor.execute(
        """
        SELECT notification_id, r.originator_id, r.originator_version, at, origin, state, import_group
        FROM records AS r
        WHERE r.originator_id = %(stream)s AND r.topic = ANY(%(topics)s)
          AND (%(until)s::bigint IS NULL OR r.originator_version <= %(until)s)
        ORDER BY r.originator_version
        """,
        {"stream": stream, "topics": [str(kind.__struct_config__.tag) for kind in kinds], "until": until},
        binary=True,
    )
    return [_record(row) for row in cursor]


def records_of_review(
    cursor: ViewCursor, import_id: UUID, kinds: Iterable[type[Event]], until: int | None = None
) -> list[Record]:
    """Return the events of these kinds from an import's review, in order, up to a version if one is given.

    They are those before its groups were first added: there may be very many events after that.
    """
    cursor.execute(
        """
        SELECT notification_id, r.originator_id, r.originator_version, at, origin, state, import_group
        FROM records AS r
        WHERE r.originator_id = %(import)s AND r.topic = ANY(%(topics)s)
          AND (%(until)s::bigint IS NULL OR r.originator_version <= %(until)s)
          AND r.originator_version <= coalesce((
            SELECT originator_version FROM events WHERE originator_id = %(import)s AND topic = 'import.commit-started'
            ORDER BY originator_version LIMIT 1
        ), %(until)s, 9223372036854775807)
        ORDER BY r.originator_version
        """,
        {"import": import_id, "topics": [str(kind.__struct_config__.tag) for kind in kinds], "until": until},
        binary=True,
    )
    return [_record(row) for row in cursor]


def _record(row: DictRow) -> Record:
    return Record(
        row["originator_id"],
        row["originator_version"],
        row["at"],
        decode_origin(row["origin"]),
        decode_event(row["state"]),
        row["notification_id"],
        row["import_group"],
    )
