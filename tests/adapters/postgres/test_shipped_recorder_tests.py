"""The eventsourcing library's own recorder tests, run on our recorder."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any
from unittest.mock import Mock, patch

import pytest

from adapters.composition import Rollcall  # noqa: TC001 - pytest resolves a fixture's annotations
from adapters.postgres.recorder import Recorder

# The module imports the library's "crypto" extra for its tests of ciphers, which don't run here.
with patch.dict(sys.modules, {"eventsourcing.cipher": Mock()}):
    from eventsourcing.tests import persistence as shipped

if TYPE_CHECKING:
    from collections.abc import Sequence

    from eventsourcing.persistence import StoredEvent

pytestmark = pytest.mark.database


class OnAFreshDatabase:
    """Gives each test its own database, with all tables."""

    rollcall: Rollcall

    @pytest.fixture(autouse=True)
    def _compose(self, idle: Rollcall) -> None:
        self.rollcall = idle

    def create_recorder(self) -> Any:
        recorder = self.rollcall.events.recorder
        assert isinstance(recorder, Recorder)
        return recorder


class TestOurRecorderAsAnApplicationRecorder(OnAFreshDatabase, shipped.ApplicationRecorderTestCase[Recorder]):
    def test_insert_subscribe(self) -> None:
        self.optional_test_insert_subscribe()


class TestOurRecorderAsAnAggregateRecorder(OnAFreshDatabase, shipped.AggregateRecorderTestCase):
    """An aggregate recorder returns no positions, an application recorder must. Here ours doesn't return them."""

    def create_recorder(self) -> Any:
        class Silent(Recorder):
            def insert_events(self, stored_events: Sequence[StoredEvent], **options: Any) -> None:
                super().insert_events(stored_events, **options)

        return Silent(self.rollcall.datastore, events_table_name="rollcall_events")


class TestPositionsDoNotInterleave(OnAFreshDatabase, shipped.NonInterleavingNotificationIDsBaseCase):
    insert_num = 5_000  # the library's own insert hangs above some 1,000
