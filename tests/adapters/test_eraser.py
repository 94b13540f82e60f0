"""Workers erase what was started, whatever happened to whoever began it."""

from __future__ import annotations

from threading import Event
from typing import TYPE_CHECKING, Any

import pytest

from adapters import eraser
from adapters.eraser import Eraser, wait_until_erased
from adapters.postgres import closure
from adapters.postgres.closure import PostgresClosure
from application.closing import start_erasure
from domain.subscription import SubscriptionErased
from tests.application.test_erasing import STEPS, Killed, everything, left_of
from tests.application.test_forgetting import ANN
from tests.conftest import working
from tests.waiting import eventually

if TYPE_CHECKING:
    from uuid import UUID

    from adapters.composition import Rollcall
    from tests.conftest import Compose

pytestmark = pytest.mark.database


@pytest.fixture
def started(unattended: Rollcall, idle: Rollcall, monkeypatch: pytest.MonkeyPatch) -> UUID:
    """Return a subscription whose erasing somebody has started, and nobody goes on with."""
    monkeypatch.setattr(closure, "AT_ONCE", 7)
    monkeypatch.setattr(eraser, "PAUSE_SECONDS", 0.01)
    origin = everything(unattended)
    start_erasure(idle, idle.closure, origin, "Nobody needs it.")
    return origin.subscription_id


def is_erased(rollcall: Rollcall, scope: UUID) -> bool:
    result = wait_until_erased(rollcall, scope, 0)
    return result is not None and result.readable


def test_a_worker_erases_what_was_started(idle: Rollcall, started: UUID) -> None:
    assert left_of(idle) != []
    with working(idle):
        eventually(lambda: is_erased(idle, started))
    assert left_of(idle) == []
    last = idle.events.history(started)[-1]
    assert isinstance(last.event, SubscriptionErased)
    assert (last.origin.request_id, last.origin.actor.id == ANN) == ("test", False), "that of the command, erased"


@pytest.mark.parametrize(("owner", "step"), STEPS[1:], ids=[name for _, name in STEPS[1:]])
def test_what_failed_at_any_step_is_finished_by_itself(
    idle: Rollcall, started: UUID, monkeypatch: pytest.MonkeyPatch, owner: Any, step: str
) -> None:
    original, failures = getattr(owner, step), [Killed]

    def fails_once(*arguments: Any, **more: Any) -> Any:
        done = original(*arguments, **more)
        if failures:
            raise failures.pop()
        return done

    monkeypatch.setattr(owner, step, fails_once)
    with working(idle):
        eventually(lambda: is_erased(idle, started))
    assert not failures, "it never came to that step"
    assert left_of(idle) == []
    with idle.views() as cursor:
        assert cursor.execute("SELECT FROM erasings").rowcount == 0


def test_a_worker_that_ends_leaves_the_rest_to_the_next_one(
    idle: Rollcall, started: UUID, monkeypatch: pytest.MonkeyPatch
) -> None:
    original, steps, passed = PostgresClosure.erase_next, [0], Event()

    def counted(*arguments: Any) -> bool:
        done = original(*arguments)
        steps[0] += 1
        passed.set()
        return done

    monkeypatch.setattr(PostgresClosure, "erase_next", counted)
    with working(idle) as worker:
        assert passed.wait(60)
        worker.stop()
    assert not is_erased(idle, started)
    before = steps[0]
    with working(idle):
        eventually(lambda: is_erased(idle, started))
    assert before < steps[0]
    assert left_of(idle) == []


def test_only_one_process_erases_a_subscription(idle: Rollcall, compose: Compose, started: UUID) -> None:
    with idle.locks.try_acquire("erasing", str(started)) as mine:
        assert mine
        assert Eraser(compose()).erase_started(Event())
    assert left_of(idle) != []
