"""Rows taken in many at once are read exactly as rows taken in one by one, which finds every fault."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.addresses import parse_email, plain_email, plain_emails
from domain.errors import EmailInvalid
from domain.files import text
from domain.files.group_based import GroupBasedReader
from domain.files.licence_file import LicenceReader, read_licences
from domain.files.roster_file import read_roster
from domain.files.user_based import UserBasedReader
from domain.naming import LONGEST_NAME, are_tidy_names, without_controls
from domain.roster import Limits

if TYPE_CHECKING:
    from collections.abc import Callable

READERS = (UserBasedReader, GroupBasedReader, LicenceReader)
USUAL = st.integers(0, 40).map("user{}@example.com".format)
NAMES = st.sampled_from(["Sales", "HR", "", "Élèves", "Team 1", "Team 2", "sales"]) | st.integers(0, 99).map(
    "G{}".format
)
UNUSUAL = st.sampled_from(
    [
        " Sales",
        "nobody",
        "Ann@Example.com",
        "S\u200bales",
        "a\x00",
        " ",
        "x" * 300,
        '"HR"',
        ' "a,b"',
        '"a\nb"',
        '"c',
        "0:05:00",
    ]
)
CELLS = {
    "email,FirstName,LastName,Groupname,Groupname,Groupname": [USUAL, NAMES, NAMES, NAMES, NAMES, NAMES],
    "Groupname,Email,Email,Email": [NAMES, USUAL, USUAL, USUAL],
    "email,FirstName,LastName": [USUAL, NAMES, NAMES],
}


@st.composite
def files(draw: st.DrawFn, header: str) -> bytes:
    """A file with few faults, or none; its rows may be shorter or longer than its header."""
    usual = CELLS[header]
    row = st.tuples(*usual).map(list)
    rows = draw(st.lists(row, min_size=1, max_size=20))
    for _ in range(draw(st.integers(0, 3))):
        row_to_change = draw(st.sampled_from(rows))
        at = draw(st.integers(0, len(row_to_change) - 1))
        row_to_change[at] = draw(UNUSUAL | NAMES | USUAL)
    for uneven in draw(st.lists(st.sampled_from(rows), max_size=2)):
        if draw(st.booleans()):
            uneven.extend(draw(st.lists(NAMES, max_size=2)))
        else:
            del uneven[draw(st.integers(1, len(uneven))) :]
    end = draw(st.sampled_from(["\n", "\r\n", "\r"]))
    return end.join([header, *map(",".join, rows), *draw(st.lists(st.just(""), max_size=1))]).encode()


def one_by_one(read: Callable[[], object]) -> object:
    with pytest.MonkeyPatch.context() as patch:
        for reader in READERS:
            patch.setattr(reader, "_add_all", lambda *_: False)
        return read()


@pytest.fixture(params=[16, 100, 1000])
def piece(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Blocks of so many bytes."""
    monkeypatch.setattr(text, "_PIECE", request.param)


LIMITS = st.sampled_from([Limits(), Limits(rows=12), Limits(cell_bytes=60), Limits(problems=2)])


@pytest.mark.usefixtures("piece")
@settings(max_examples=150, deadline=None)
@given(st.data(), st.sampled_from(sorted(CELLS)), LIMITS)
def test_rows_are_read_alike_many_at_once_and_one_by_one(data: st.DataObject, header: str, limits: Limits) -> None:
    content = data.draw(files(header))
    reading = read_licences if header == "email,FirstName,LastName" else read_roster
    assert reading(content, "list.csv", limits) == one_by_one(lambda: reading(content, "list.csv", limits))


@pytest.mark.parametrize("header", sorted(CELLS))
def test_a_file_without_faults_is_read_many_rows_at_once(header: str, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = {
        "email": (
            f"user{number}@example.com,Ann,Lee,Team {number % 7},,Team {8 + number % 5}" for number in range(2_000)
        ),
        "Groupname": (f"Team {number},a{number}@example.com,b{number % 9}@example.com," for number in range(2_000)),
    }[header.partition(",")[0]]
    lines = [",".join(row.split(",")[: header.count(",") + 1]) for row in rows]
    single = [0]
    for reader in READERS:
        monkeypatch.setattr(reader, "_add", lambda *_, single=single: single.__setitem__(0, single[0] + 1))
    reading = read_licences if header == "email,FirstName,LastName" else read_roster
    assert not reading("\n".join([header, *lines]).encode(), "list.csv", Limits()).problems
    assert single == [0]


ADDRESSES = st.lists(
    st.from_regex(r"[a-zA-Z0-9.@ _+'\-]{1,20}@[a-z0-9.\-]{1,20}", fullmatch=True)
    | st.emails()
    | st.sampled_from(
        ["ann@example.com", "a@b@c.com", ".a@example.com", "a.@example.com", "a..b@example.com", "@b.com"]
    )
    | st.sampled_from(["a@example.test", "a@localhost", "K@example.com", "a@example.com\n", "a" * 60 + "@b.com", ""]),
    max_size=4,
)


@settings(max_examples=1000)
@given(ADDRESSES)
def test_addresses_that_are_taken_as_plain_are_those_that_the_library_accepts(addresses: list[str]) -> None:
    plain = plain_emails(addresses)
    singly = [plain_email(address) for address in addresses]
    tidy = all(address == address.strip() and len(address) <= 64 for address in addresses)
    assert plain == (singly if addresses and tidy and None not in singly else None)
    for address in addresses if plain else ():
        assert is_accepted(address)


def is_accepted(address: str) -> bool:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("domain.addresses.plain_email", lambda *_: None)
        try:
            return parse_email(address) == address.lower()
        except EmailInvalid:
            return False


@settings(max_examples=500)
@given(st.lists(st.text(st.characters(exclude_categories=["Cs"]), max_size=6) | NAMES | UNUSUAL, max_size=4))
def test_names_are_tidy_if_they_are_kept_as_they_are(names: list[str]) -> None:
    tidy = all(without_controls(name) == name and name.isprintable() and len(name) <= LONGEST_NAME for name in names)
    assert are_tidy_names(names) == tidy
