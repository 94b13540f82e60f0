from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from application.stored_files import StoredFile

CHUNKS = st.lists(st.binary(min_size=1, max_size=5), max_size=6)


@given(CHUNKS, st.lists(st.tuples(st.integers(-3, 40), st.integers(-3, 40)), max_size=5))
def test_parts_of_it_are_those_of_all_its_bytes(chunks: list[bytes], parts: list[tuple[int, int]]) -> None:
    whole = b"".join(chunks)
    file = StoredFile(chunks.__getitem__, len(whole))
    assert len(file) == len(whole)
    for start, stop in parts:
        assert file[start:stop] == whole[start:stop]
    assert file[:] == whole


def test_each_chunk_is_fetched_once_by_whoever_reads_from_first_to_last() -> None:
    fetched: list[int] = []

    def fetch(number: int) -> bytes:
        fetched.append(number)
        return bytes([number]) * 10

    file = StoredFile(fetch, 50)
    assert b"".join(file[at : at + 3] for at in range(0, 50, 3)) == b"".join(bytes([at]) * 10 for at in range(5))
    assert sorted(set(fetched)) == [0, 1, 2, 3, 4]
    assert len(fetched) <= 5 + 4, "twice where a part is in two chunks"
