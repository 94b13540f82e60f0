"""What is PostgreSQL's own about the blobs; the rest of it is in tests/contracts."""

from __future__ import annotations

from functools import partial
from hashlib import sha256
from typing import TYPE_CHECKING, LiteralString
from uuid import UUID, uuid4

import psycopg
import pytest

from tests.waiting import Running, eventually, somebody_waits_for_a_lock

if TYPE_CHECKING:
    from collections.abc import Callable

    from adapters.composition import Rollcall
    from adapters.postgres.blobs import PostgresBlobs

pytestmark = pytest.mark.database

SUBSCRIPTION = uuid4()
CHUNKS = [b"one", b"", b"\x00three", b"four" * 1000]


@pytest.fixture
def blobs(idle: Rollcall) -> PostgresBlobs:
    return idle.blobs


def stored(blobs: PostgresBlobs, digest: str, subscription: UUID = SUBSCRIPTION) -> list[bytes]:
    return [
        blobs.chunk(subscription, "file", digest, number)
        for number in range(blobs.chunk_count(subscription, "file", digest))
    ]


def count(database: str) -> tuple[int, int]:
    """Return how many blobs and how many chunks there are."""
    with psycopg.connect(database) as connection:
        row = connection.execute(
            "SELECT (SELECT count(*) FROM rollcall.blobs), (SELECT count(*) FROM rollcall.blob_chunks)"
        ).fetchone()
    assert row
    return row[0], row[1]


def test_a_blob_is_stored_once_however_often_it_comes(blobs: PostgresBlobs, database: str) -> None:
    assert len({blobs.put(SUBSCRIPTION, "file", CHUNKS) for _ in range(3)}) == 1
    assert count(database) == (1, 4)


def test_the_same_file_of_two_subscriptions_is_kept_for_each(blobs: PostgresBlobs, database: str) -> None:
    other = uuid4()
    digest = blobs.put(SUBSCRIPTION, "file", CHUNKS)
    assert blobs.put(other, "file", CHUNKS) == digest
    assert stored(blobs, digest, other) == CHUNKS
    assert count(database) == (2, 8)


def test_many_put_the_same_at_once(compose: Callable[[], Rollcall], database: str) -> None:
    processes = [compose().blobs, compose().blobs]
    putting = [Running(partial(processes[n % 2].put, SUBSCRIPTION, "file", CHUNKS)) for n in range(8)]
    (digest,) = {each.result() for each in putting}
    assert stored(processes[0], digest) == CHUNKS
    assert count(database) == (1, 4)


@pytest.mark.parametrize("ends", ["COMMIT", "ROLLBACK"])
def test_a_blob_is_there_when_put_returns_even_if_another_transaction_was_about_to_store_it(
    blobs: PostgresBlobs, database: str, ends: LiteralString
) -> None:
    """The second waits for the first: the first may still fail, and then the blob would be missing."""
    digest = sha256(b"bytes").hexdigest()
    with psycopg.connect(database) as first, psycopg.connect(database, autocommit=True) as looking:
        first.execute("INSERT INTO rollcall.blobs VALUES (%s, 'file', %s, 1)", (SUBSCRIPTION, digest))
        first.execute(
            "INSERT INTO rollcall.blob_chunks VALUES (%s, 'file', %s, 0, %s)", (SUBSCRIPTION, digest, b"bytes")
        )
        putting = Running(lambda: blobs.put(SUBSCRIPTION, "file", [b"bytes"]))
        eventually(lambda: somebody_waits_for_a_lock(looking))
        assert putting.is_alive()
        first.execute(ends)
        assert putting.result() == digest
    assert stored(blobs, digest) == [b"bytes"]
