from __future__ import annotations

from functools import partial
from hashlib import sha256
from os import urandom
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


def test_a_blob_is_kept_under_its_digest_in_the_chunks_it_came_in(blobs: PostgresBlobs) -> None:
    digest = blobs.put(SUBSCRIPTION, "file", CHUNKS)
    assert digest == sha256(b"".join(CHUNKS)).hexdigest()
    assert stored(blobs, digest) == CHUNKS


def test_a_blob_is_stored_once_however_often_it_comes(blobs: PostgresBlobs, database: str) -> None:
    assert len({blobs.put(SUBSCRIPTION, "file", CHUNKS) for _ in range(3)}) == 1
    assert count(database) == (1, 4)


def test_the_same_bytes_in_other_chunks_stay_as_they_came_first(blobs: PostgresBlobs) -> None:
    """A blob never changes, whoever is reading it."""
    digest = blobs.put(SUBSCRIPTION, "file", CHUNKS)
    assert blobs.put(SUBSCRIPTION, "file", [b"".join(CHUNKS)]) == digest
    assert stored(blobs, digest) == CHUNKS


def test_an_empty_blob_is_a_blob(blobs: PostgresBlobs) -> None:
    digest = blobs.put(SUBSCRIPTION, "file", [])
    assert digest == sha256().hexdigest()
    assert blobs.chunk_count(SUBSCRIPTION, "file", digest) == 0


def test_a_megabyte_of_anything_comes_back_as_it_was(blobs: PostgresBlobs) -> None:
    chunks = [urandom(1024 * 1024) for _ in range(3)]
    assert stored(blobs, blobs.put(SUBSCRIPTION, "file", chunks)) == chunks


def test_no_subscription_sees_anothers_blob(blobs: PostgresBlobs) -> None:
    digest = blobs.put(SUBSCRIPTION, "file", CHUNKS)
    foreign = uuid4()
    with pytest.raises(KeyError):
        blobs.chunk(foreign, "file", digest, 0)
    with pytest.raises(KeyError):
        blobs.chunk_count(foreign, "file", digest)


def test_the_same_file_of_two_subscriptions_is_kept_for_each(blobs: PostgresBlobs, database: str) -> None:
    other = uuid4()
    digest = blobs.put(SUBSCRIPTION, "file", CHUNKS)
    assert blobs.put(other, "file", CHUNKS) == digest
    assert stored(blobs, digest, other) == CHUNKS
    assert count(database) == (2, 8)


@pytest.mark.parametrize("number", [-1, 4])
def test_there_is_no_chunk_beyond_the_ends(blobs: PostgresBlobs, number: int) -> None:
    digest = blobs.put(SUBSCRIPTION, "file", CHUNKS)
    with pytest.raises(KeyError):
        blobs.chunk(SUBSCRIPTION, "file", digest, number)


def test_what_was_never_stored_is_not_there(blobs: PostgresBlobs) -> None:
    with pytest.raises(KeyError):
        blobs.chunk(SUBSCRIPTION, "file", sha256().hexdigest(), 0)
    with pytest.raises(KeyError):
        blobs.chunk_count(SUBSCRIPTION, "file", sha256().hexdigest())


def test_many_put_the_same_at_once(compose: Callable[[], Rollcall], database: str) -> None:
    processes = [compose().blobs, compose().blobs]
    putting = [Running(partial(processes[n % 2].put, SUBSCRIPTION, "file", CHUNKS)) for n in range(8)]
    (digest,) = {each.result() for each in putting}
    assert stored(processes[0], digest) == CHUNKS
    assert count(database) == (1, 4)


@pytest.mark.parametrize("ends", ["COMMIT", "ROLLBACK"])
def test_a_blob_is_there_when_put_returns_even_if_somebody_else_was_about_to_store_it(
    blobs: PostgresBlobs, database: str, ends: LiteralString
) -> None:
    """Whoever comes second waits: the first may yet fail, and then nobody would have stored it."""
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


def test_a_file_with_the_bytes_of_a_roster_does_not_change_how_the_roster_is_cut(blobs: PostgresBlobs) -> None:
    file = blobs.put(SUBSCRIPTION, "file", [b"".join(CHUNKS)])
    roster = blobs.put(SUBSCRIPTION, "roster", CHUNKS)
    assert file == roster
    assert blobs.chunk_count(SUBSCRIPTION, "file", file) == 1
    assert [blobs.chunk(SUBSCRIPTION, "roster", roster, number) for number in range(len(CHUNKS))] == CHUNKS
