from __future__ import annotations

import asyncio
from threading import Event
from typing import Any

import pytest

from adapters.health import Lag
from adapters.server import health
from adapters.server.health import Readiness, ReadinessCheck
from tests.waiting import GENEROUS_SECONDS


class Examined:
    """A database whose examination takes until it is released."""

    def __init__(self) -> None:
        self.times = 0
        self.released = Event()

    def is_database_reachable(self) -> bool:
        self.times += 1
        return self.released.wait(GENEROUS_SECONDS)

    def lag(self) -> dict[str, Lag]:
        return {"directory": Lag(3, 0.1, 5)}

    def rebuilding(self) -> list[str]:
        return []


@pytest.fixture
def examined() -> Examined:
    return Examined()


async def results(check: ReadinessCheck, examined: Examined, many: int) -> list[Readiness]:
    """Ask many times at once; the examination ends only when everyone has asked."""
    examined.released.clear()
    asking = [asyncio.create_task(check.result()) for _ in range(many)]
    await asyncio.sleep(0)
    examined.released.set()
    return await asyncio.gather(*asking)


def test_everyone_who_asks_at_once_or_a_moment_later_gets_the_same_answer(
    examined: Examined, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(health, "READY_SECONDS", GENEROUS_SECONDS)
    database: Any = examined
    check = ReadinessCheck(database)

    async def ask() -> list[Readiness]:
        return [*await results(check, examined, 50), *await results(check, examined, 50)]

    assert asyncio.run(ask()) == [Readiness("ready", {"directory": 3}, [])] * 100
    assert examined.times == 1


def test_it_is_found_out_again_after_a_moment(examined: Examined, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health, "READY_SECONDS", 0)
    database: Any = examined
    check = ReadinessCheck(database)

    async def ask() -> None:
        for _ in range(3):
            await results(check, examined, 2)

    asyncio.run(ask())
    assert examined.times == 3


def statuses(monkeypatch: pytest.MonkeyPatch, lags: list[tuple[float, Lag]]) -> list[str]:
    """Return what is found at these times, where the directory lags behind like this."""
    now, lag = 0.0, Lag(0, 0.0, 0)
    monkeypatch.setattr(health, "monotonic", lambda: now)
    monkeypatch.setattr(health, "READY_SECONDS", 0)
    examined = Examined()
    monkeypatch.setattr(examined, "lag", lambda: {"directory": lag})
    database: Any = examined
    check = ReadinessCheck(database)
    found: list[str] = []

    async def ask() -> None:
        nonlocal now, lag
        for each in lags:
            now, lag = each
            found.append((await results(check, examined, 1))[0].status)

    asyncio.run(ask())
    return found


def test_a_view_that_moves_is_fine_however_far_it_is_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    """A large import is recorded faster than it is shown."""
    moving = [(30.0 * step, Lag(1_000_000, 600.0, step)) for step in range(100)]
    assert statuses(monkeypatch, moving) == ["ready"] * 100


def test_a_view_that_is_behind_and_stands_still_for_a_minute_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    still, moved = Lag(1, 600.0, 7), Lag(1, 0.1, 8)
    found = statuses(monkeypatch, [(0.0, still), (59.0, still), (61.0, still), (62.0, moved), (63.0, moved)])
    assert found == ["ready", "ready", "stalled", "ready", "ready"]


def test_a_view_that_has_nothing_to_show_may_stand_still(monkeypatch: pytest.MonkeyPatch) -> None:
    idle, behind = Lag(0, 0.0, 7), Lag(1, 0.1, 7)
    assert statuses(monkeypatch, [(0.0, behind), (50.0, idle), (100.0, idle), (200.0, behind)]) == ["ready"] * 4


def test_a_process_is_not_ready_before_its_views_are(examined: Examined, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(examined, "rebuilding", lambda: ["directory"])
    database: Any = examined
    (found,) = asyncio.run(results(ReadinessCheck(database), examined, 1))
    assert found == Readiness("rebuilding", {"directory": 3}, ["directory"])
