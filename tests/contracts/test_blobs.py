from __future__ import annotations

from functools import partial
from hashlib import sha256
from os import urandom
from typing import TYPE_CHECKING, TypeAlias
from uuid import UUID, uuid4

import pytest

from tests.waiting import Running

if TYPE_CHECKING:
    from adapters.memory.blobs import MemoryBlobs
    from adapters.postgres.blobs import PostgresBlobs
    from tests.contracts.conftest import Implementation

    BlobStore: TypeAlias = MemoryBlobs | PostgresBlobs

CHUNKS = [b"one", b"", b"\x00three", b"four" * 1000]


@pytest.fixture
def blobs(ports: Implementation) -> BlobStore:
    return ports.blobs


@pytest.fixture
def subscription() -> UUID:
    return uuid4()


def stored(blobs: BlobStore, digest: str, subscription: UUID) -> list[bytes]:
    return [
        blobs.chunk(subscription, "file", digest, number)
        for number in range(blobs.chunk_count(subscription, "file", digest))
    ]


def test_a_blob_is_kept_under_its_digest_in_the_chunks_it_came_in(blobs: BlobStore, subscription: UUID) -> None:
    digest = blobs.put(subscription, "file", CHUNKS)
    assert digest == sha256(b"".join(CHUNKS)).hexdigest()
    assert stored(blobs, digest, subscription) == CHUNKS


def test_the_same_bytes_in_other_chunks_stay_as_they_came_first(blobs: BlobStore, subscription: UUID) -> None:
    """A blob never changes while it is being read."""
    digest = blobs.put(subscription, "file", CHUNKS)
    assert blobs.put(subscription, "file", [b"".join(CHUNKS)]) == digest
    assert stored(blobs, digest, subscription) == CHUNKS


def test_an_empty_blob_is_a_blob(blobs: BlobStore, subscription: UUID) -> None:
    digest = blobs.put(subscription, "file", [])
    assert digest == sha256().hexdigest()
    assert blobs.chunk_count(subscription, "file", digest) == 0


def test_a_megabyte_of_any_bytes_comes_back_as_it_was(blobs: BlobStore, subscription: UUID) -> None:
    chunks = [urandom(1024 * 1024) for _ in range(3)]
    assert stored(blobs, blobs.put(subscription, "file", chunks), subscription) == chunks


def test_no_subscription_sees_the_blobs_of_another(blobs: BlobStore, subscription: UUID) -> None:
    digest = blobs.put(subscription, "file", CHUNKS)
    foreign = uuid4()
    with pytest.raises(KeyError):
        blobs.chunk(foreign, "file", digest, 0)
    with pytest.raises(KeyError):
        blobs.chunk_count(foreign, "file", digest)


def test_the_same_file_of_two_subscriptions_is_kept_for_each(blobs: BlobStore, subscription: UUID) -> None:
    other = uuid4()
    digest = blobs.put(subscription, "file", CHUNKS)
    assert blobs.put(other, "file", [b"".join(CHUNKS)]) == digest
    assert stored(blobs, digest, subscription) == CHUNKS
    assert stored(blobs, digest, other) == [b"".join(CHUNKS)]


@pytest.mark.parametrize("number", [-1, 4])
def test_there_is_no_chunk_beyond_the_ends(blobs: BlobStore, subscription: UUID, number: int) -> None:
    digest = blobs.put(subscription, "file", CHUNKS)
    with pytest.raises(KeyError):
        blobs.chunk(subscription, "file", digest, number)


def test_a_blob_that_was_never_stored_is_not_there(blobs: BlobStore, subscription: UUID) -> None:
    with pytest.raises(KeyError):
        blobs.chunk(subscription, "file", sha256().hexdigest(), 0)
    with pytest.raises(KeyError):
        blobs.chunk_count(subscription, "file", sha256().hexdigest())


def test_many_can_put_the_same_at_once(ports: Implementation, elsewhere: Implementation, subscription: UUID) -> None:
    processes = [ports.blobs, elsewhere.blobs]
    putting = [Running(partial(processes[n % 2].put, subscription, "file", CHUNKS)) for n in range(8)]
    (digest,) = {each.result() for each in putting}
    assert stored(processes[0], digest, subscription) == CHUNKS


def test_a_file_with_the_bytes_of_a_roster_leaves_the_rosters_chunks_alone(
    blobs: BlobStore, subscription: UUID
) -> None:
    file = blobs.put(subscription, "file", [b"".join(CHUNKS)])
    roster = blobs.put(subscription, "roster", CHUNKS)
    assert file == roster
    assert blobs.chunk_count(subscription, "file", file) == 1
    assert [blobs.chunk(subscription, "roster", roster, number) for number in range(len(CHUNKS))] == CHUNKS
