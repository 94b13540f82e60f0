"""Helpers for tests that import files over HTTP."""

from __future__ import annotations

import os
import signal
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx

from tests.processes import children
from tests.waiting import GENEROUS_SECONDS, eventually

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.adapters.server.serving import Served

API = "/api/v1"
NOTHING_UNDONE = {"groups_undone": 0, "groups_deleted": 0, "groups_kept": 0, "users_removed": 0}


def subscribed(client: httpx.Client, *emails: str, seats: int = 1_000_000) -> str:
    """Create a subscription in which these users have licences, and return its path."""
    answer = client.post(f"{API}/subscriptions", json={"name": "Contoso", "seats": seats})
    assert answer.status_code == 201, answer.text
    where = answer.headers["location"]
    if emails:
        answer = client.post(f"{where}/licences", json={"users": [{"email": email} for email in emails]})
        assert answer.is_success, answer.text
    return str(where)


def send(
    client: httpx.Client, subscription: str, content: bytes | str, name: str = "groups.csv", **headers: str
) -> httpx.Response:
    """Upload a file."""
    body = content.encode() if isinstance(content, str) else content
    named = {header.replace("_", "-"): value for header, value in headers.items()}
    return client.post(f"{subscription}/imports", files={"file": (name, body)}, headers=named)


def send_apart(server: Served, subscription: str, content: bytes) -> httpx.Response:
    """Upload a file over a separate connection, so that another thread can do it."""
    with httpx.Client(base_url=server.url, timeout=GENEROUS_SECONDS, auth=server.auth) as client:
        return send(client, subscription, content)


def uploaded(client: httpx.Client, subscription: str, content: bytes | str, name: str = "groups.csv") -> str:
    """Upload a file that can be read, and return the path of its import once it can be reviewed."""
    answer = send(client, subscription, content, name)
    assert answer.status_code in {201, 202}, answer.text
    where = str(answer.headers["location"])
    eventually(lambda: client.get(where).is_success)
    eventually(lambda: client.get(f"{where}/groups").json())
    return where


def if_match(client: httpx.Client, where: str) -> dict[str, str]:
    """Return the If-Match header for the current version."""
    return {"If-Match": client.get(where).headers["etag"]}


def committed(client: httpx.Client, where: str) -> dict[str, Any]:
    """Commit an import, and return it once that is done."""
    assert client.post(f"{where}/commit", headers=if_match(client, where)).status_code == 202
    return reaching(client, where, "completed")


def reaching(client: httpx.Client, where: str, state: str) -> dict[str, Any]:
    """Return the import once it is in a state."""
    eventually(lambda: client.get(where).json()["state"] == state)
    found: dict[str, Any] = client.get(where).json()
    return found


def types(client: httpx.Client, where: str) -> list[str]:
    """Return the types of an import's events."""
    return [event["type"] for event in whole(client, f"{where}/history?limit=1000")]


def whole(client: httpx.Client, where: str) -> list[dict[str, Any]]:
    """Return a whole list, page by page."""
    rows: list[dict[str, Any]] = []
    following: str | None = where
    while following:
        answer = client.get(following)
        assert answer.status_code == 200, answer.text
        rows += answer.json()
        following = answer.links.get("next", {}).get("url")
    return rows


def lines(groups: int, name: str = "Group") -> str:
    """Return a file with this many groups, each with the same user."""
    return "Groupname,Email\n" + "".join(f"{name} {number},ann@example.com\n" for number in range(1, groups + 1))


def long_to_read() -> bytes:
    """Return a file that takes a second to read: enough time to find the process that reads it."""
    rows = "".join(f"user{number}@example.com,,,Everybody\n" for number in range(100_000))
    return f"email,FirstName,LastName,Groupname\n{rows}".encode()


def written(server: Served, folder: Path) -> int:
    """Return the size in bytes of the files in a folder that a server holds open, with or without names."""
    sizes = 0
    for descriptor in Path(f"/proc/{server.process.pid}/fd").iterdir():
        with suppress(FileNotFoundError):  # it has been closed
            if descriptor.readlink().is_relative_to(folder):
                sizes += descriptor.stat().st_size
    return sizes


@contextmanager
def reader_held(server: Served) -> Iterator[int]:
    """Wait until a process reads a file, suspend it while the block runs, and yield its id."""
    (reader,) = eventually(lambda: reading(server.process.pid))
    os.kill(reader, signal.SIGSTOP)
    try:
        yield reader
    finally:
        with suppress(ProcessLookupError):  # it was ended
            os.kill(reader, signal.SIGCONT)


def reading(server: int) -> list[int]:
    """Return the processes that read a file for a server, once they have got it."""
    return [
        copy
        for readers in children(server, b"adapters.http.reader_process")
        for copy in children(readers)
        if _nameless(copy) > _nameless(readers)
    ]


def _nameless(process: int) -> int:
    """Return how many files without a name a process has open."""
    with suppress(FileNotFoundError):  # it has just closed one, or ended
        return sum(each.readlink().name.endswith("(deleted)") for each in Path(f"/proc/{process}/fd").iterdir())
    return 0
