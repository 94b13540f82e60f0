"""Keeps the views up to date and runs the commits. Each view and each import has one runner, over all machines."""

from __future__ import annotations

import logging
from contextlib import ExitStack
from functools import partial
from threading import Event, Thread
from typing import TYPE_CHECKING, Self

import psycopg

from adapters.convoy import Convoy
from adapters.view_runner import ViewRunner
from application.committing import CommitRun
from application.ports import BlobMissing
from application.undoing import UndoRun
from domain import import_session
from domain.errors import RollcallError
from domain.group import GroupCreated
from domain.import_session import Committing, Undoing
from projections.import_list import read as import_list

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from contextlib import AbstractContextManager
    from types import TracebackType
    from uuid import UUID

    from adapters.postgres.commit_failures import CommitFailures
    from adapters.postgres.datastore import Datastore
    from adapters.postgres.locks import AdvisoryLocks
    from adapters.postgres.wakeups import Wakeups
    from application.ports import Ports
    from projections.projector import Projector
    from projections.view import ViewCursor

log = logging.getLogger(__name__)

LOOK_SECONDS = 0.1
PAUSE_SECONDS = 1.0
EVENTS_AHEAD = 10_000
"""How far a run may be ahead of the views. What others do is shown after all that a run did before."""
VIEWS_SECONDS = 2.0
"""How long a run waits for the views. One that stands still, because it is rebuilt or fails, is then left behind."""
LEFT_BEHIND_SECONDS = 10.0
"""So long. It costs a run a sixth of its time while a view stands still."""
IMPORT_LIST = "import_list"  # the view that says which imports are running
LOST = (psycopg.OperationalError, psycopg.InterfaceError)
"""What the database's absence raises. It is nobody's mistake here, so a line of the log says enough."""
FAILED = "The commit or undo of import %s failed and will be retried"


class Worker:
    """Threads that keep the views up to date and run the commits that no other process is running.

    They may be killed at any point: another process then continues from what is stored.
    """

    def __init__(
        self,
        ports: Ports,
        projectors: Iterable[Projector],
        locks: AdvisoryLocks,
        wakeups: Wakeups,
        datastore: Datastore,
        *,
        failures: CommitFailures,
        jobs: Mapping[str, Callable[[Event], None]],
        commits: int,
    ) -> None:
        """Take what else is to be run, by name, and the number of commits to run side by side.

        With 0, the worker only keeps the views up to date.
        """
        self._wakeups = wakeups
        self._stopping = Event()
        convoy = Convoy(datastore, wakeups, self._stopping)
        views = list(projectors)
        self._threads = [
            self._thread(f"view {each.view.name}", ViewRunner(each, locks, wakeups, convoy, self._stopping).run)
            for each in views
        ]
        self._threads.append(self._thread("views", convoy.run))
        if commits:
            # Not by those that move once a second only, because groups don't concern them.
            shown_by = [each.view.name for each in views if GroupCreated in each.view.handlers]
            committer = Committer(ports, failures, locks, wakeups, datastore.views, shown_by, commits)
            self._threads.append(self._thread("commits", partial(committer.run, self._stopping)))
            self._threads += [self._thread(name, partial(run, self._stopping)) for name, run in jobs.items()]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
        for thread in self._threads:
            thread.join()

    def stop(self) -> None:
        """Stop once the running batches have ended."""
        self._stopping.set()
        self._wakeups.wake()

    def _thread(self, name: str, run: Callable[[], None]) -> Thread:
        return Thread(target=lambda: self._until_stopped(name, run), name=name, daemon=True)

    def _until_stopped(self, name: str, run: Callable[[], None]) -> None:
        while not self._stopping.is_set():
            try:
                run()
            except LOST as error:
                reason = " ".join(str(error).split())
                log.warning("“%s” lost the database and will be restarted: %s", name, reason)
                self._stopping.wait(PAUSE_SECONDS)
            except Exception:
                log.exception("“%s” failed and will be restarted", name)
                self._stopping.wait(PAUSE_SECONDS)


class Committer:
    """Runs commits and undos. The imports that have one to run are the queue, and a run holds its import's lock."""

    def __init__(
        self,
        ports: Ports,
        failures: CommitFailures,
        locks: AdvisoryLocks,
        wakeups: Wakeups,
        views: Callable[[], AbstractContextManager[ViewCursor]],
        shown_by: Sequence[str],
        at_once: int,
    ) -> None:
        self._ports = ports
        self._failures = failures
        self._locks = locks
        self._wakeups = wakeups
        self._views = views
        self._shown_by = shown_by
        self._left_behind_until = 0.0
        self._at_once = at_once
        self._runs: dict[UUID, tuple[CommitRun | UndoRun, ExitStack]] = {}
        self._paused: dict[UUID, float] = {}
        self._looked = 0.0

    def run(self, stopping: Event) -> None:
        """Run a batch of each import in turn, until `stopping` is set."""
        try:
            while not stopping.is_set():
                count = self._wakeups.count_changes(IMPORT_LIST)
                self._start_runs()
                unfinished = [import_id for import_id in list(self._runs) if self._run_batch(import_id, stopping)]
                if not unfinished:
                    self._wakeups.wait_for_change(IMPORT_LIST, count, stopping)
        finally:
            for import_id in list(self._runs):
                self._end_run(import_id)

    def _start_runs(self) -> None:
        """Start what waits, as far as there is room; beside a run, look ten times a second at most."""
        now = self._ports.elapsed()
        if len(self._runs) == self._at_once or (self._runs and now - self._looked < LOOK_SECONDS):
            return
        self._looked = now
        for import_id in self._due():
            if len(self._runs) < self._at_once:
                self._start_run(import_id)

    def _due(self) -> list[UUID]:
        """Return the imports that are to be run and don't pause, in the order in which they were started."""
        with self._views() as cursor:
            waiting = import_list.run_queue(cursor)
        now = self._ports.now()
        return [each for each, last_error in waiting.items() if not (last_error and last_error.is_pausing(now))]

    def _start_run(self, import_id: UUID) -> None:
        """Start to run an import, unless it runs or pauses. The view may lag, so the events say what there is to run.

        Whoever held its lock until now may have failed in the meantime, so under the lock it is looked at again.
        """
        if import_id in self._runs or self._ports.elapsed() < self._paused.get(import_id, 0):
            return
        with ExitStack() as held:
            try:
                run = _run_of(self._ports, import_id)
                if run is None:
                    return
                if not held.enter_context(self._locks.try_acquire("commit", str(import_id))):
                    self._pause(import_id)
                elif import_id in self._due():
                    self._runs[import_id] = (run, held.pop_all())
            except Exception as error:
                log.exception(FAILED, import_id)
                self._record_failure(import_id, error)

    def _run_batch(self, import_id: UUID, stopping: Event) -> bool:
        """Run one batch; False if the import has nothing more to run or the batch failed."""
        run, _ = self._runs[import_id]
        try:
            if run.run_batch():
                self._let_views_follow(run.position, stopping)
                return True
        except Exception as error:
            log.exception(FAILED, import_id)
            self._record_failure(import_id, error)
        self._end_run(import_id)
        return False

    def _let_views_follow(self, position: int, stopping: Event) -> None:
        """Wait until the views are not far behind the position of an event."""
        if self._ports.elapsed() >= self._left_behind_until and not self._wakeups.wait_for_position(
            self._shown_by, position - EVENTS_AHEAD, VIEWS_SECONDS, stopping
        ):
            self._left_behind_until = self._ports.elapsed() + LEFT_BEHIND_SECONDS

    def _record_failure(self, import_id: UUID, error: Exception) -> None:
        """Record why an import can't go on, for people to see; it pauses longer each time, in every process."""
        self._pause(import_id)
        try:
            version = self._ports.events.versions([import_id]).get(import_id, 0)
            self._failures.record(import_id, version, _explained(error), self._ports.now())
        except psycopg.Error:
            log.warning("That could not be recorded, because the database is away")

    def _pause(self, import_id: UUID) -> None:
        """Leave an import to other processes for a second: it failed here, or another process runs it."""
        now = self._ports.elapsed()
        self._paused = {each: until for each, until in self._paused.items() if until > now}
        self._paused[import_id] = now + PAUSE_SECONDS

    def _end_run(self, import_id: UUID) -> None:
        _, held = self._runs.pop(import_id)
        held.close()


def _run_of(ports: Ports, import_id: UUID) -> CommitRun | UndoRun | None:
    """Return what is to be run of an import now, however far the views are behind; None if that is nothing."""
    session = ports.events.load(import_id, import_session.fold)
    match session.state if session else None:
        case Committing():
            return CommitRun(ports, import_id)
        case Undoing():
            return UndoRun(ports, import_id)
        case _:
            return None


def _explained(error: Exception) -> str:
    """Return why a batch failed, for people who can't read the log."""
    match error:
        case BlobMissing():
            return (
                "A part of the uploaded file is missing from the database. Ask your operator to restore it from a"
                " backup, or stop the import and upload the file again."
            )
        case RollcallError():
            return str(error)
        case psycopg.OperationalError() | psycopg.InterfaceError():
            return "The database interrupted the work. If this goes on, tell your operator."
        case _:
            return (
                f"Something went wrong in Rollcall ({type(error).__name__}). Tell your operator: the server’s log says"
                " more, under the id of this import."
            )
