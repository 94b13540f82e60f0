"""The server's registration: commands find out from it where Rollcall can be reached."""

from __future__ import annotations

from contextlib import contextmanager
from threading import Event, Thread
from typing import TYPE_CHECKING

import structlog

from adapters.http.problems import DATABASE_AWAY
from adapters.postgres.servers import SEEN_EVERY_SECONDS

if TYPE_CHECKING:
    from collections.abc import Iterator
    from uuid import UUID

    from adapters.postgres.servers import Servers

log = structlog.get_logger(__name__)


@contextmanager
def registered(servers: Servers, url: str) -> Iterator[None]:
    """Keep a server registered as reachable at this URL while the block runs."""
    server_id, stopping = servers.register(url), Event()
    heartbeat = Thread(target=_beat, args=(servers, server_id, stopping), name="heartbeat", daemon=True)
    heartbeat.start()
    try:
        yield
    finally:
        stopping.set()
        heartbeat.join()
        try:
            servers.unregister(server_id)
        except DATABASE_AWAY:  # the registration expires by itself
            log.warning("the database is unavailable: the server is still registered", exc_info=True)


def _beat(servers: Servers, server_id: UUID, stopping: Event) -> None:
    while not stopping.wait(SEEN_EVERY_SECONDS):
        try:
            servers.seen(server_id)
        except DATABASE_AWAY:
            log.warning("the database is unavailable: the server's registration was not renewed", exc_info=True)
