"""Which names are looked at more closely: none that may not be meant is passed over."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from domain.files.roster_file import read_roster
from domain.files.suspicions import BLANK_WORDS, comparable, suspicions, why_garbled
from domain.naming import group_key
from domain.roster import GroupEntry, Roster
from domain.spreadsheets import sheet_values, why_changed

NUMBERS_AND_DATES = st.from_regex(
    r"([-+.]?[0-9]{1,4}[-/., ]?){1,3}(E[+-]0[0-9]|%)?|[0-9]{1,2}-(Jan|sept|MARCH)|(may|Dec|June)[-. ]?[0-9]{1,2}",
    fullmatch=True,
)
NAMES = st.lists(
    NUMBERS_AND_DATES | st.sampled_from(sorted(BLANK_WORDS)) | st.text("aÄé;?@,5- ", min_size=1), max_size=8
)


OF_THE_ISSUE = (
    *("NA", "N/A", "NULL", "null", "None", "nan", "NaN", "undefined", r"\N", "[NULL]", "(null)", "-", "."),
    *("#N/A", "#REF!", "#NAME?", "#VALUE!", "#DIV/0!", "#NUM!", "#NULL!"),
)
ELSEWHERE = ("#NV", "#BEZUG!", "#VALEUR!", "#N/D", "#¡REF!", "#ERROR!", "NaT", "n.a.", "--", "—", "(blank)", "none")


@pytest.mark.parametrize("word", [*OF_THE_ISSUE, *ELSEWHERE])
def test_a_word_for_an_empty_cell_is_told_once_a_group_with_its_count(word: str) -> None:
    content = f"email,FirstName,LastName,Groupname\na@example.com,{word},Lee,{word}\nb@example.com,,,{word}\n"
    read = read_roster(content.encode(), "users.csv")
    assert isinstance(read, Roster)
    (problem,) = read.problems
    assert (problem.code, problem.value, "2 users are in this group" in problem.message) == ("looks-blank", word, True)
    assert [*read.users.first_names] == ["", ""]


def entries(names: list[str]) -> list[GroupEntry]:
    return [GroupEntry(name, line, 1) for line, name in enumerate(names, start=2)]


@given(NAMES)
def test_every_name_that_is_a_number_a_date_or_a_list_can_be_compared(names: list[str]) -> None:
    expected = [at for at, name in enumerate(names, 1) if sheet_values(name) or any(map(name.__contains__, ";,|"))]
    assert comparable(entries(names)) == expected


@given(NAMES)
def test_what_is_suspicious_about_a_name_is_found_among_others(names: list[str]) -> None:
    found = [(problem.groups, problem.code) for problem in suspicions(entries(names), set(map(group_key, names)))]
    for at, name in enumerate(names, start=1):
        if name in BLANK_WORDS:
            assert ((at,), "looks-blank") in found
        if why_changed(name):
            assert ((at,), "looks-changed") in found
        if "?" in name and why_garbled(name) and not any(map(name.__contains__, "@;,|")):
            assert ((at,), "looks-garbled") in found


@given(st.text(min_size=1).filter(lambda name: not name.isascii() and name.isprintable()))
@example("Équipe Paris")
@example("Účetní")
@example("日本語")
@example("😀")
def test_every_name_whose_utf_8_was_read_as_another_encoding_is_garbled(name: str) -> None:
    for encoding in ("windows-1252", "latin-1", "windows-1250"):
        try:
            garbled = name.encode().decode(encoding)
        except UnicodeDecodeError:
            continue
        assert f"“{name}”" in why_garbled(garbled) or "?" in name


def test_a_word_that_only_begins_like_a_month_is_no_date() -> None:
    assert sheet_values("Marketing 5") == sheet_values("Decide 3") == frozenset()
    assert sheet_values("March 5") == sheet_values("5-Mar") != frozenset()
    assert sheet_values("Sept 5") == sheet_values("September 5") != frozenset()


def test_digits_that_a_script_joined_at_an_underscore_are_pointed_out() -> None:
    """pandas, csvkit and pyexcel do that (findings/pandas-joins-digits-at-underscores.sh)."""
    content = b"Groupname,Email\n2025_1,ann@example.com\n20251,ben@example.com\n"

    read = read_roster(content, "groups.csv")

    assert [(each.code, each.value) for each in read.problems] == [("looks-changed", "20251")]


@pytest.mark.parametrize(
    "name",
    [
        *("['Sales', 'HR']", '["Sales","HR"]', "['Sales']", "[Sales, HR]", "{Sales,HR}", "{Sales}", '{"Team A",HR}'),
        *("System.Object[]", "System.String[]", "[object Object]", "System.Collections.ArrayList"),
        "Microsoft.ActiveDirectory.Management.ADPropertyValueCollection",
    ],
)
def test_what_programs_write_for_a_list_is_no_name_of_one_group(name: str) -> None:
    """As pandas, json2csv, DuckDB, PostgreSQL, and PowerShell's Export-Csv write it."""
    rows = f'email,FirstName,LastName,Groupname\nann@example.com,,,"{name.replace(chr(34), chr(34) * 2)}"\n'
    read = read_roster(rows.encode(), "users.csv")
    assert [(each.code, each.value) for each in read.problems] == [("looks-like-several", name)]


@pytest.mark.parametrize("name", ["[Archive]", "[2026] Sales", "Sales [EU, US]", "Sales {old}", "System.Objects"])
def test_names_with_brackets_are_names(name: str) -> None:
    read = read_roster(f'email,FirstName,LastName,Groupname\nann@example.com,,,"{name}"\n'.encode(), "users.csv")
    assert [*read.problems] == []


def test_a_group_that_is_a_link_is_pointed_out() -> None:
    """ExcelJS writes links in place of names (findings/exceljs-writes-links-for-names.sh)."""
    rows = "Groupname,Email\nhttps://intranet.example.com/support,ann@example.com\nRatio 1:2,ann@example.com\n"
    read = read_roster(rows.encode(), "groups.csv")
    assert [(each.code, each.line) for each in read.problems] == [("looks-changed", 2)]


def quoted(name: str) -> str:
    return f'"{name.replace(chr(34), chr(34) * 2)}"'


@pytest.mark.parametrize("name", ['"tea01 "0', '0" st06"', '"06ept. "00', '#,##0 "12"', '0000"-s"'])
def test_a_group_that_is_the_format_of_a_number_is_pointed_out(name: str) -> None:
    """xlsx2csv writes that in place of the number (findings/xlsx2csv-writes-number-formats-for-names.sh)."""
    read = read_roster(f"Groupname,Email\n{quoted(name)},ann@example.com\n".encode(), "groups.csv")
    assert [(each.code, each.value) for each in read.problems] == [("looks-changed", name)]


@pytest.mark.parametrize("name", ['Team "A""', 'Team "A"""', 'Berlin"""', "Sales\\"])
def test_a_group_with_marks_of_a_file_that_was_read_otherwise_than_written_is_pointed_out(name: str) -> None:
    """`""A""` as fread of R's data.table 1.14.8 reads it; `Sales\\, EU` as MySQL writes it, unquoted."""
    read = read_roster(f"Groupname,Email\n{quoted(name)},ann@example.com\n".encode(), "groups.csv")
    assert [(each.code, each.value) for each in read.problems] == [("looks-changed", name)]


PATH = "CN=Sales,OU=Groups,DC=corp,DC=example,DC=com"


@pytest.mark.parametrize(
    ("name", "code", "detail"),
    [
        (PATH, "looks-changed", "“Sales”"),
        ("CN=Sales\\, EU,OU=Groups,DC=example", "looks-changed", "“Sales\\, EU”"),
        ("cn=sales, ou=groups, o=example, c=DE", "looks-changed", "“sales”"),
        ("ou=sales,dc=example,dc=com", "looks-changed", "“sales”"),
        (f"{PATH};CN=HR,OU=Groups,DC=corp,DC=example,DC=com", "looks-like-several", "paths of groups"),
    ],
)
def test_a_path_of_a_directory_is_no_name(name: str, code: str, detail: str) -> None:
    """As memberOf and members are in Active Directory and LDAP (RFC 4514, section 3)."""
    read = read_roster(f"Groupname,Email\n{quoted(name)},ann@example.com\n".encode(), "groups.csv")
    (problem,) = read.problems
    assert (problem.code, detail in problem.detail) == (code, True)


@pytest.mark.parametrize("name", ["CN=Sales", "OU = Sales, Europe", "CN", "A\\B", "CORP\\sales", "Cn=1, O"])
def test_names_that_are_no_paths_are_names(name: str) -> None:
    read = read_roster(f"Groupname,Email\n{quoted(name)},ann@example.com\n".encode(), "groups.csv")
    assert [*read.problems] == []


@pytest.mark.parametrize("name", ['Team "A"', '"The Best"', '"A" 100', '"A" (HR)', '0 "', '(old) "A"', '"A" - "B"'])
def test_names_with_quotation_marks_are_names(name: str) -> None:
    read = read_roster(f"Groupname,Email\n{quoted(name)},ann@example.com\n".encode(), "groups.csv")
    assert [*read.problems] == []
