"""The eventsourcing library's own recorder tests, run on our recorder."""

from __future__ import annotations

import sys
from typing import Any
from unittest.mock import Mock, patch

import pytest

from adapters.composition import Rollcall  # noqa: TC001 - pytest resolves a fixture's annotations
from adapters.postgres.recorder import Recorder, StreamRecorder

# The module imports the library's "crypto" extra for its tests of ciphers, which don't run here.
with patch.dict(sys.modules, {"eventsourcing.cipher": Mock()}):
    from eventsourcing.tests import persistence as shipped

pytestmark = pytest.mark.database


class OnAFreshDatabase:
    """Gives each test its own database, with all tables."""

    rollcall: Rollcall

    @pytest.fixture(autouse=True)
    def _compose(self, idle: Rollcall) -> None:
        self.rollcall = idle

    def create_recorder(self) -> Any:
        return Recorder(self.rollcall.datastore)


class TestOurRecorderAsAnApplicationRecorder(OnAFreshDatabase, shipped.ApplicationRecorderTestCase[Recorder]):
    def test_insert_subscribe(self) -> None:
        self.optional_test_insert_subscribe()


class TestTheRecorderOfSnapshots(OnAFreshDatabase, shipped.AggregateRecorderTestCase):
    def create_recorder(self) -> Any:
        return StreamRecorder(self.rollcall.datastore, "snapshots")


class TestPositionsDoNotInterleave(OnAFreshDatabase, shipped.NonInterleavingNotificationIDsBaseCase):
    insert_num = 5_000  # the library's own insert hangs above some 1,000
