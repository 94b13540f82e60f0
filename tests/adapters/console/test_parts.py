"""The pure parts of pages: queries, filters, excerpts of files, and addresses that are pasted."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.console.addresses import split_addresses
from adapters.console.excerpt import BYTES, COLUMNS, excerpt
from adapters.console.filters import STATES, ago, left, size
from adapters.console.import_page import CONTENT_BY_STATE
from adapters.console.overview import OUTCOMES
from adapters.console.page_query import PageQuery, parse_query
from adapters.http.problems import Invalid
from domain.files.roster_file import read_roster
from domain.problems import FileProblems, Problem
from domain.roster import Limits
from projections.import_list.read import ImportState

NOW = datetime(2026, 1, 31, 12, tzinfo=UTC)
NUMBERS = st.integers(0, 2**31 - 1)
QUERIES = st.builds(
    PageQuery,
    show=st.sampled_from([None, "groups", "problems", "added", "left", "kept"]),
    q=st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00")),
    only=st.sampled_from([None, "problems"]),
    after=NUMBERS,
    open=NUMBERS,
    users=NUMBERS,
    edit=NUMBERS,
)


def test_an_import_is_shown_in_every_state() -> None:
    """None but `uploaded` is ever seen: uploading and reading are one append."""
    states = set(get_args(ImportState))
    assert set(OUTCOMES) == states
    assert set(CONTENT_BY_STATE) == states - {"uploaded"}
    assert states <= set(STATES)


@given(QUERIES)
def test_a_query_survives_its_address_and_cannot_break_out_of_it(query: PageQuery) -> None:
    encoded = query.encoded()
    assert parse_query(encoded) == query
    assert not set(encoded) & set("\"'<># \r\n")


@pytest.mark.parametrize(
    "query",
    ["after=x", "show=everything", "open=1.5", "q=%00", "after=-1", "open=2147483648", f"users={'9' * 5_000}"],
)
def test_what_is_no_look_is_refused(query: str) -> None:
    with pytest.raises(Invalid):
        parse_query(query)


@given(st.binary(max_size=300) | st.text().map(str.encode), st.lists(st.tuples(st.integers(0, 4), st.integers(0, 40))))
def test_any_file_has_an_excerpt_or_none(content: bytes, places: list[tuple[int, int]]) -> None:
    problems = [Problem("header-modified", line, column) for line, column in places]
    for line in excerpt(content, problems, Limits()):
        assert len(line.cells) <= COLUMNS
        for column, cell in enumerate(line.cells, start=1):
            assert bool(cell.fault) == ((line.number, column) in places)


def test_an_excerpt_marks_the_cell_where_a_column_is_missing_at_the_end() -> None:
    content = b"email,FirstName,LastName\nann@example.com,Ann,Lee\n"
    read = read_roster(content, "people.csv")
    assert isinstance(read, FileProblems)
    header, row = excerpt(content, read.problems, Limits())
    assert [cell.fault for cell in header.cells] == [0, 0, 0, 1]
    assert [cell.value for cell in row.cells] == ["ann@example.com", "Ann", "Lee"]


def test_an_excerpt_of_a_long_file_cuts_no_character() -> None:
    content = b"email;Vorname\n" + "é@example.com;É\n".encode() * BYTES
    assert excerpt(content, [Problem("header-modified", 1, 2)], Limits())[1].cells[1].value == "É"


@pytest.mark.parametrize("mark", ["\ufeff", "\ufeffx"])  # so that the cut is at odd places of lines
@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be"])
@pytest.mark.parametrize("other", ["\u0a00", "\u000a\u0a0a", "Ä"])  # bytes that look like a line feed, across two
def test_an_excerpt_of_a_long_file_in_utf_16_cuts_no_character(mark: str, encoding: str, other: str) -> None:
    content = (f"{mark}email;Vorname\n" + f"é@example.com;É{other}\n" * BYTES).encode(encoding)
    assert excerpt(content, [Problem("header-modified", 1, 2)], Limits())[1].cells[1].value[0] == "É"


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be"])
def test_an_excerpt_of_one_long_line_in_utf_16_is_that_line(encoding: str) -> None:
    content = ("\ufeffemail;Vorname;" + "\u0a00\u0d0a" * BYTES).encode(encoding)
    assert excerpt(content, [Problem("header-modified", 1, 2)], Limits())[0].cells[1].fault == 1


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0, "just now"), (59, "just now"), (60, "1 minute ago"), (7_200, "2 hours ago"), (90_000, "1 day ago")],
)
def test_times_are_relative(seconds: int, words: str) -> None:
    assert ago(NOW - timedelta(seconds=seconds), NOW) == words


def test_a_time_that_is_ahead_of_this_clock_is_now() -> None:
    assert ago(NOW + timedelta(seconds=5), NOW) == "just now"


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(None, ""), (0.1, "about 1 second left"), (59.6, "about 1 minute left"), (150, "about 2 minutes left")],
)
def test_the_time_left_is_rounded(seconds: float | None, words: str) -> None:
    assert left(seconds) == words


@pytest.mark.parametrize(("value", "words"), [(1, "1 byte"), (999, "999 bytes"), (1_500, "1.5 kB"), (10**8, "100 MB")])
def test_sizes_read_as_in_file_managers(value: int, words: str) -> None:
    assert size(value) == words


# --- addresses that are pasted -------------------------------------------------------------------------------------

ADDRESSES = st.lists(st.from_regex(r"[a-z]{1,8}[.+'-]?[a-z]{1,8}@[a-z]{1,8}\.com", fullmatch=True), max_size=6)
SEPARATORS = st.text(" \t\r\n,;", min_size=1, max_size=4)
NAMES = st.text(st.characters(exclude_characters="<>@"), max_size=20)


@given(ADDRESSES, st.data())
def test_addresses_are_found_whatever_separates_them(emails: list[str], data: st.DataObject) -> None:
    pasted = "".join(data.draw(SEPARATORS) + email for email in emails) + data.draw(SEPARATORS)
    assert split_addresses(pasted) == emails


@given(st.lists(st.tuples(NAMES, st.sampled_from(["ann@example.com", "ben@example.com"])), min_size=1))
def test_addresses_are_found_beside_the_names_that_mail_programs_copy(people: list[tuple[str, str]]) -> None:
    assert split_addresses("; ".join(f"{name} <{email}>" for name, email in people)) == [email for _, email in people]


@given(st.text())
def test_whatever_has_an_at_sign_is_never_left_out(pasted: str) -> None:
    found = split_addresses(pasted)
    assert "".join(found).count("@") == pasted.count("@")
    assert not any(set(each) & set(" \t\r\n,;<>") or not each for each in found)
