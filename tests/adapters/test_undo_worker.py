"""Workers run undos as they run commits: one process at a time, stoppable, and taken over if it is killed."""

from __future__ import annotations

import signal
from collections import Counter
from functools import partial
from typing import TYPE_CHECKING

import pytest

from application.committing import stop
from application.undoing import start_undo
from domain import import_session
from domain.import_session import Undone
from domain.undo import GroupUndone, UndoCompleted, UndoStarted, UndoStopped
from projections.directory import read as directory
from projections.import_list import read as import_list
from tests.adapters.test_worker import USERS, committing_import, events_of, is_completed, worker_process
from tests.conftest import subscribed, working
from tests.waiting import eventually

if TYPE_CHECKING:
    from adapters.composition import Rollcall
    from application.records import Event, Origin

pytestmark = pytest.mark.database


def completed_import(rollcall: Rollcall, groups: int) -> tuple[Origin, int]:
    """Import groups, and return the import with its version."""
    with working(rollcall):
        origin = committing_import(rollcall, subscribed(rollcall, *USERS), groups)
        eventually(lambda: is_completed(rollcall, origin))
        assert rollcall.health.catch_up()
    return origin, len(events_of(rollcall, origin))


def undoing(rollcall: Rollcall, origin: Origin, version: int) -> list[Event]:
    assert origin.import_id
    return [record.event for record in rollcall.events.history(origin.import_id, after=version)]


def is_undone(rollcall: Rollcall, origin: Origin) -> bool:
    assert origin.import_id
    session = rollcall.events.load(origin.import_id, import_session.fold)
    return session is not None and isinstance(session.state, Undone)


def assert_each_group_was_deleted_once(rollcall: Rollcall, origin: Origin, version: int, groups: int) -> None:
    """Look at the import's events and at the views."""
    assert origin.import_id
    events = undoing(rollcall, origin, version)
    undone = [event for event in events if isinstance(event, GroupUndone)]
    assert [event.group for event in undone] == list(range(1, groups + 1))
    assert all(event.deleted for event in undone)
    assert events[-1] == UndoCompleted(groups, 2 * groups, 0)
    assert rollcall.health.catch_up()
    with rollcall.views() as cursor:
        assert directory.groups(cursor, origin.subscription_id) == []
        row = import_list.find_import(cursor, origin.import_id)
    assert row
    assert (row.state, row.undone_by) == ("undone", origin.actor)
    progress = row.progress
    assert (progress.groups_undone, progress.groups_deleted, progress.users_removed) == (groups, groups, 2 * groups)


def test_another_worker_takes_over_an_undo_from_one_that_was_killed(idle: Rollcall, database: str) -> None:
    groups = 3_000
    origin, version = completed_import(idle, groups)
    with working(idle, commits=False):
        start_undo(idle, origin, version)
        with worker_process(database) as process:
            eventually(lambda: len(undoing(idle, origin, version)) > 1)
            process.send_signal(signal.SIGKILL)
            process.wait()
        assert not is_undone(idle, origin), "it was killed too late to show anything"
    with working(idle):
        eventually(lambda: is_undone(idle, origin))
        assert_each_group_was_deleted_once(idle, origin, version, groups)


def test_nothing_is_undone_after_a_stop_and_continue_undoes_the_rest_once(
    idle: Rollcall, monkeypatch: pytest.MonkeyPatch
) -> None:
    origin, version = completed_import(idle, 60)
    monkeypatch.setattr("application.pace.GROUPS_A_BATCH", 5)
    with working(idle):
        expected, stops = version, 0
        while not is_undone(idle, origin):
            before = start_undo(idle, origin, expected).version
            eventually(partial(has_gone_on, idle, origin, before))
            expected = stop(idle, origin).version
            stops += not is_undone(idle, origin)
        assert_each_group_was_deleted_once(idle, origin, version, 60)
    assert stops > 1
    kinds = Counter(type(event) for event in undoing(idle, origin, version))
    assert (kinds[UndoStopped], kinds[UndoStarted]) == (stops, stops + 1)


def has_gone_on(rollcall: Rollcall, origin: Origin, than: int) -> bool:
    return len(events_of(rollcall, origin)) > than
