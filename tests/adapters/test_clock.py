from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

import pytest
from msgspec import json

from adapters import clock
from adapters.memory.ports import memory_ports

if TYPE_CHECKING:
    from datetime import tzinfo

    from adapters.composition import Rollcall


class StoppedClock:
    @staticmethod
    def now(zone: tzinfo) -> datetime:
        return datetime(2026, 11, 28, 17, tzinfo=zone)


@pytest.mark.database
def test_no_time_is_a_whole_second_so_that_all_have_one_form(
    monkeypatch: pytest.MonkeyPatch, unattended: Rollcall
) -> None:
    """A reader such as pandas takes the form of a column from its first time."""
    monkeypatch.setattr(clock, "datetime", StoppedClock)
    assert {json.encode(ports.now()) for ports in (unattended, memory_ports())} == {b'"2026-11-28T17:00:00.000001Z"'}
