"""A commit keeps snapshots of its session, which spare later loads most of the events."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from application.committing import CommitRun, start_commit
from application.importing import upload
from domain import import_session
from domain.import_session import CommitStarted, Completed
from domain.roster import Limits
from tests.conftest import importing_as, subscribed

if TYPE_CHECKING:
    from collections.abc import Iterable
    from uuid import UUID

    from adapters.composition import Rollcall
    from application.records import Event

pytestmark = pytest.mark.database

FILE = b"Groupname,Email\nSales,ann@example.com\nMarketing,ann@example.com\n"


def started(rollcall: Rollcall) -> UUID:
    """Upload a file, start its commit, and return the import's id."""
    origin = importing_as(subscribed(rollcall, "ann@example.com"))
    upload(rollcall, origin, "groups.csv", "text/csv", FILE, Limits())
    start_commit(rollcall, origin, 2)
    assert origin.import_id
    return origin.import_id


def run(rollcall: Rollcall, import_id: UUID) -> None:
    commit_run = CommitRun(rollcall, import_id)
    while commit_run.run_batch():
        pass


def events_folded(rollcall: Rollcall, import_id: UUID) -> list[Event]:
    """Return the events that loading the session folds, which are those behind its snapshot."""
    folded: list[Event] = []

    def fold(
        state: import_session.ImportSession | None, events: Iterable[import_session.ImportEvent]
    ) -> import_session.ImportSession:
        some = list(events)
        folded.extend(some)
        return import_session.fold(state, some)

    assert rollcall.events.load(import_id, fold)
    return folded


def test_a_snapshot_is_kept_before_a_commit_starts_and_when_it_ends(unattended: Rollcall) -> None:
    import_id = started(unattended)
    assert list(map(type, events_folded(unattended, import_id))) == [CommitStarted]
    run(unattended, import_id)
    assert events_folded(unattended, import_id) == []
    loaded = unattended.events.load(import_id, import_session.fold)
    assert loaded
    assert isinstance(loaded.state, Completed)
