"""What a command has written can be read once `wait` says so."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from adapters.memory.ports import memory_ports
from domain.subscription import LicencesAllocated, SubscriptionCreated
from tests.conftest import subscribed

if TYPE_CHECKING:
    from adapters.composition import Rollcall
    from tests.contracts.conftest import Implementation


@pytest.fixture(params=["memory", pytest.param("postgres", marks=pytest.mark.database)])
def ports(request: pytest.FixtureRequest) -> Implementation:
    """Return the ports of an implementation whose views, if it has any, are kept up to date."""
    if request.param == "memory":
        return memory_ports()
    over_postgres: Rollcall = request.getfixturevalue("rollcall")
    return over_postgres


def test_events_are_readable_in_time(ports: Implementation) -> None:
    subscribed(ports, "ann@example.com")
    assert ports.readable.wait(ports.events.head(), [SubscriptionCreated, LicencesAllocated])


def test_events_that_no_view_handles_are_not_waited_for(ports: Implementation) -> None:
    assert ports.readable.wait(ports.events.head() + 1_000_000, [])
