"""How far each view has come, by its row in `view_positions`, and moving it along the log.

A view moves from the position that its runner expects, or not at all.
"""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha256
from typing import TYPE_CHECKING, Protocol
from uuid import UUID

from msgspec import Struct, field, json
from psycopg import DatabaseError

from application.records import Record
from domain.errors import RollcallError
from projections.view import Known, View, ViewCursor, event_identity

if TYPE_CHECKING:
    from psycopg import Connection
    from psycopg.rows import DictRow

MOST_ANNOUNCED = 180  # PostgreSQL takes 8,000 bytes in a notification
CONDEMNED = ""
"""The fingerprint of a view that shows events which the log has lost, or that lacks a table. It serves meanwhile."""
NOT_THERE = "RC001"
"""The SQLSTATE with which `move_views_1` fails: a view isn't where it is expected."""
DONE = object()  # the end of a view's steps
MOVE = "SELECT move_views_1(%s::jsonb, %s, %s)"


class ViewMoved(RollcallError):
    """Another process moved or rebuilt the view {view}. Nothing was written here, and its position is read again."""

    code = "moved-by-another"


class Bookmark(Struct, frozen=True):
    """How far a view has come: the position of the last event that it shows, and the proof of which event that was.

    A position alone proves nothing: a log that went back grows past it again, with other events.
    """

    position: int = 0
    proof: str = ""


def bookmark_at(record: Record) -> Bookmark:
    """Return the bookmark of a view that shows the log up to this record."""
    return Bookmark(record.position, sha256(event_identity(record).encode()).hexdigest()[:16])


def find_bookmark(cursor: ViewCursor, view: str) -> Bookmark:
    """Return how far a view has come, in the same snapshot as the cursor's other queries."""
    cursor.execute("SELECT position, proof FROM view_positions WHERE view = %s", (view,))
    row = cursor.fetchone()
    return Bookmark(row["position"], row["proof"]) if row else Bookmark()


def view_positions(cursor: ViewCursor) -> dict[str, int]:
    """Return the position of the last event that each view shows, without those that show what the log has lost."""
    cursor.execute("SELECT view, position FROM view_positions WHERE fingerprint <> %s", (CONDEMNED,))
    return {row["view"]: row["position"] for row in cursor}


# --- announcements --------------------------------------------------------------------------------------------------


class Announcement(Struct, frozen=True):
    """What a view tells everyone who waits for it: the position reached, and of which subscriptions it shows more.

    None stands for more subscriptions than fit, and for all where the view was replaced.
    """

    view: str
    position: int
    subscriptions: frozenset[UUID] | None


def announce(cursor: ViewCursor, schema: str, announced: Announcement) -> None:
    """Tell everyone that a view was replaced, and the position that it shows."""
    cursor.execute("SELECT pg_notify(%s, %s)", (views_channel(schema), json.encode([announced]).decode()))


def views_channel(schema: str) -> str:
    """Return the channel on which views announce what they show: a list of `Announcement` in JSON.

    Its length does not depend on the schema's, because PostgreSQL refuses to notify a channel with a long name.
    """
    return f"rollcall_views_{sha256(schema.encode()).hexdigest()[:16]}"


# --- moving ---------------------------------------------------------------------------------------------------------


class Move(Struct, frozen=True):
    """A view that is to move from one bookmark to another one, to which these events lead.

    Events before them that don't concern the view may be left out. `known` are the last rows that are known as they are
    at the first bookmark, and then as they are at the second one, unless the move fails.
    """

    view: View
    expected: Bookmark
    reached: Bookmark
    records: Sequence[Record]
    known: Known = field(default_factory=dict)


class HasCursors(Protocol):
    """A connection, or a pipeline over one."""

    def cursor(self) -> ViewCursor:
        """Return a cursor, which shows the results of its own statements."""
        ...


def move(statements: HasCursors, schema: str, moves: Sequence[Move]) -> None:
    """Move views and announce it, in a transaction of the caller's; raises ViewMoved, and what their handlers raise.

    If nothing was asked for, a pipeline raises psycopg's error instead of ViewMoved, and not before its end.
    """
    wanted = [
        {
            "view": each.view.name,
            "fingerprint": each.view.fingerprint,
            "expected": each.expected.position,
            "expected_proof": each.expected.proof,
            "reached": each.reached.position,
            "reached_proof": each.reached.proof,
        }
        for each in moves
    ]
    channel, announced = views_channel(schema), json.encode(_announcements(moves)).decode()
    try:
        statements.cursor().execute(MOVE, (json.encode(wanted).decode(), channel, announced))
        writing = [each.view.steps(statements.cursor(), each.records, each.known) for each in moves]
        while writing:
            writing = [steps for steps in writing if next(steps, DONE) is not DONE]
    except DatabaseError as error:
        if error.sqlstate != NOT_THERE:
            raise
        raise ViewMoved(view=", ".join(each.view.name for each in moves)) from error


def _announcements(moves: Sequence[Move]) -> list[Announcement]:
    changed = [
        {record.origin.subscription_id for record in each.records if type(record.event) in each.view.handlers}
        for each in moves
    ]
    fits = sum(map(len, changed)) <= MOST_ANNOUNCED
    return [
        Announcement(each.view.name, each.reached.position, frozenset(subscriptions) if fits else None)
        for each, subscriptions in zip(moves, changed, strict=True)
    ]


def wait_for_no_disk(connection: Connection[DictRow]) -> None:
    """Let commits over this connection return before they are durable, which is for views alone.

    A view's rows and its position are one transaction, so a crash of the server loses both, and the events that made
    the rows are durable: they are applied again.
    """
    connection.execute("SET synchronous_commit = off")


def prepare_for_batches(connection: Connection[DictRow]) -> None:
    """Let a connection write views in batches: without waiting for the disk, and each planned for what it holds.

    A plan for any batch looked up each user who joins a group among those in no group, also when nobody was left there.
    """
    wait_for_no_disk(connection)
    connection.execute("SET plan_cache_mode = force_custom_plan")
