"""A large upload affects neither other requests nor the server's memory."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.adapters.api.importing import lines, long_to_read, reader_held, send, send_apart, subscribed
from tests.waiting import Running

if TYPE_CHECKING:
    from tests.adapters.server.serving import Served

pytestmark = pytest.mark.database

ANN = "ann@example.com"
MEGABYTE = 1024 * 1024


def test_while_a_file_is_read_others_are_answered_and_other_files_read(running: Served) -> None:
    """The process that reads it is held, so requests that wait for it get no answer before the block ends."""
    client, subscription = running.client, subscribed(running.client, ANN)
    upload = Running(lambda: send_apart(running, subscription, long_to_read()))
    with reader_held(running) as reader:
        assert os.getpriority(os.PRIO_PROCESS, reader) == os.getpriority(os.PRIO_PROCESS, running.process.pid)
        for path in (
            "/health/live",
            "/health/ready",
            subscription,
            f"{subscription}/groups",
            f"{subscription}/imports",
        ):
            assert client.get(path).status_code == 200
        assert client.post(f"{subscription}/groups", json={"name": "Sales"}).status_code == 201
        assert send(client, subscription, lines(2)).status_code == 201
        assert upload.is_alive()
    assert upload.result().status_code == 201


def test_the_servers_memory_does_not_grow_with_the_file(running: Served) -> None:
    """Its peak after the large file grows by only a part of the difference in size to the small file before."""
    subscription = subscribed(running.client, ANN)
    small, large = 2 * MEGABYTE, 50 * MEGABYTE

    def peak_after(size: int) -> int:
        answer = send(running.client, subscription, b"no header of ours\n" * (size // 18))
        assert answer.status_code == 422, "it is kept, and refused"
        status = Path(f"/proc/{running.process.pid}/status").read_text()
        found = re.search(r"VmHWM:\s+(\d+) kB", status)
        assert found
        return int(found[1]) * 1024

    before = peak_after(small)
    assert peak_after(large) - before < (large - small) / 2
