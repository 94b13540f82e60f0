"""A connection sends what is written in one go together."""

from __future__ import annotations

import asyncio
from typing import cast

from adapters.server.connection import GATHERED_BYTES, GatheringTransport


class Wire:
    """A transport that notes what it is given."""

    def __init__(self) -> None:
        self.sent: list[bytes] = []

    def write(self, data: bytes) -> None:
        """Note it."""
        self.sent.append(data)

    def close(self) -> None:
        """Note the end."""
        self.sent.append(b"(closed)")

    def is_closing(self) -> bool:
        """Return whether it is closed."""
        return b"(closed)" in self.sent


async def gathering() -> tuple[Wire, GatheringTransport]:
    """Return a transport over a wire."""
    wire = Wire()
    return wire, GatheringTransport(cast("asyncio.Transport", wire), asyncio.get_running_loop())


def test_the_head_and_the_body_of_an_answer_are_sent_together() -> None:
    async def answer() -> list[bytes]:
        wire, transport = await gathering()
        transport.write(b"head ")
        transport.write(b"body")
        transport.flush()
        transport.flush()
        return wire.sent

    assert asyncio.run(answer()) == [b"head body"]


def test_what_nothing_follows_is_sent_at_the_next_turn() -> None:
    async def answer() -> tuple[list[bytes], list[bytes]]:
        wire, transport = await gathering()
        transport.write(b"first event")
        before = [*wire.sent]
        await asyncio.sleep(0)
        return before, wire.sent

    assert asyncio.run(answer()) == ([], [b"first event"])


def test_much_is_sent_at_once_so_that_a_slow_reader_is_noticed() -> None:
    async def answer() -> list[int]:
        wire, transport = await gathering()
        for _ in range(3):
            transport.write(bytes(GATHERED_BYTES // 2))
        return [len(each) for each in wire.sent]

    assert asyncio.run(answer()) == [GATHERED_BYTES // 2 * 3]


def test_a_connection_is_closed_after_everything_is_sent() -> None:
    async def answer() -> tuple[list[bytes], bool]:
        wire, transport = await gathering()
        transport.write(b"goodbye")
        transport.close()
        return wire.sent, transport.is_closing()

    assert asyncio.run(answer()) == ([b"goodbye", b"(closed)"], True)
