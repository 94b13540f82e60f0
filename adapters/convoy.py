"""Moves the views that have caught up, all together: a single event is shown after one transaction by one thread."""

from __future__ import annotations

import logging
from contextlib import contextmanager
from threading import Condition
from typing import TYPE_CHECKING

from msgspec.structs import astuple

from adapters.postgres.one_call import OneCallCursor
from adapters.postgres.pipeline import pipelined
from projections.positions import Bookmark, Move, bookmark_at, move, wait_for_no_disk

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from threading import Event

    from psycopg import Connection
    from psycopg.rows import DictRow

    from adapters.postgres.datastore import Datastore
    from adapters.postgres.wakeups import Wakeups
    from application.records import Record
    from projections.projector import Projector
    from projections.view import Known

log = logging.getLogger(__name__)

FEW = 500
"""How much is shown together: events, and what they list. More is written by a thread for each view, side by side.

Otherwise all views would wait for the one with most to write: a Stop, for a thousand members of a group.
"""
MOST_KNOWN = 1_000
"""Of how many subscriptions the last rows of a view are known."""
STAY_SECONDS = 1.0
# The others don't wait for a view that is just being replaced. And PostgreSQL need not plan the same statement for
# every event anew, as it does for those that take arrays.
SETTINGS = "SET lock_timeout = '50ms'; SET plan_cache_mode = force_generic_plan"


def size_of(records: Iterable[Record]) -> int:
    """Return how many events there are, and how many users, addresses and so on they list."""
    return sum(1 + sum(len(each) for each in astuple(r.event) if isinstance(each, tuple)) for r in records)


class Member:
    """A view that is moved with the others, and how far it has come."""

    def __init__(self, projector: Projector, bookmark: Bookmark) -> None:
        self.projector = projector
        self.bookmark = bookmark


class Convoy:
    """Moves views while their runners sleep (see docs/decisions/0028-views-move-together.md).

    A view moves from where it joined, or none moves: another process that has its lock by now has moved it. Then, as
    after any other failure, all leave, and each runner finds out alone what is wrong.
    """

    def __init__(self, datastore: Datastore, wakeups: Wakeups, stopping: Event) -> None:
        self._datastore = datastore
        self._wakeups = wakeups
        self._stopping = stopping
        self._members: set[Member] = set()
        self._known: dict[str, tuple[Bookmark, Known]] = {}
        self._left = Condition()
        self._is_running = False

    def join(self, projector: Projector, bookmark: Bookmark, count: int) -> Bookmark:
        """Sleep while a view is moved that shows all appends that are counted, and return how far it has come.

        That is a second at most, so that its runner looks again at its lock, at the log and at the view.
        """
        if not self._is_running:
            self._wakeups.wait_for_append(count, self._stopping)
            return bookmark
        member = Member(projector, bookmark)
        with self._left:
            if count == self._wakeups.count_appends() and self._is_running:
                self._members.add(member)
                self._left.wait_for(lambda: member not in self._members, STAY_SECONDS)
                self._members.discard(member)
        return member.bookmark

    def run(self) -> None:
        """Move the views that have joined after each append, until `stopping` is set."""
        with self._datastore.connect(OneCallCursor) as connection, self._running():
            wait_for_no_disk(connection)
            connection.execute(SETTINGS)
            while not self._stopping.is_set():
                count = self._wakeups.count_appends()
                with self._left:
                    self._follow(connection)
                self._wakeups.wait_for_append(count, self._stopping)

    @contextmanager
    def _running(self) -> Iterator[None]:
        self._is_running = True
        try:
            yield
        finally:
            with self._left:
                self._is_running = False
                self._disband()

    def _follow(self, connection: Connection[DictRow]) -> None:
        """Apply the events that follow, if they are few."""
        try:
            if not self._members or self._has_moved(connection):
                return
        except Exception:
            log.info("The views could not be moved together, so each is moved alone", exc_info=True)
            self._known.clear()  # also of views that weren't to be moved: the log may have gone back
            if connection.closed:
                raise
        self._disband()

    def _has_moved(self, connection: Connection[DictRow]) -> bool:
        """Move those that are furthest behind, which are all but for a moment; False if there is too much to apply."""
        start = min((each.bookmark for each in self._members), key=lambda bookmark: bookmark.position)
        members = sorted(
            (each for each in self._members if each.bookmark == start), key=lambda each: each.projector.view.name
        )
        records = members[0].projector.following(connection, start)
        if size_of(records) > FEW:
            return False
        if records:
            self._move(connection, members, start, records)
        return True

    def _move(
        self, connection: Connection[DictRow], members: Sequence[Member], start: Bookmark, records: Sequence[Record]
    ) -> None:
        reached = bookmark_at(records[-1])
        moves = [
            Move(each.projector.view, start, reached, records, self._known_at(start, each.projector.view.name))
            for each in members
        ]
        with pipelined(connection) as pipeline:
            move(pipeline, self._datastore.schema, moves)
        for each in members:
            each.bookmark = reached
        self._known = {each.view.name: (reached, each.known) for each in moves if len(each.known) <= MOST_KNOWN}

    def _known_at(self, start: Bookmark, view: str) -> Known:
        """Return what is known of a view at a bookmark, which is forgotten here: it doesn't hold if the move fails."""
        bookmark, known = self._known.pop(view, (start, {}))
        return known if bookmark == start else {}

    def _disband(self) -> None:
        self._members.clear()
        self._left.notify_all()
