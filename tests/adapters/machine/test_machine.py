"""A short run of the state machine; `make test-machine` runs it for longer."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, settings
from hypothesis.stateful import run_state_machine_as_test

from tests.adapters.machine.machine import SubscriptionMachine
from tests.projections.test_rebuild import dumped

if TYPE_CHECKING:
    from adapters.composition import Rollcall
    from tests.adapters.server.serving import Served

pytestmark = pytest.mark.database

SHORT = settings(
    max_examples=5, stateful_step_count=30, deadline=None, suppress_health_check=list(HealthCheck), database=None
)


def test_two_administrators_and_a_worker_keep_all_promises(
    running: Served, beside: Rollcall, served_database: str
) -> None:
    run_machine(running, beside, SHORT)
    assert_rebuilt_alike(beside, served_database)


def run_machine(running: Served, beside: Rollcall, how: settings) -> None:
    class Machine(SubscriptionMachine):
        served = running

    Machine.beside = beside
    run_state_machine_as_test(Machine, settings=how)


def assert_rebuilt_alike(rollcall: Rollcall, database: str) -> None:
    """Check that views made anew from the log have the same rows as those that followed it."""
    assert rollcall.health.catch_up()
    followed = dumped(database, rollcall.projectors)
    for projector in rollcall.projectors:
        projector.rebuild()
    assert dumped(database, rollcall.projectors) == followed
