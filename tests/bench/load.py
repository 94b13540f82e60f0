"""Clients that each send the next request as soon as the last one is answered: `load.py URL TOKEN CLIENTS SECONDS`.

They run in a process of their own and parse no more than they have to, so that the server is what is measured.
It prints the number of answers a second.
"""

from __future__ import annotations

import asyncio
import sys
from time import perf_counter
from urllib.parse import urlsplit

LENGTH = b"content-length: "
END = b"\r\n\r\n"


class Client(asyncio.Protocol):
    """One connection; it counts the answers."""

    def __init__(self, request: bytes) -> None:
        self.answers = 0
        self.closed = asyncio.get_running_loop().create_future()
        self.stopping = False
        self._request = request
        self._received = b""
        self._transport: asyncio.WriteTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Send the first request."""
        assert isinstance(transport, asyncio.WriteTransport)
        self._transport = transport
        transport.write(self._request)

    def data_received(self, data: bytes) -> None:
        """Send the next request once an answer is complete."""
        received = self._received + data
        end = received.find(END)
        if end >= 0:
            head = received[:end].lower()
            if not head.startswith(b"http/1.1 200"):
                raise SystemExit(received.decode(errors="replace"))
            start = head.index(LENGTH) + len(LENGTH)
            length = int(head[start:].split(b"\r\n", 1)[0])
            if len(received) >= end + len(END) + length:
                self.answers += 1
                self._received = b""
                assert self._transport
                if self.stopping:
                    self._transport.close()
                else:
                    self._transport.write(self._request)
                return
        self._received = received

    def connection_lost(self, exc: Exception | None) -> None:
        """Let it be known."""
        if not self.closed.done():
            self.closed.set_result(exc)


async def run(url: str, token: str, clients: int, seconds: float) -> float:
    """Return how many requests were answered a second."""
    where = urlsplit(url)
    path = where.path + (f"?{where.query}" if where.query else "")
    request = f"GET {path} HTTP/1.1\r\nHost: {where.netloc}\r\nAuthorization: Bearer {token}\r\n\r\n".encode()
    loop, host, port = asyncio.get_running_loop(), str(where.hostname), where.port or 80
    made = [await loop.create_connection(lambda: Client(request), host, port) for _ in range(clients)]
    everybody = [client for _, client in made]
    await asyncio.sleep(seconds / 5)  # until all are warm
    before, began = sum(each.answers for each in everybody), perf_counter()
    await asyncio.sleep(seconds)
    answers, taken = sum(each.answers for each in everybody) - before, perf_counter() - began
    for each in everybody:
        each.stopping = True
    lost = [each for each in await asyncio.gather(*(each.closed for each in everybody)) if each]
    assert not lost, lost
    return answers / taken


if __name__ == "__main__":
    print(asyncio.run(run(sys.argv[1], sys.argv[2], int(sys.argv[3]), float(sys.argv[4]))))  # noqa: T201 - read
