"""The threads that read, for coroutines that wait."""

from __future__ import annotations

import asyncio
from contextvars import ContextVar
from threading import Barrier, Event, current_thread
from typing import TYPE_CHECKING, NoReturn

import pytest

from adapters.http.reads import Readers
from tests.waiting import GENEROUS_SECONDS, Running, eventually

if TYPE_CHECKING:
    from collections.abc import Callable

asker: ContextVar[str] = ContextVar("asker")


def refuse() -> NoReturn:
    raise LookupError("there is none")


def wait_for_answers(readers: Readers, count: int) -> None:
    """Keep the event loop busy until threads have handed over so many answers."""
    loop = asyncio.get_running_loop()
    eventually(lambda: len(readers._answers.get(loop, ())) == count)  # noqa: SLF001 - nothing else tells


def test_everybody_gets_their_own_answer_in_their_own_context() -> None:
    async def main() -> None:
        readers = Readers(3)

        async def ask(name: str) -> str:
            asker.set(name)
            return await readers.call(asker.get)

        names = [f"asker {number}" for number in range(100)]
        assert await asyncio.gather(*map(ask, names)) == names

    asyncio.run(main())


def test_what_fails_fails_for_whoever_asked_alone() -> None:
    async def main() -> None:
        readers = Readers(1)
        found = await asyncio.gather(
            readers.call(refuse), readers.call(current_thread), readers.call(lambda: 7), return_exceptions=True
        )
        assert isinstance(found[0], LookupError)
        assert found[1] is not current_thread()
        assert found[2] == 7

    asyncio.run(main())


def test_an_error_that_no_future_takes_keeps_nobody_waiting() -> None:
    async def main() -> None:
        readers = Readers(1)
        asked = [readers.call(lambda: next(iter(()))), readers.call(lambda: 7)]
        found = await asyncio.wait_for(asyncio.gather(*asked, return_exceptions=True), GENEROUS_SECONDS)
        assert isinstance(found[0], RuntimeError)
        assert found[1] == 7

    asyncio.run(main())


def test_a_cancelled_request_is_nobody_elses_trouble() -> None:
    async def main() -> None:
        readers, began, releases = Readers(2), Event(), (Event(), Event())

        def stay() -> bool:
            began.set()
            return releases[0].wait(GENEROUS_SECONDS)

        leaving = asyncio.create_task(readers.call(stay))
        staying = asyncio.create_task(readers.call(lambda: releases[1].wait(GENEROUS_SECONDS)))
        await asyncio.to_thread(began.wait, GENEROUS_SECONDS)
        leaving.cancel()
        with pytest.raises(asyncio.CancelledError):
            await leaving
        for count, release in enumerate(releases, start=1):
            release.set()
            wait_for_answers(readers, count)
        assert await asyncio.wait_for(staying, GENEROUS_SECONDS)

    asyncio.run(main())


def test_an_event_loop_that_has_gone_is_nobody_elses_trouble() -> None:
    readers, began, release = Readers(1), Event(), Event()

    def stay() -> None:
        began.set()
        release.wait(GENEROUS_SECONDS)

    async def leave() -> None:
        asyncio.create_task(readers.call(stay))  # noqa: RUF006 - it ends with the loop
        await asyncio.to_thread(began.wait, GENEROUS_SECONDS)

    asyncio.run(leave())
    other = Running(lambda: asyncio.run(readers.call(lambda: 7)))
    eventually(readers.asked.qsize)
    release.set()
    assert other.result() == 7


def test_the_event_loop_is_woken_once_for_all_answers_that_are_there(monkeypatch: pytest.MonkeyPatch) -> None:
    async def main() -> None:
        loop, readers, woken = asyncio.get_running_loop(), Readers(3), list[object]()
        wake, together = loop.call_soon_threadsafe, Barrier(4)

        def count(callback: Callable[..., object], *args: object) -> object:
            woken.append(callback)
            return wake(callback, *args)

        monkeypatch.setattr(loop, "call_soon_threadsafe", count)
        calls = [asyncio.create_task(readers.call(lambda: together.wait(GENEROUS_SECONDS))) for _ in range(3)]
        await asyncio.sleep(0)
        together.wait(GENEROUS_SECONDS)
        wait_for_answers(readers, 3)
        await asyncio.gather(*calls)
        assert len(woken) == 1

    asyncio.run(main())
