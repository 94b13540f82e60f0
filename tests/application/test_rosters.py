from __future__ import annotations

import tracemalloc
import zlib
from array import array
from copy import deepcopy
from threading import Event
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import msgpack

from application import roster_chunks
from application.roster_chunks import RosterAddresses, RosterGroups, RosterIndex, RosterNames, to_chunks
from application.rosters import RosterCache, StoredRoster
from domain.errors import NotFound
from domain.files.roster_file import read_roster
from domain.problems import Problem
from domain.roster import FileFormat, GroupEntry, GroupToAdd, Limits, Roster, RosterUsers
from tests.waiting import GENEROUS_SECONDS, Running

if TYPE_CHECKING:
    from collections.abc import Callable

FIXED = 10_000  # bytes, of what is small whatever the file

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
NAME = st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=8)
NUMBER = st.integers(0, 2**32 - 1)
COLUMN = st.integers(1, 1_000_000)


@st.composite
def rosters_of_any_shape(draw: st.DrawFn) -> Roster:
    format_: FileFormat = draw(st.sampled_from(["user_based", "group_based"]))
    roster = Roster(
        format_, draw(TEXT), draw(TEXT), tuple(draw(st.lists(TEXT, max_size=3))), draw(NUMBER), RosterUsers(), [], []
    )
    users = draw(st.lists(st.tuples(TEXT, NAME, NAME, NUMBER), max_size=6, unique_by=lambda user: user[0]))
    for email, first_name, last_name, line in sorted(users, key=lambda user: user[3]):
        roster.users.add_all([email], [first_name], [last_name], [line] if format_ == "user_based" else [])
    for number in range(1, 1 + draw(st.integers(0, 8))):
        roster.entries.append(GroupEntry(draw(NAME), draw(NUMBER), draw(COLUMN)))
        for user in draw(st.lists(st.integers(0, len(users) - 1), max_size=6, unique=True)) if users else []:
            expected = roster.users.lines[user] if format_ == "user_based" else roster.entries[-1].line
            roster.add_member(number, user, draw(st.just(expected) | NUMBER), draw(COLUMN))
    problems = st.builds(Problem, TEXT, NUMBER, NUMBER, TEXT, TEXT, TEXT, st.lists(NUMBER, max_size=3).map(tuple))
    roster.problems = draw(st.lists(problems, max_size=6))
    return roster


class Chunks:
    """The chunks of a roster, and which of them were fetched."""

    def __init__(self, roster: Roster) -> None:
        self.chunks = to_chunks(roster)
        self.fetched: list[int] = []

    def fetch(self, number: int) -> bytes:
        self.fetched.append(number)
        return self.chunks[number]


def large(groups: int = 1_000, members: int = 20) -> Roster:
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
        patch.setattr(roster_chunks, "MEMBERSHIPS_A_CHUNK", memberships_a_chunk)
        patch.setattr(roster_chunks, "ENTRIES_A_CHUNK", entries_a_chunk)
        source = Chunks(roster)
    stored = StoredRoster(source.fetch)
    index = stored.index
    assert (index.format, index.encoding, index.delimiter) == (roster.format, roster.encoding, roster.delimiter)
    assert (index.header, index.rows) == (roster.header, roster.rows)
    assert index.sizes == [len(entry.cells) for entry in roster.entries]
    assert len(stored) == len(roster.entries)
    assert list(stored.groups()) == list(roster)
    to_add = [GroupToAdd(group.number, group.name, [member.email for member in group.members]) for group in roster]
    assert list(stored.groups_to_add()) == to_add
    assert list(stored.every_group()) == [(group.name, array("I", (m.user for m in group.members))) for group in roster]
    assert [email for some in stored.emails() for email in some] == roster.users.emails
    users = range(len(roster.users))
    assert stored.names(users) == list(zip(roster.users.first_names, roster.users.last_names, strict=True))
    assert list(stored.problems()) == roster.problems
    assert sorted(set(source.fetched)) == list(range(len(source.chunks))), "every chunk has a purpose"


@given(rosters_of_any_shape(), st.data())
def test_one_group_is_read_by_its_number(roster: Roster, data: st.DataObject) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(roster_chunks, "MEMBERSHIPS_A_CHUNK", 3)
        patch.setattr(roster_chunks, "ENTRIES_A_CHUNK", 2)
        source = Chunks(roster)
    for number in data.draw(st.lists(st.integers(1, max(1, len(roster.entries))), max_size=4)):
        if roster.entries:
            assert StoredRoster(source.fetch).group(number) == roster.group(number)


@pytest.mark.parametrize("number", [1, 150, 1_000])
def test_one_group_is_read_from_the_index_and_the_chunks_of_its_members(number: int) -> None:
    roster = large()
    source = Chunks(roster)
    assert StoredRoster(source.fetch).group(number) == roster.group(number)
    assert len(source.chunks) > 6
    assert source.fetched[0] == 0
    assert len(source.fetched) == 3
    assert sum(len(source.chunks[chunk]) for chunk in source.fetched) < sum(map(len, source.chunks)) / 2


def test_the_groups_of_one_chunk_read_it_once() -> None:
    source = Chunks(large())
    assert len(list(StoredRoster(source.fetch).groups())) == 1_000
    assert len(source.fetched) == len(set(source.fetched))


def test_reading_the_groups_behind_a_number_does_not_read_those_before_it() -> None:
    roster = large()
    source = Chunks(roster)
    assert list(StoredRoster(source.fetch).groups(after=998)) == list(roster)[998:]
    assert len(source.fetched) == 3
    assert [group.number for group in StoredRoster(source.fetch).groups_to_add(after=998)] == [999, 1_000]
    assert len(source.fetched) == 6


def test_chunks_are_no_larger_than_their_limit() -> None:
    """So a batch of a commit never reads much more than it adds."""
    roster = large()
    index = StoredRoster(Chunks(roster).fetch).index
    for first, following in zip(index.first, [*index.first[1:], 1_001], strict=True):
        assert sum(index.sizes[first - 1 : following - 1]) <= roster_chunks.MEMBERSHIPS_A_CHUNK


# --- the cache ------------------------------------------------------------------------------------------------------


def test_rosters_with_a_shared_cache_read_a_chunk_once() -> None:
    roster, cache = large(), RosterCache(100_000_000)
    sources = [Chunks(roster), Chunks(roster), Chunks(large(groups=1))]
    for source, name in zip(sources, ["one", "one", "other"], strict=True):
        assert StoredRoster(source.fetch, cache, name).group(1).members
    assert [len(source.fetched) for source in sources] == [3, 0, 3]


def test_reading_every_group_pushes_nothing_out_of_the_cache() -> None:
    source = Chunks(large())
    stored = StoredRoster(source.fetch)
    first = stored.group(1)
    assert len(list(stored.every_group())) == 1_000
    read = len(source.fetched)
    assert stored.group(1) == first
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


@pytest.mark.parametrize(("groups", "members"), [(1, 4_000), (400, 10), (4_000, 1), (4_000, 0)], ids=str)
@pytest.mark.parametrize("format_", ["user_based", "group_based"])
def test_cached_parts_take_no_more_memory_than_they_say(format_: FileFormat, groups: int, members: int) -> None:
    roster = Roster(format_, "utf-8", ",", ("email",), 1, RosterUsers(), [], [])
    for user in range(members):
        roster.users.add_all([f"user{user}@example.com"], ["Änn"], [f"Lee {user}"], [9_000 + user])
    for number in range(1, groups + 1):
        roster.entries.append(GroupEntry(f"Group {number}", 9_000 + number, 1))
        for user in range(members):
            roster.add_member(number, user, 9_000 + user % 2, user + 4)
    index, grouped, *rest = to_chunks(roster)
    said, taken = memory_of(lambda: RosterIndex.of(index))
    assert taken <= 1.2 * said + FIXED
    said, taken = memory_of(lambda: RosterGroups(grouped, [members] * groups))
    assert taken <= 1.2 * said + FIXED
    if members:
        said, taken = memory_of(lambda: RosterAddresses(rest[0]))
        assert taken <= 1.2 * said + FIXED
        said, taken = memory_of(lambda: RosterNames.of(rest[1]))
        assert taken <= 1.2 * said + FIXED


def memory_of(
    load: Callable[[], RosterIndex | RosterGroups | RosterAddresses | RosterNames],
) -> tuple[int, int]:
    """Return how many bytes a part says that it takes, and how many it does."""
    tracemalloc.start()
    try:
        part = load()
        return part.size, tracemalloc.get_traced_memory()[0]
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("number", [-1, 0, 1_001])
def test_there_is_no_group_beyond_the_ends(number: int) -> None:
    with pytest.raises(NotFound):
        StoredRoster(Chunks(large()).fetch).group(number)


@given(rosters_of_any_shape())
def test_equal_rosters_give_equal_bytes(roster: Roster) -> None:
    assert to_chunks(deepcopy(roster)) == to_chunks(roster)


def test_the_stored_shape_has_not_changed() -> None:
    """If this fails, rosters that are stored already can no longer be read."""
    roster = Roster("user_based", "utf-8", ";", ("email", "Groupname"), 2, RosterUsers(), [], [])
    roster.users.add_all(["ann@example.com", "bän@example.com"], ["Ann", ""], ["Lee", ""], [2, 300])
    roster.entries.append(GroupEntry("Sales", 2, 4))
    for user, line in ((0, 2), (1, 301)):
        roster.add_member(1, user, line, 5)
    roster.problems.append(Problem("email-invalid", 4, 1, "email", "nobody", "It has no @-sign.", (1,)))
    assert [msgpack.decode(zlib.decompress(chunk)) for chunk in to_chunks(roster)] == [
        {
            "format": "user_based",
            "encoding": "utf-8",
            "delimiter": ";",
            "header": ["email", "Groupname"],
            "rows": 2,
            "sizes": [2],
            "first": [1],
            "users": 2,
            "users_a_chunk": 5_000,
            "problem_chunks": 1,
            "comparable": [],
        },
        [
            ["Sales"],
            *(b"\x02\0\0\0", b"\x04\0\0\0"),
            *(b"\0\0\0\0\x01\0\0\0", b"\x05\0\0\0\x05\0\0\0"),
            {0: b"\x02\0\0\0\x2d\x01\0\0"},
        ],
        ["ann@example.combän@example.com".encode(), b"\x0f\x10", b"\x02\0\0\0\x2a\x01\0\0"],
        [["Ann", ""], ["Lee", ""]],
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
