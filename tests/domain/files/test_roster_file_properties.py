"""Whatever the bytes: nothing is lost without a problem, nothing is invented, and nothing is raised.

The reference implementation below reads the same grammar one character at a time, without the reader's shortcuts.
"""

from __future__ import annotations

import csv
import io
from functools import partial
from typing import NamedTuple
from unicodedata import category

from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from domain.addresses import email_key, emails_meant
from domain.errors import GroupNameInvalid
from domain.files.roster_file import read_roster
from domain.files.rows import QUOTED_LINES
from domain.files.suspicions import BLANK_WORDS
from domain.formulas import as_meant
from domain.naming import collapsed, group_key, parse_group_name, without_controls
from domain.problems import FileProblems
from domain.roster import Limits, Roster

USERS = ("email", "FirstName", "LastName", "Groupname", "Groupname")
GROUPS = ("Groupname", "Email", "Email")
LOST_ROW = {"row-shifted", "quote-unclosed"}
LOST_BY_FIRST_CELL = {
    "email-missing",
    "email-invalid",
    "group-name-missing",
    "group-name-invalid",
    "cell-too-long",
}


class Cell(NamedTuple):
    line: int
    column: int
    text: str


class ReferenceRow(NamedTuple):
    """A row as the reference reads it; `faulty` if the quote of its last cell is unclosed."""

    cells: list[Cell]
    faulty: bool


class Reference:
    """RFC 4180 with the limits of DESIGN.md, one character at a time."""

    def __init__(self, text: str, delimiter: str, cell_bytes: int) -> None:
        self.text = text.replace("\r\n", "\n").replace("\r", "\n")
        self.delimiter = delimiter
        self.cell_bytes = cell_bytes
        self.at = 0
        self.line = 1

    def here(self) -> str:
        return self.text[self.at : self.at + 1]

    def rows(self) -> list[ReferenceRow]:
        rows = []
        while self.at < len(self.text):
            rows.append(self.row())
        return [row for row in rows if row.faulty or any(cell.text.strip() for cell in row.cells)]

    def row(self) -> ReferenceRow:
        cells: list[Cell] = []
        while True:
            start, line = self.at, self.line
            text = self.cell()
            if text is None:
                self.at, self.line = start, line
                rest = self.unquoted("\n")
                self.at, self.line = self.at + 1, line + 1
                return ReferenceRow([*cells, Cell(line, len(cells) + 1, rest)], faulty=True)
            cells.append(Cell(line, len(cells) + 1, text))
            end = self.here()
            self.at += 1
            if end != self.delimiter:
                self.line += 1
                return ReferenceRow(cells, faulty=False)

    def cell(self) -> str | None:
        start = self.at
        self.spaces()
        if self.here() == '"':
            self.at += 1
            return self.quoted()
        self.at = start
        return self.unquoted("\n" + self.delimiter)

    def spaces(self) -> None:
        while self.here() == " ":
            self.at += 1

    def unquoted(self, ends: str) -> str:
        start = self.at
        while self.here() and self.here() not in ends:
            self.at += 1
        return self.text[start : self.at]

    def quoted(self) -> str | None:
        start, lines = self.at, 1
        while self.text[self.at : self.at + 2] == '""' or self.here() not in ('"', ""):
            lines += self.here() == "\n"
            self.line += self.here() == "\n"
            self.at += 2 if self.here() == '"' else 1
        raw = self.text[start : self.at]
        if not self.here() or lines > QUOTED_LINES or len(raw.encode()) > self.cell_bytes:
            return None
        self.at += 1
        self.spaces()
        return raw.replace('""', '"') if self.here() in ("", "\n", self.delimiter) else None


def addresses(text: str) -> list[str]:
    return emails_meant(text) or [email_key(text)]


class Accounting:
    """Finds where every filled cell of a file went."""

    def __init__(self, roster: Roster) -> None:
        self.roster = roster
        self.problems = {(problem.line, problem.column) for problem in roster.problems}
        self.errors = {(p.line, p.column): p.code for p in roster.problems if p.severity == "error"}
        self.users = {user.email: user for user in roster.users}
        self.members = {
            (member.line, member.column, group_key(group.name), member.email)
            for group in roster
            for member in group.members
        }

    def is_lost(self, row: ReferenceRow) -> bool:
        first = row.cells[0]
        if self.errors.get((first.line, 1)) in LOST_BY_FIRST_CELL:
            return True
        lost = LOST_ROW | ({"group-name-missing"} if self.roster.format == "user_based" else set())
        places = [(cell.line, cell.column) for cell in row.cells] + [(first.line, 4)]
        return any(self.errors.get(place) in lost for place in places)

    def explains(self, row: ReferenceRow, cell: Cell) -> bool:
        if not cell.text.strip() or (cell.line, cell.column) in self.problems or self.is_lost(row):
            return True
        if self.roster.format == "user_based":
            return self.explains_user_based(row, cell)
        return self.explains_group_based(row, cell)

    def explains_user_based(self, row: ReferenceRow, cell: Cell) -> bool:
        email = addresses(row.cells[0].text)[0]
        user = self.users[email]
        merged = (row.cells[0].line, 1) in self.problems
        if cell.column == 1:
            return user.email == email
        if cell.column in (2, 3):
            kept = user.first_name if cell.column == 2 else user.last_name
            return kept == without_controls(cell.text) or merged
        return (cell.line, cell.column, group_key(cell.text), email) in self.members

    def explains_group_based(self, row: ReferenceRow, cell: Cell) -> bool:
        group = group_key(row.cells[0].text)
        if cell.column == 1:
            return group in {group_key(entry.name) for entry in self.roster.entries}
        return all((cell.line, cell.column, group, email) in self.members for email in addresses(cell.text))


USUAL = ["ann@example.com", "Ann@Example.com", "bob@example.com", "Sales", " SALES", "Sales  East", "é", "HR"]
UNUSUAL = [
    "bob",
    "b\u200bob@example.com",
    "аnn@example.com",
    "ＨＲ",
    "\x00",
    "\u202eX",
    "S\u200bales",
    "Sаles",
    "x" * 260,
]
MARKS = ['"', '""', '"x"', "\n", "\r", "\r\n", " ", "\t", ";", "|", ","]
QUOTED = ['"a\nb"', '"' + "\n" * 99 + '"', '"' + "\n" * 100 + '"', '"' + "y" * 50 + '"']
PIECES = st.sampled_from([*USUAL, *UNUSUAL, *MARKS, *QUOTED])
CELLS = st.one_of(
    st.just(""),
    st.sampled_from(["ann@example.com", "bob@example.com", "Sales", "HR", '"HR"', ' "Sales, ""East""" ', '"a\nb"']),
    st.lists(PIECES, max_size=4).map("".join),
)


@st.composite
def files(draw: st.DrawFn) -> tuple[str, str, tuple[str, ...]]:
    header = draw(st.sampled_from([USERS, GROUPS]))
    delimiter = draw(st.sampled_from(",;\t|"))
    end = draw(st.sampled_from(["\n", "\r\n", "\r"]))
    first = st.sampled_from(["ann@example.com", "bob@example.com", "Sales", "", "ANN@example.com"]) | CELLS
    row = st.tuples(first, st.lists(CELLS, max_size=6)).map(lambda cells: [cells[0], *cells[1]])
    rows = [header, *draw(st.lists(row, min_size=1, max_size=8))]
    return end.join(delimiter.join(cells) for cells in rows), delimiter, header


@settings(max_examples=600, deadline=None)
@given(files(), st.sampled_from([60, 300, 64 * 1024]))
@example((",".join(USERS) + "\na@example.com,,,\x00\n", ",", USERS), 300)
@example((",".join(USERS) + '\na@example.com,"a\nb","c\n,,\n', ",", USERS), 300)
def test_every_cell_of_a_file_is_in_the_roster_or_in_a_problem_or_blank(
    file: tuple[str, str, tuple[str, ...]], cell_bytes: int
) -> None:
    text, delimiter, header = file
    read = read_roster(text.encode(), "list.csv", Limits(cell_bytes=cell_bytes))
    rows = Reference(text, delimiter, cell_bytes).rows()[1:]
    if isinstance(read, FileProblems):
        assert [problem.code for problem in read.problems] == ["no-rows"]
        assert not rows
        return
    assert (read.delimiter, read.header, read.rows) == (delimiter, header, len(rows))
    accounting = Accounting(read)
    for row in rows:
        if row.faulty:
            fault = row.cells[-1]
            assert accounting.errors[fault.line, fault.column] == "quote-unclosed"
        for cell in row.cells:
            assert accounting.explains(row, cell), (cell, read)


@settings(max_examples=200, deadline=None)
@given(files())
def test_everything_in_the_roster_is_in_the_file(file: tuple[str, str, tuple[str, ...]]) -> None:
    text, delimiter, _ = file
    read = read_roster(text.encode(), "list.csv")
    assume(isinstance(read, Roster))
    assert isinstance(read, Roster)
    rows = Reference(text, delimiter, 64 * 1024).rows()[1:]
    cells = {(cell.line, cell.column): (row, cell) for row in rows for cell in row.cells}
    for group in read:
        assert group_key(cells[group.line, group.column][1].text) == group_key(group.name)
        assert len({member.email for member in group.members}) == len(group.members)
        for member in group.members:
            row, cell = cells[member.line, member.column]
            names, address = (cell, row.cells[0]) if read.format == "user_based" else (row.cells[0], cell)
            assert group_key(names.text) == group_key(group.name)
            assert member.email in addresses(address.text)
    for problem in read.problems:
        assert problem.line > 1 or problem.code == "columns-lost"
        assert problem.message
        assert problem.remedy
        assert all(1 <= number <= len(read.entries) for number in problem.groups)


@settings(max_examples=300, deadline=None)
@given(
    st.binary(max_size=400),
    st.sampled_from([b"", b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff", b"PK\x03\x04"]),
    st.sampled_from(["", "email,FirstName,LastName,Groupname\n", "Groupname;Email\r", '"Groupname"\t"email', "email"]),
    st.sampled_from(["utf-8", "utf-16-le", "utf-16-be"]),
    st.text(max_size=12),
)
def test_reading_never_fails_whatever_the_bytes_and_the_file_name(
    tail: bytes, mark: bytes, header: str, encoding: str, name: str
) -> None:
    for file_name in ("list.csv", name):
        read = read_roster(mark + header.encode(encoding) + tail, file_name)
        for problem in read.problems:
            assert problem.remedy
            assert not {category(character) for character in problem.message} & {"Cc", "Cf", "Cs", "Zl", "Zp"}


SUSPICIONS = {"looks-alike", "looks-blank", "looks-garbled", "looks-like-several", "looks-changed", "columns-lost"}
SUSPICIONS |= {"encoding-guessed", "names-joined"}


def kept(name: str) -> str:
    return "" if name in BLANK_WORDS else collapsed(as_meant(name))


def is_group_name(text: str) -> bool:
    try:
        parse_group_name(text)
    except GroupNameInvalid:
        return False
    return True


ANY_NAME = st.text(st.characters(categories=("L", "N", "P", "S", "Zs")), max_size=8) | st.text('a"\n,;|\t ', max_size=8)
WESTERN = ["", "Équipe Paris", "Büro, Köln", "Straße; 5", 'São "Paulo"', "Åsa|Ødegård", "a'b", " Café\t"]
NAMES = {"windows-1252": st.sampled_from(WESTERN)}  # words, since a guess goes by how they are spelt
NAMES |= dict.fromkeys(["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be"], ANY_NAME)
EMAILS = st.integers(0, 30).map("user{}@example.com".format)


@st.composite
def written(draw: st.DrawFn, header: tuple[str, ...]) -> tuple[bytes, str, list[list[str]]]:
    """A file as Python's csv module writes it: its bytes, its delimiter, its rows of filled cells."""
    encoding = draw(st.sampled_from(sorted(NAMES)))
    delimiter, end = draw(st.sampled_from(",;\t|")), draw(st.sampled_from(["\r\n", "\n", "\r"]))
    names = NAMES[encoding]
    group_names = names.filter(is_group_name)
    if header is USERS:
        groups = st.lists(group_names, min_size=1, max_size=3, unique_by=group_key)
        row = st.builds(lambda email, first, last, groups: [email, first, last, *groups], EMAILS, names, names, groups)
    else:
        emails = st.lists(EMAILS, min_size=1, max_size=3, unique=True)
        row = st.builds(lambda name, emails: [name, *emails], group_names, emails)
    # `group_key` leaves an address unchanged, so it compares the first cells of both formats.
    rows = draw(st.lists(row, min_size=1, max_size=8, unique_by=lambda row: group_key(row[0])))
    out = io.StringIO(newline="")
    # With a lone CR, the csv module would not quote cells that contain a LF.
    quote_all = end == "\r" or draw(st.booleans())
    written_by = partial(csv.writer, out, delimiter=delimiter, lineterminator=end)
    writer = written_by(quoting=csv.QUOTE_ALL) if quote_all else written_by()
    writer.writerows([[*header, header[-1]], *rows])
    return out.getvalue().encode(encoding), delimiter, rows


@settings(max_examples=200, deadline=None)
@given(written(USERS))
def test_a_user_based_file_is_read_as_it_was_written(file: tuple[bytes, str, list[list[str]]]) -> None:
    data, delimiter, rows = file
    read = read_roster(data, "list.csv")
    assert isinstance(read, Roster), read
    assert read.delimiter == delimiter
    assert read.problem_counts.keys() <= SUSPICIONS
    assert [(user.email, user.first_name, user.last_name) for user in read.users] == [
        (row[0], kept(row[1]), kept(row[2])) for row in rows
    ]
    expected: dict[str, list[str]] = {}
    for row in rows:
        for name in row[3:]:
            expected.setdefault(group_key(as_meant(name)), []).append(row[0])
    assert {group_key(group.name): [member.email for member in group.members] for group in read} == expected
    assert [group_key(group.name) for group in read] == list(expected)


@settings(max_examples=200, deadline=None)
@given(written(GROUPS))
def test_a_group_based_file_is_read_as_it_was_written(file: tuple[bytes, str, list[list[str]]]) -> None:
    data, delimiter, rows = file
    read = read_roster(data, "list.csv")
    assert isinstance(read, Roster), read
    assert read.delimiter == delimiter
    assert read.problem_counts.keys() <= SUSPICIONS
    assert [(group.name, [member.email for member in group.members]) for group in read] == [
        (collapsed(as_meant(row[0])), row[1:]) for row in rows
    ]
