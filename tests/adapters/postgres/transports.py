"""Reach the tests' PostgreSQL server over TCP and over a Unix socket, whichever of them it listens on."""

from __future__ import annotations

import socket
from contextlib import contextmanager, suppress
from pathlib import Path
from socketserver import BaseRequestHandler, ThreadingTCPServer
from threading import Thread
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
