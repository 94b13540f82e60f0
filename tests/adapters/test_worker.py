"""Workers run every commit, one process per import at a time, several imports side by side, and keep the views up."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections import Counter
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import groupby, pairwise
from pathlib import Path
from threading import Event as Flag
from threading import Lock
from typing import TYPE_CHECKING, LiteralString
from uuid import uuid4

import msgspec
import psycopg
import pytest

from adapters import worker
from adapters.postgres import locks, wakeups
from application import pace
from application.committing import CommitRun, start_commit, stop
from application.importing import upload
from domain import import_session
from domain.addition import GroupAdded
from domain.group import GroupCreated
from domain.import_session import CommitCompleted, CommitStarted, CommitStopped, Completed
from domain.roster import Limits
from projections.directory import read as directory
from projections.import_list import read as import_list
from tests.conftest import importing_as, subscribed, working
from tests.waiting import GENEROUS_SECONDS, Running, eventually, somebody_waits_for_a_lock

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from contextlib import AbstractContextManager
    from uuid import UUID

    from adapters.composition import Rollcall
    from application.ports import Ports
    from application.records import Event, Origin, Record
    from projections.import_list.read import LastError
    from tests.conftest import Compose

pytestmark = pytest.mark.database

ROOT = Path(__file__).parents[2]
USERS = [f"user{number}@example.com" for number in range(4)]


def committing_import(rollcall: Rollcall, subscription: Origin, groups: int, name: str = "Group") -> Origin:
    """Upload a file of this many groups, with two users each, and press *Add Groups*."""
    origin = importing_as(subscription)
    rows = [f"{name} {number},{USERS[number % 4]},{USERS[(number + 1) % 4]}" for number in range(1, groups + 1)]
    content = "\n".join(["Groupname,Email,Email", *rows]).encode()
    done = upload(rollcall, origin, "groups.csv", "text/csv", content, Limits())
    start_commit(rollcall, origin, done.version)
    return origin


def events_of(rollcall: Rollcall, origin: Origin) -> list[Event]:
    assert origin.import_id
    return [record.event for record in rollcall.events.history(origin.import_id)]


def is_completed(rollcall: Rollcall, origin: Origin) -> bool:
    assert origin.import_id
    session = rollcall.events.load(origin.import_id, import_session.fold)
    return session is not None and isinstance(session.state, Completed)


def added(rollcall: Rollcall, origin: Origin) -> int:
    assert origin.import_id
    return rollcall.events.versions([origin.import_id])[origin.import_id] - 3


def added_more_or_all(rollcall: Rollcall, origin: Origin, than: int) -> bool:
    return added(rollcall, origin) > than or is_completed(rollcall, origin)


def assert_each_group_was_added_once(rollcall: Rollcall, origin: Origin, groups: int) -> None:
    """Look at the import's events, at the groups' events, and at the views."""
    assert origin.import_id
    added = [event for event in events_of(rollcall, origin) if isinstance(event, GroupAdded)]
    assert [event.group for event in added] == list(range(1, groups + 1))
    assert all(event.created and event.users_added == 2 for event in added)
    created = Counter(
        record.originator_id
        for record in log_of(rollcall)
        if isinstance(record.event, GroupCreated) and record.origin.import_id == origin.import_id
    )
    assert created == Counter(event.group_id for event in added)
    assert rollcall.health.catch_up()
    with rollcall.views() as cursor:
        rows = directory.groups(cursor, origin.subscription_id, limit=100_000)
        row = import_list.find_import(cursor, origin.import_id)
    assert sum(row.import_id == origin.import_id and row.users == 2 for row in rows) == groups
    assert row
    assert (row.state, row.progress.groups_added, row.progress.users_added) == ("completed", groups, 2 * groups)


def log_of(rollcall: Rollcall) -> Iterator[Record]:
    position = 0
    while batch := rollcall.events.read_log(position, 5_000):
        yield from batch
        position = batch[-1].position


class Watched:
    """Records the batches in order: of which import, and by which run."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.batches: list[tuple[UUID, int]] = []
        self.failures: Counter[UUID] = Counter()
        lock, watched = Lock(), self

        class WatchedRun(CommitRun):
            def __init__(self, ports: Ports, import_id: UUID) -> None:
                super().__init__(ports, import_id)
                self.watched_id = import_id

            def run_batch(self) -> bool:
                with lock:
                    watched.batches.append((self.watched_id, id(self)))
                if watched.failures[self.watched_id]:
                    watched.failures[self.watched_id] -= 1
                    raise RuntimeError("this batch fails")
                return super().run_batch()

        monkeypatch.setattr(worker, "CommitRun", WatchedRun)


@pytest.fixture
def watched(monkeypatch: pytest.MonkeyPatch) -> Watched:
    return Watched(monkeypatch)


@pytest.fixture(autouse=True)
def _short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    """Retry soon, so that no test waits a second for it."""
    monkeypatch.setattr(worker, "PAUSE_SECONDS", 0.05)
    monkeypatch.setattr(locks, "RETRY_SECONDS", 0.05)


@pytest.fixture
def small_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pace, "GROUPS_A_BATCH", 5)


def test_a_worker_runs_a_commit(rollcall: Rollcall) -> None:
    origin = committing_import(rollcall, subscribed(rollcall, *USERS), 300)
    eventually(lambda: is_completed(rollcall, origin))
    assert_each_group_was_added_once(rollcall, origin, 300)


def test_a_worker_continues_a_commit_from_before_its_start(idle: Rollcall) -> None:
    with working(idle, commits=False):
        origin = committing_import(idle, subscribed(idle, *USERS), 10)
        assert idle.health.catch_up()
    assert not is_completed(idle, origin)
    with working(idle):
        eventually(lambda: is_completed(idle, origin))
        assert_each_group_was_added_once(idle, origin, 10)


def test_a_worker_stops_after_the_running_batch(idle: Rollcall, small_batches: None) -> None:
    with working(idle):
        origin = committing_import(idle, subscribed(idle, *USERS), 1_000)
        eventually(lambda: added(idle, origin) > 10)
    left = added(idle, origin)
    assert 10 < left < 1_000
    assert left % 5 == 0, "the first batches add 1, 1, 4 and 4 groups, all others 5"
    assert added(idle, origin) == left


# --- over all processes ---------------------------------------------------------------------------------------------


def test_only_one_process_at_a_time_runs_an_import(
    idle: Rollcall, compose: Callable[[], Rollcall], small_batches: None, watched: Watched
) -> None:
    elsewhere = compose()
    with working(idle, commits=False):
        subscription = subscribed(idle, *USERS)
        imports = [committing_import(idle, subscription, 100, f"Import {number}") for number in range(3)]
        assert idle.health.catch_up()
    with working(idle), working(elsewhere):
        eventually(lambda: all(is_completed(idle, each) for each in imports))
        for each in imports:
            assert_each_group_was_added_once(idle, each, 100)
    for each in imports:
        runs = [run for import_id, run in watched.batches if import_id == each.import_id]
        assert len(list(groupby(runs))) == len(set(runs)), "the processes never alternated"


@contextmanager
def worker_process(database: str) -> Iterator[subprocess.Popen[bytes]]:
    with subprocess.Popen(
        [sys.executable, "-c", "from adapters.cli.main import main; main()", "worker"],
        cwd=ROOT,
        env={**os.environ, "ROLLCALL_DATABASE_URL": database},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def test_another_worker_takes_over_from_one_that_was_killed(idle: Rollcall, database: str) -> None:
    groups = 4_000
    with working(idle, commits=False):
        origin = committing_import(idle, subscribed(idle, *USERS), groups)
        with worker_process(database) as process:
            eventually(lambda: added(idle, origin) > 0)
            process.send_signal(signal.SIGKILL)
            process.wait()
        assert added(idle, origin) < groups, "it was killed too late to show anything"
    with working(idle):
        eventually(lambda: is_completed(idle, origin))
        assert_each_group_was_added_once(idle, origin, groups)


def test_a_worker_process_ends_with_sigterm(idle: Rollcall, database: str) -> None:
    with working(idle, commits=False):
        origin = committing_import(idle, subscribed(idle, *USERS), 10)
        with worker_process(database) as process:
            eventually(lambda: is_completed(idle, origin))
            process.send_signal(signal.SIGTERM)
            assert process.wait(timeout=30) == 0


# --- side by side ---------------------------------------------------------------------------------------------------


def test_imports_take_turns_by_batch(idle: Rollcall, small_batches: None, watched: Watched) -> None:
    with working(idle, commits=False):
        subscription = subscribed(idle, *USERS)
        imports = [committing_import(idle, subscription, 50, f"Import {number}") for number in range(3)]
        assert idle.health.catch_up()
    with working(idle):
        eventually(lambda: all(is_completed(idle, each) for each in imports))
    order = [import_id for import_id, _ in watched.batches]
    for turn in range(10):
        assert set(order[turn * 3 : turn * 3 + 3]) == {each.import_id for each in imports}


def test_more_imports_than_can_run_at_once_are_all_completed(idle: Rollcall) -> None:
    with working(idle, commits=False):
        subscription = subscribed(idle, *USERS)
        imports = [
            committing_import(idle, subscription, 5, f"Import {number}")
            for number in range(idle.settings.worker_commits + 3)
        ]
    with working(idle):
        eventually(lambda: all(is_completed(idle, each) for each in imports))


def test_a_commit_that_fails_is_retried_and_does_not_stop_the_others(
    idle: Rollcall, small_batches: None, watched: Watched
) -> None:
    with working(idle, commits=False):
        subscription = subscribed(idle, *USERS)
        failing, sound = (committing_import(idle, subscription, 20, name) for name in ("Failing", "Sound"))
        assert idle.health.catch_up()
    assert failing.import_id
    watched.failures[failing.import_id] = 1_000_000
    with working(idle):
        eventually(lambda: is_completed(idle, sound))
        assert not is_completed(idle, failing)
        watched.failures.clear()
        eventually(lambda: is_completed(idle, failing))
        assert_each_group_was_added_once(idle, failing, 20)
        assert_each_group_was_added_once(idle, sound, 20)


# --- stop -----------------------------------------------------------------------------------------------------------


def test_nothing_is_added_after_a_stop_and_continue_adds_the_rest_once(rollcall: Rollcall, small_batches: None) -> None:
    """Press Stop and Continue repeatedly while the worker runs."""
    origin = committing_import(rollcall, subscribed(rollcall, *USERS), 80)
    assert origin.import_id
    stops = 0
    while not is_completed(rollcall, origin):
        eventually(partial(added_more_or_all, rollcall, origin, added(rollcall, origin)))
        stopped = stop(rollcall, origin)
        if is_completed(rollcall, origin):
            break
        stops += 1
        start_commit(rollcall, origin, stopped.version)
    assert stops > 1
    events = events_of(rollcall, origin)
    for before_it, event in pairwise(events):
        if isinstance(before_it, CommitStopped):
            assert isinstance(event, CommitStarted)
    assert isinstance(events[-1], CommitCompleted)
    assert sum(isinstance(event, CommitStopped) for event in events) == stops
    assert_each_group_was_added_once(rollcall, origin, 80)


def test_a_stop_and_a_batch_wait_for_each_other(idle: Rollcall, database: str) -> None:
    """Otherwise a worker at full speed would make every Stop stale."""
    with working(idle, commits=False), psycopg.connect(database, autocommit=True) as looking:
        origin = committing_import(idle, subscribed(idle, *USERS), 5)
        assert origin.import_id
        for run in (CommitRun(idle, origin.import_id).run_batch, partial(stop, idle, origin)):
            with idle.turns.commit(origin.import_id):
                running = Running(run)
                eventually(lambda: somebody_waits_for_a_lock(looking))
                assert running.is_alive()
            running.result()


def test_a_stopped_import_stays_stopped(rollcall: Rollcall, small_batches: None, watched: Watched) -> None:
    subscription = subscribed(rollcall, *USERS)
    stopped = committing_import(rollcall, subscription, 500, "Stopped")
    eventually(lambda: added(rollcall, stopped) > 0)
    stop(rollcall, stopped)
    events = events_of(rollcall, stopped)
    assert isinstance(events[-1], CommitStopped)
    other = committing_import(rollcall, subscription, 50, "Another")
    eventually(lambda: is_completed(rollcall, other))
    assert events_of(rollcall, stopped) == events


@contextmanager
def view_held(database: str, name: str) -> Iterator[None]:
    """Keep a view from moving."""
    with psycopg.connect(database) as holding:
        holding.execute("SELECT FROM rollcall.view_positions WHERE view = %s FOR UPDATE", (name,))
        yield


def test_a_commit_does_not_run_far_ahead_of_the_views(
    idle: Rollcall, database: str, small_batches: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Otherwise what others do would be shown only after all that an import has added before."""
    waits, wait = Flag(), wakeups.Wakeups.wait_for_position

    def noticed(
        listening: wakeups.Wakeups, views: Sequence[str], position: int, timeout: float, stopping: Flag | None = None
    ) -> bool:
        if timeout == GENEROUS_SECONDS and position > before:
            waits.set()
        return wait(listening, views, position, timeout, stopping)

    monkeypatch.setattr(worker, "EVENTS_AHEAD", 40)
    monkeypatch.setattr(worker, "VIEWS_SECONDS", GENEROUS_SECONDS)
    monkeypatch.setattr(wakeups.Wakeups, "wait_for_position", noticed)
    with working(idle):
        subscription = subscribed(idle, *USERS)
        assert idle.health.catch_up()
        before = idle.events.head()
        with view_held(database, "directory"):
            origin = committing_import(idle, subscription, 200)
            assert waits.wait(GENEROUS_SECONDS)
            assert 0 < added(idle, origin) < 50
        eventually(lambda: is_completed(idle, origin))


def test_a_commit_does_not_wait_for_views_that_groups_do_not_concern(
    idle: Rollcall, database: str, small_batches: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They move once a second, so a commit could add no more in a second than it may be ahead."""
    monkeypatch.setattr(worker, "EVENTS_AHEAD", 40)
    monkeypatch.setattr(worker, "VIEWS_SECONDS", 2 * GENEROUS_SECONDS)
    with working(idle):
        subscription = subscribed(idle, *USERS)
        assert idle.health.catch_up()
        with view_held(database, "access"):
            origin = committing_import(idle, subscription, 200)
            eventually(lambda: is_completed(idle, origin))


# --- what goes wrong ------------------------------------------------------------------------------------------------


def test_a_view_that_stands_still_does_not_stop_a_commit(
    idle: Rollcall, database: str, small_batches: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker, "EVENTS_AHEAD", 40)
    monkeypatch.setattr(worker, "VIEWS_SECONDS", 0.01)
    with working(idle):
        subscription = subscribed(idle, *USERS)
        with view_held(database, "directory"):
            origin = committing_import(idle, subscription, 200)
            eventually(lambda: is_completed(idle, origin))


def test_a_view_that_fails_is_retried_and_does_not_stop_the_others(idle: Rollcall) -> None:
    failing = next(each for each in idle.projectors if each.view.name == "group_events")
    sound = failing.view

    def fail(*_: object) -> None:
        raise RuntimeError("this handler fails")

    failing.view = msgspec.structs.replace(sound, handlers=dict.fromkeys(sound.handlers, fail))
    with working(idle):
        origin = committing_import(idle, subscribed(idle, *USERS), 20)
        eventually(lambda: is_completed(idle, origin))
        head = idle.events.head()
        eventually(lambda: all(each.position() >= head for each in idle.projectors if each is not failing))
        assert failing.position() < head
        failing.view = sound
        assert idle.health.catch_up()
        with idle.views() as cursor:
            cursor.execute("SELECT sum(last - position + 1) AS number FROM group_events")
            assert cursor.fetchall() == [{"number": 20}]


class Clock:
    """The time, which only the test moves."""

    def __init__(self) -> None:
        self.now = datetime(2026, 1, 31, 9, 5, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now


def last_error(rollcall: Rollcall, origin: Origin) -> LastError | None:
    assert origin.import_id
    with rollcall.views() as cursor:
        row = import_list.find_import(cursor, origin.import_id)
    assert row
    return row.progress.last_error


def failing_again(rollcall: Rollcall, origin: Origin, failures: int) -> LastError:
    """Return the last error once so many attempts in a row have failed."""

    def found() -> LastError | None:
        error = last_error(rollcall, origin)
        return error if error and error.failures == failures else None

    return eventually(found)  # type: ignore[return-value]  # it is true, so not None


class TestAnImportThatCannotGoOn:
    @pytest.fixture(autouse=True)
    def _look_often(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Let the worker notice soon that the clock was moved, which wakes nobody."""
        monkeypatch.setattr(wakeups, "LOOK_AGAIN_SECONDS", 0.05)

    @pytest.fixture
    def clock(self) -> Clock:
        return Clock()

    @pytest.fixture
    def broken(self, compose: Compose, clock: Clock) -> Iterator[tuple[Rollcall, Origin]]:
        """Return an import that is committing, whose roster is missing from the database."""
        rollcall = compose(now=clock)
        with working(rollcall, commits=False):
            origin = committing_import(rollcall, subscribed(rollcall, *USERS), 20)
            assert rollcall.health.catch_up()
            execute(rollcall, "CREATE TABLE kept AS SELECT * FROM blob_chunks WHERE kind = 'roster'")
            execute(rollcall, "DELETE FROM blob_chunks WHERE kind = 'roster'")
            yield rollcall, origin

    def test_says_why_pauses_longer_each_time_and_completes_once_it_can(
        self, broken: tuple[Rollcall, Origin], clock: Clock
    ) -> None:
        rollcall, origin = broken
        with working(rollcall):
            pauses = []
            for failures in range(1, 12):
                error = failing_again(rollcall, origin, failures)
                assert "is missing from the database" in error.message
                assert error.failed_at == clock.now
                pauses.append((error.retry_at - error.failed_at).total_seconds())
                clock.now = error.retry_at
            assert pauses == [1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300]
            failing_again(rollcall, origin, 12)
            execute(rollcall, "INSERT INTO blob_chunks SELECT * FROM kept")
            clock.now += timedelta(minutes=5)
            eventually(lambda: is_completed(rollcall, origin))
            assert_each_group_was_added_once(rollcall, origin, 20)
            assert last_error(rollcall, origin) is None

    def test_is_not_tried_before_its_time_by_any_process(
        self, broken: tuple[Rollcall, Origin], compose: Compose, clock: Clock, watched: Watched
    ) -> None:
        rollcall, origin = broken
        elsewhere = compose(now=clock)
        with working(rollcall), working(elsewhere):
            failing_again(rollcall, origin, 1)
            sound = committing_import(rollcall, subscribed(rollcall, *USERS), 20, "Sound")
            eventually(lambda: is_completed(rollcall, sound))
            assert [import_id for import_id, _ in watched.batches].count(origin.import_id or uuid4()) == 1

    def test_is_not_tried_by_a_process_that_looked_before_it_failed_in_another(
        self, broken: tuple[Rollcall, Origin], clock: Clock, watched: Watched, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """It gets the lock once the other has given it back, and then has to look again."""
        rollcall, origin = broken
        assert origin.import_id
        broken_id, acquire, failed = origin.import_id, rollcall.locks.try_acquire, Flag()

        def fail_first(*words: str) -> AbstractContextManager[bool]:
            if str(broken_id) in words:
                version = rollcall.events.versions([broken_id])[broken_id]
                rollcall.commit_failures.record(broken_id, version, "It failed elsewhere.", clock.now)
                failed.set()
            return acquire(*words)

        monkeypatch.setattr(rollcall.locks, "try_acquire", fail_first)
        with working(rollcall):
            eventually(failed.is_set)
            sound = committing_import(rollcall, subscribed(rollcall, *USERS), 20, "Sound")
            eventually(lambda: is_completed(rollcall, sound))
        assert broken_id not in [import_id for import_id, _ in watched.batches]

    def test_can_be_stopped_and_continued_which_is_tried_at_once(
        self, broken: tuple[Rollcall, Origin], clock: Clock
    ) -> None:
        rollcall, origin = broken
        with working(rollcall):
            for failures in range(1, 4):
                clock.now = failing_again(rollcall, origin, failures).retry_at
            failing_again(rollcall, origin, 4)
            stopped = stop(rollcall, origin)
            assert rollcall.health.catch_up()
            assert last_error(rollcall, origin) is None
            execute(rollcall, "INSERT INTO blob_chunks SELECT * FROM kept")
            start_commit(rollcall, origin, stopped.version)
            eventually(lambda: is_completed(rollcall, origin))

    def test_says_no_more_than_people_need_when_rollcall_itself_fails(self, idle: Rollcall, watched: Watched) -> None:
        with working(idle, commits=False):
            origin = committing_import(idle, subscribed(idle, *USERS), 20)
            assert idle.health.catch_up()
        assert origin.import_id
        watched.failures[origin.import_id] = 1_000_000
        with working(idle):
            message = eventually(lambda: last_error(idle, origin)).message  # type: ignore[union-attr]  # it is true
        assert "RuntimeError" in message
        assert "this batch fails" not in message


def execute(rollcall: Rollcall, statement: LiteralString) -> None:
    with rollcall.datastore.transaction() as cursor:
        cursor.execute(statement)


def test_a_worker_survives_the_loss_of_all_its_connections(
    rollcall: Rollcall, database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(wakeups, "LOOK_AGAIN_SECONDS", 0.05)
    subscription = subscribed(rollcall, *USERS)
    for number in range(2):
        with psycopg.connect(database, autocommit=True) as connection:
            broken = connection.execute(
                "SELECT count(pg_terminate_backend(pid, 10000)) FROM pg_stat_activity"
                " WHERE datname = current_database() AND pid <> pg_backend_pid()"
            ).fetchone()
        assert broken
        assert broken[0] > len(rollcall.projectors)
        origin = eventually(partial(committing_import, rollcall, subscription, 20, f"Round {number}"))
        eventually(partial(is_completed, rollcall, origin))
        assert_each_group_was_added_once(rollcall, origin, 20)
