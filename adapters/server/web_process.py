"""A further web process of a server. It accepts connections on the same socket as the others.

The server starts it with `python -m adapters.server.web_process NUMBER COUNT SOCKET FILE` (see `child_process`): which
one of how many web processes it is, and the descriptors of the socket and of what they share.
"""

from __future__ import annotations

import logging
import os
import signal
import socket
import sys
from contextlib import suppress

from adapters import logs
from adapters.child_process import end_with_the_server, say_that_it_works
from adapters.composition import composed
from adapters.http.siblings import Siblings
from adapters.server.http_server import web_server
from adapters.settings import read_settings

log = logging.getLogger(__name__)


def main(number: int, count: int, listening: int, shared: int) -> int:
    """Serve until SIGTERM or until the server is gone. Requests finish first, streams close."""
    logs.configure(f"web {number + 1}")
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # until it serves
    end_with_the_server()
    try:
        with (
            suppress(KeyboardInterrupt),
            socket.socket(fileno=listening) as accepting,
            composed(read_settings(os.environ)) as rollcall,
        ):
            server = web_server(rollcall, Siblings(number, count, shared))
            say_that_it_works()
            server.run(sockets=[accepting])
    except Exception:
        log.exception("The web process can't work")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(*map(int, sys.argv[1:])))
