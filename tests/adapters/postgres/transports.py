"""Reach the tests' PostgreSQL server over TCP and over a Unix socket, whichever of them it listens on."""

from __future__ import annotations

import re
import socket
from contextlib import contextmanager, suppress
from pathlib import Path
from socketserver import BaseRequestHandler, ThreadingTCPServer
from threading import Event, Lock, Thread
from typing import TYPE_CHECKING

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict, make_conninfo

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def over_tcp(conninfo: str) -> Iterator[str]:
    """Reach a server over TCP, directly or through a forwarder to its Unix socket."""
    path = _socket(conninfo)
    if path is None:
        yield conninfo
        return

    class Forwarder(BaseRequestHandler):
        def handle(self) -> None:
            with socket.socket(socket.AF_UNIX) as server:
                server.connect(str(path))
                back = Thread(target=_forward, args=(server, self.request), daemon=True)
                back.start()
                _forward(self.request, server)
                back.join()

    with ThreadingTCPServer(("127.0.0.1", 0), Forwarder) as forwarding:
        Thread(target=forwarding.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        host, port = forwarding.server_address[:2]
        yield make_conninfo(conninfo, host=str(host), port=str(port), sslmode="disable", gssencmode="disable")
        forwarding.shutdown()


class CutConnections:
    """A server over TCP, and the means to cut a connection once the server has stored an append but not answered."""

    def __init__(self, conninfo: str) -> None:
        self.conninfo = conninfo
        self.cuts = 0
        self._to_cut = 0
        self._changing = Lock()

    def cut_next_append(self) -> None:
        with self._changing:
            self._to_cut += 1

    def take_turn(self) -> bool:
        """Return whether a connection that sends an append is to be cut."""
        with self._changing:
            is_cut = self._to_cut > 0
            self._to_cut -= is_cut
            self.cuts += is_cut
            return is_cut


@contextmanager
def cutting_connections(conninfo: str) -> Iterator[CutConnections]:
    """Reach a server over TCP through a forwarder that can lose the answer of an append."""
    with over_tcp(conninfo) as reachable, socket.create_server(("127.0.0.1", 0)) as listening:
        given = conninfo_to_dict(reachable)
        host, port = listening.getsockname()[:2]
        target = (str(given["host"]), int(given["port"] or 5432))
        cutter = CutConnections(make_conninfo(reachable, host=host, port=str(port), sslmode="disable"))

        def accept() -> None:
            with suppress(OSError):  # the listening socket is closed
                while True:
                    client, _ = listening.accept()
                    Thread(target=_forward_and_cut, args=(cutter, client, target), daemon=True).start()

        Thread(target=accept, daemon=True).start()
        yield cutter
        listening.shutdown(socket.SHUT_RDWR)


def _forward_and_cut(cutter: CutConnections, client: socket.socket, target: tuple[str, int]) -> None:
    with client, socket.create_connection(target) as server:
        is_cut = Event()

        def answer() -> None:
            with suppress(OSError):
                while data := server.recv(65_536):
                    if is_cut.is_set():  # the server answers an append after it has committed
                        break
                    client.sendall(data)
                client.shutdown(socket.SHUT_RDWR)

        answering = Thread(target=answer, daemon=True)
        answering.start()
        sent = b""
        with suppress(OSError):
            while data := client.recv(65_536):
                sent = (sent + data)[-1_000_000:]
                if _executes_append(sent, len(data)) and cutter.take_turn():
                    is_cut.set()
                server.sendall(data)
            server.shutdown(socket.SHUT_WR)
        answering.join()


def _executes_append(sent: bytes, new: int) -> bool:
    """Return whether the new bytes bind a statement that a message Parse has prepared for the append function.

    psycopg prepares several on a connection: one for each combination of parameter types.
    """
    prepared = re.findall(rb"(_pg3_\d+)\0[^\0]*append_to_events_\d", sent)
    return any(b"\0%s\0" % name in sent[-new:] for name in prepared)


def over_unix_socket(conninfo: str) -> str:
    """Reach a server over its Unix socket, or skip the test if it has none here."""
    if _socket(conninfo) is not None:
        return conninfo
    with psycopg.connect(conninfo) as connection:
        row = connection.execute("SELECT current_setting('unix_socket_directories')").fetchone()
    for directory in str(row[0] if row else "").split(","):
        local = make_conninfo(conninfo, host=directory.strip())
        try:
            psycopg.connect(local, connect_timeout=5).close()
        except psycopg.OperationalError as error:
            pytest.skip(f"the Unix socket of the tests' server cannot be reached: {error}")
        return local
    pytest.skip("the tests' server has no Unix socket")


def _socket(conninfo: str) -> Path | None:
    found = conninfo_to_dict(conninfo)
    host = str(found.get("host", ""))
    return Path(host, f".s.PGSQL.{found.get('port', 5432)}") if host.startswith("/") else None


def _forward(source: socket.socket, target: socket.socket) -> None:
    try:
        while data := source.recv(65_536):
            target.sendall(data)
        target.shutdown(socket.SHUT_WR)
    except OSError:  # one end was closed, so there is nothing left to forward
        with suppress(OSError):
            target.shutdown(socket.SHUT_RDWR)  # wakes the thread that reads from it, as closing it would not
