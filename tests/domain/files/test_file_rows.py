"""The rows of a file once more: they are those that were read, and broken ones stay apart from their neighbours."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from domain.files.file_rows import BrokenRow, FileRow, FileRows, with_reason
from domain.files.roster_file import read_roster
from domain.formulas import without_formulas
from domain.roster import Limits, Roster
from tests.domain.files.examples import GROUPS, USERS, content, roster

LIMITS = Limits(columns=6)
CELLS = st.sampled_from(
    ["ann@x.org", "ben@x.org", "Sales", "=1", "-", "", '"a\nb"', '"Asia"', '"open', '"x" y', '""', '"']
)
LINES = st.lists(st.lists(CELLS, min_size=1, max_size=8).map(",".join), min_size=1, max_size=8).map("\n".join)


@given(st.sampled_from([USERS, GROUPS]), LINES)
def test_they_are_the_rows_that_were_read(header: str, lines: str) -> None:
    read = read_roster(content(header + lines), "list.csv", LIMITS)
    if not isinstance(read, Roster):
        return
    rows = list(FileRows(content(header + lines), "list.csv", LIMITS, "utf-8"))
    assert len(rows) == read.rows
    places = {(cell.line, cell.column) for row in rows if isinstance(row, FileRow) for cell in row.cells}
    assert places >= {(member.line, member.column) for group in read for member in group.members}
    broken = [row.problem for row in rows if isinstance(row, BrokenRow)]
    found = [each for each in read.problems if each.code in {"quote-unclosed", "row-shifted"}]
    assert [(each.code, each.line, each.column, each.value) for each in broken] == [
        (each.code, each.line, each.column, each.value) for each in found
    ]
    errors = {problem.line for problem in read.problems if problem.severity == "error"}
    assert all(any(row.line <= line <= row.last_line for row in rows) for line in errors)


@given(st.sampled_from([USERS, GROUPS]), LINES, st.sampled_from(["", "\ufeff"]), st.sampled_from(["", ",", ",Email"]))
def test_the_header_of_a_joined_file_is_none_of_them(header: str, lines: str, mark: str, more: str) -> None:
    joined = content(f"{header}{lines}\n{mark}{header.strip()}{more}\n{lines}")
    read = read_roster(joined, "list.csv", LIMITS)
    if isinstance(read, Roster):
        assert len([*FileRows(joined, "list.csv", LIMITS, "utf-8")]) == read.rows


@given(st.sampled_from([USERS, GROUPS]), LINES)
def test_a_broken_row_is_written_so_that_it_is_found_again_and_swallows_nothing(header: str, lines: str) -> None:
    if not isinstance(read_roster(content(header + lines), "list.csv", LIMITS), Roster):
        return
    rows = [row for row in FileRows(content(header + lines), "list.csv", LIMITS, "utf-8") if isinstance(row, BrokenRow)]
    good = "ann@x.org,,,Sales" if header == USERS else "Sales,ann@x.org"
    for row in rows:
        safe = row._replace(lines=[without_formulas(line) for line in row.lines])
        text = f'{header.strip()},Reason\n{with_reason(safe, ",", row.problem.message)}\n{good},"",\n'
        again = roster(text, LIMITS)
        assert [each.code for each in again.problems if each.severity == "error"] == [row.problem.code]
        assert [(group.name, [member.email for member in group.members]) for group in again] == [
            ("Sales", ["ann@x.org"])
        ]
        (once_more,) = (
            each for each in FileRows(content(text), "list.csv", LIMITS, "utf-8") if isinstance(each, BrokenRow)
        )
        assert once_more.lines == safe.lines, "without the reason that was given before"
