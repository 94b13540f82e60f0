from __future__ import annotations

import tracemalloc
from array import array
from copy import deepcopy
from threading import Event

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import msgpack

from application import rosters
from application.rosters import DECODED, RosterCache, RosterIndex, StoredRoster, to_chunks
from domain.errors import NotFound
from domain.files.roster_file import read_roster
from domain.problems import Problem
from domain.roster import GroupEntry, Limits, Roster, RosterGroup, RosterMember, RosterUser
from tests.waiting import GENEROUS_SECONDS, Running

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
NUMBER = st.integers(0, 2**32 - 1)


@st.composite
def rosters_of_any_shape(draw: st.DrawFn) -> Roster:
    users = draw(st.lists(st.builds(RosterUser, TEXT, TEXT, TEXT), max_size=6, unique_by=lambda user: user.email))
    entries = []
    for _ in range(draw(st.integers(0, 8))):
        members = draw(st.lists(st.integers(0, len(users) - 1), max_size=6, unique=True)) if users else []
        places = draw(st.lists(st.tuples(NUMBER, NUMBER), min_size=len(members), max_size=len(members)))
        lines, columns = array("I", (line for line, _ in places)), array("I", (column for _, column in places))
        entries.append(GroupEntry(draw(TEXT), draw(NUMBER), draw(NUMBER), array("I", members), lines, columns))
    problems = st.builds(Problem, TEXT, NUMBER, NUMBER, TEXT, TEXT, TEXT, st.lists(NUMBER, max_size=3).map(tuple))
    return Roster(
        draw(st.sampled_from(["user_based", "group_based"])),
        draw(TEXT),
        draw(TEXT),
        tuple(draw(st.lists(TEXT, max_size=3))),
        draw(NUMBER),
        users,
        entries,
        draw(st.lists(problems, max_size=6)),
    )


class Chunks:
    """The chunks of a roster, and which of them were fetched."""

    def __init__(self, roster: Roster) -> None:
        self.chunks = to_chunks(roster)
        self.fetched: list[int] = []

    def fetch(self, number: int) -> bytes:
        self.fetched.append(number)
        return self.chunks[number]


def large(groups: int = 300, members: int = 20) -> Roster:
    rows = "\n".join(
        f"Group {number},{','.join(f'user{number}.{member}@example.com' for member in range(members))}"
        for number in range(1, groups + 1)
    )
    roster = read_roster(f"Groupname{',Email' * members}\n{rows}".encode(), "groups.csv", Limits())
    assert isinstance(roster, Roster)
    return roster


@given(rosters_of_any_shape(), st.integers(1, 4), st.integers(1, 4))
def test_a_roster_comes_back_as_it_was(roster: Roster, memberships_a_chunk: int, entries_a_chunk: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(rosters, "MEMBERSHIPS_A_CHUNK", memberships_a_chunk)
        patch.setattr(rosters, "ENTRIES_A_CHUNK", entries_a_chunk)
        source = Chunks(roster)
    stored = StoredRoster(source.fetch)
    index = stored.index
    assert (index.format, index.encoding, index.delimiter) == (roster.format, roster.encoding, roster.delimiter)
    assert (index.header, index.rows) == (roster.header, roster.rows)
    assert index.sizes == [len(entry.users) for entry in roster.entries]
    assert len(stored) == len(roster.entries)
    assert list(stored.groups()) == list(roster)
    assert [user for some in stored.users() for user in some] == roster.users
    assert list(stored.problems()) == roster.problems
    assert sorted(set(source.fetched)) == list(range(len(source.chunks))), "every chunk has a purpose"


@given(rosters_of_any_shape(), st.data())
def test_one_group_is_read_by_its_number(roster: Roster, data: st.DataObject) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(rosters, "MEMBERSHIPS_A_CHUNK", 3)
        source = Chunks(roster)
    for number in data.draw(st.lists(st.integers(1, max(1, len(roster.entries))), max_size=4)):
        if roster.entries:
            assert StoredRoster(source.fetch).group(number) == roster.group(number)


@pytest.mark.parametrize("number", [1, 150, 300])
def test_one_group_is_read_from_the_index_and_one_chunk(number: int) -> None:
    roster = large()
    source = Chunks(roster)
    assert StoredRoster(source.fetch).group(number) == roster.group(number)
    assert len(source.chunks) > 4
    assert source.fetched[0] == 0
    assert len(source.fetched) == 2
    assert len(source.chunks[source.fetched[1]]) < sum(map(len, source.chunks)) / 2


def test_the_groups_of_one_chunk_read_it_once() -> None:
    source = Chunks(large())
    assert len(list(StoredRoster(source.fetch).groups())) == 300
    assert len(source.fetched) == len(set(source.fetched))


def test_reading_the_groups_behind_a_number_does_not_read_those_before_it() -> None:
    roster = large()
    source = Chunks(roster)
    assert list(StoredRoster(source.fetch).groups(after=298)) == list(roster)[298:]
    assert len(source.fetched) == 2


def test_chunks_are_no_larger_than_their_limit() -> None:
    """So a batch of a commit never reads much more than it adds."""
    roster = large()
    index = StoredRoster(Chunks(roster).fetch).index
    for first, following in zip(index.first, [*index.first[1:], 301], strict=True):
        assert sum(index.sizes[first - 1 : following - 1]) <= rosters.MEMBERSHIPS_A_CHUNK


# --- the cache ------------------------------------------------------------------------------------------------------


def test_rosters_with_a_shared_cache_read_a_chunk_once() -> None:
    roster, cache = large(), RosterCache(100_000_000)
    sources = [Chunks(roster), Chunks(roster), Chunks(large(groups=1))]
    for source, name in zip(sources, ["one", "one", "other"], strict=True):
        assert StoredRoster(source.fetch, cache, name).group(1).members
    assert [len(source.fetched) for source in sources] == [2, 0, 2]


def test_reading_every_group_pushes_nothing_out_of_the_cache() -> None:
    source = Chunks(large())
    stored = StoredRoster(source.fetch)
    first = stored.group(1)
    assert len(list(stored.every_group())) == 300
    assert next(stored.every_group()) == first
    read = len(source.fetched)
    assert stored.group(1) is first
    assert len(source.fetched) == read


@given(st.integers(0, 30), st.lists(st.tuples(st.integers(0, 9), st.integers(0, 12))))
def test_the_cache_does_not_grow_beyond_its_limit(most: int, wanted: list[tuple[int, int]]) -> None:
    """Values used last stay in it: a model in a list says which."""
    cache, model = RosterCache(most), list[tuple[int, int]]()
    for key, size in wanted:
        made: list[int] = []
        known = dict(model).get(key)
        assert cache.get(key, lambda key=key, size=size, made=made: (made.append(key) or key, size)) == key  # type: ignore[misc] # mypy cannot infer a lambda with defaults
        assert bool(made) == (known is None)
        model = [each for each in model if each[0] != key] + [(key, size if known is None else known)]
        while sum(each for _, each in model) > most:
            model.pop(0)
        assert cache.size == sum(each for _, each in model) <= most


def test_a_value_that_several_threads_need_at_once_is_made_once() -> None:
    cache, made, begun, go_on = RosterCache(100), list[str](), Event(), Event()

    def make() -> tuple[str, int]:
        made.append("value")
        begun.set()
        assert go_on.wait(GENEROUS_SECONDS)
        return "value", 1

    first = Running(lambda: cache.get("key", make))
    assert begun.wait(GENEROUS_SECONDS)
    others = [Running(lambda: cache.get("key", make)) for _ in range(3)]
    assert cache.get("another", lambda: ("in the meantime", 1)) == "in the meantime"
    go_on.set()
    assert [each.result() for each in (first, *others)] == ["value"] * 4
    assert made == ["value"]


def test_a_value_whose_making_failed_is_made_again() -> None:
    cache = RosterCache(100)
    with pytest.raises(ZeroDivisionError):
        cache.get("key", lambda: (1 // 0, 1))
    assert cache.get("key", lambda: (7, 1)) == 7


@pytest.mark.parametrize(("groups", "members"), [(1, 4_000), (400, 10), (2_000, 2), (4_000, 1), (4_000, 0)], ids=str)
def test_decoded_chunks_are_no_larger_than_estimated(groups: int, members: int) -> None:
    row = [RosterMember(f"user{n}@example.com", "Änn", "Lee", 9_000 + n, n) for n in range(members)]
    chunk = msgpack.encode([RosterGroup(n, f"Group {n}", 9_000 + n, 1, tuple(row)) for n in range(1, groups + 1)])
    assert memory_of(chunk, list[RosterGroup]) <= DECODED * len(chunk)
    index = msgpack.encode(RosterIndex("user_based", "utf-8", ",", (), 1, [members] * 100_000, [1], 1, 1))
    assert memory_of(index, RosterIndex) <= DECODED * len(index)


def memory_of(chunk: bytes, kind: type[object]) -> int:
    """Return how many bytes a chunk takes, decoded."""
    tracemalloc.start()
    try:
        made = msgpack.decode(chunk, type=kind)
        return tracemalloc.get_traced_memory()[0] if made else 0
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("number", [-1, 0, 301])
def test_there_is_no_group_beyond_the_ends(number: int) -> None:
    with pytest.raises(NotFound):
        StoredRoster(Chunks(large()).fetch).group(number)


@given(rosters_of_any_shape())
def test_equal_rosters_give_equal_bytes(roster: Roster) -> None:
    assert to_chunks(deepcopy(roster)) == to_chunks(roster)


def test_the_stored_shape_has_not_changed() -> None:
    """If this fails, rosters that are stored already can no longer be read."""
    roster = Roster(
        "user_based",
        "utf-8",
        ";",
        ("email", "Groupname"),
        2,
        [RosterUser("ann@example.com", "Ann", "Lee"), RosterUser("ben@example.com")],
        [GroupEntry("Sales", 2, 2, array("I", [0, 1]), array("I", [2, 3]), array("I", [2, 2]))],
        [Problem("email-invalid", 4, 1, "email", "nobody", "It has no @-sign.", (1,))],
    )
    assert [msgpack.decode(chunk) for chunk in to_chunks(roster)] == [
        {
            "format": "user_based",
            "encoding": "utf-8",
            "delimiter": ";",
            "header": ["email", "Groupname"],
            "rows": 2,
            "sizes": [2],
            "first": [1],
            "user_chunks": 1,
            "problem_chunks": 1,
        },
        [[1, "Sales", 2, 2, [["ann@example.com", "Ann", "Lee", 2, 2], ["ben@example.com", "", "", 3, 2]]]],
        [
            {"email": "ann@example.com", "first_name": "Ann", "last_name": "Lee"},
            {"email": "ben@example.com", "first_name": "", "last_name": ""},
        ],
        [
            {
                "code": "email-invalid",
                "line": 4,
                "column": 1,
                "header": "email",
                "value": "nobody",
                "detail": "It has no @-sign.",
                "groups": [1],
            }
        ],
    ]
