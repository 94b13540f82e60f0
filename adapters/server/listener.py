"""The socket that the server listens on."""

from __future__ import annotations

import errno
import ipaddress
import socket
from contextlib import contextmanager
from typing import TYPE_CHECKING, TypeAlias

from domain.errors import RollcallError

if TYPE_CHECKING:
    from collections.abc import Iterator

BACKLOG = 2_048

Address: TypeAlias = tuple[str, int] | tuple[str, int, int, int] | tuple[int, bytes]


class NotLoopback(RollcallError):
    """“{host}” is not on the loopback interface.

    To serve beyond it, set ROLLCALL_PUBLIC_URL to the address at which browsers and programs reach this server
    (https://…). Otherwise use 127.0.0.1.
    """

    code = "not-loopback"


class HostUnknown(NotLoopback):
    """“{host}” is not an address of this machine. Use 127.0.0.1, or one of the machine's addresses."""


class PortInUse(RollcallError):
    """Port {port} is already in use. Stop the other program or choose another port with --port."""

    code = "port-in-use"


class PortForbidden(RollcallError):
    """You don't have permission to listen on port {port}. Choose a port above 1023 with --port."""

    code = "port-forbidden"


@contextmanager
def listen(host: str, port: int, *, beyond_loopback: bool) -> Iterator[socket.socket]:
    """Listen at a host and port while the block runs; port 0 takes any that is free.

    Raises NotLoopback, HostUnknown, PortInUse and PortForbidden.
    """
    family, address = listening_address(host, port, beyond_loopback=beyond_loopback)
    # The protocol is given because asyncio sends at once (TCP_NODELAY) only then; otherwise each answer takes 40 ms.
    with socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP) as listening:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listening.bind(address)
            listening.listen(BACKLOG)
        except OSError as error:
            match error.errno:
                case errno.EADDRINUSE:
                    raise PortInUse(port=port) from error
                case errno.EACCES:
                    raise PortForbidden(port=port) from error
                case errno.EADDRNOTAVAIL:
                    raise HostUnknown(host=host) from error
                case _:
                    raise
        yield listening


def listening_address(host: str, port: int, *, beyond_loopback: bool) -> tuple[socket.AddressFamily, Address]:
    """Return where to listen for a host and a port.

    The host is looked up once, so that the address that is checked is the one that is bound. Raises HostUnknown, and
    NotLoopback unless all of its addresses are on the loopback interface or `beyond_loopback` is set.
    """
    try:
        found = socket.getaddrinfo(host or "0.0.0.0", port, type=socket.SOCK_STREAM)  # noqa: S104 - what "" would bind
    except (OSError, UnicodeError):
        raise HostUnknown(host=host) from None
    if not beyond_loopback and not all(ipaddress.ip_address(str(address[0])).is_loopback for *_, address in found):
        raise NotLoopback(host=host)
    family, *_, address = min(found)  # IPv4 first
    return family, address


def url_of(listening: socket.socket) -> str:
    """Return the URL of a listening socket."""
    address, port, *_ = listening.getsockname()
    return f"http://[{address}]:{port}" if listening.family == socket.AF_INET6 else f"http://{address}:{port}"
