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
        return {"directory": Lag(3, 0.1)}

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


def test_a_process_is_not_ready_before_its_views_are(examined: Examined, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(examined, "rebuilding", lambda: ["directory"])
    database: Any = examined
    (found,) = asyncio.run(results(ReadinessCheck(database), examined, 1))
    assert found == Readiness("rebuilding", {"directory": 3}, ["directory"])
