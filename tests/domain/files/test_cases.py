"""Files as people's tools write them, from ../shared/cases: each is read as what it says, or refused as what it is."""

from __future__ import annotations

from pathlib import Path

import pytest

from domain.files.roster_file import read_roster
from domain.problems import FileProblems, grouped
from domain.roster import Limits, Roster
from tests.domain.files.examples import memberships

CASES = next(
    (found for parent in Path(__file__).parents if (found := parent / "shared" / "cases" / "files").is_dir()), Path()
)

pytestmark = pytest.mark.skipif(not CASES.name, reason="there is no folder shared/cases beside the project")

NUMBERED = ("pandas", "polars", "duckdb", "miller", "spark", "sqlite3", "pyexcel_records", "pandas_index", "rbase")


def read(name: str) -> Roster:
    found = read_roster((CASES / f"{name}.csv").read_bytes(), f"{name}.csv")
    assert isinstance(found, Roster), [problem.message for problem in found.problems]
    return found


@pytest.mark.parametrize("tool", [*NUMBERED, "rbase_nocheck"])
@pytest.mark.parametrize("sample", ["user", "group"])
def test_what_a_tool_made_of_repeated_headers_is_read_as_before(tool: str, sample: str) -> None:
    found = read(f"tool-{tool}-{sample}")
    assert memberships(found) == memberships(read(f"tool-original-{sample}"))
    assert set(found.problem_counts) <= {"row-numbers"}


@pytest.mark.parametrize("name", ["readr-user", "readr-userab", "rbase-userab", "rbase_nocheck-userab"])
def test_words_that_a_tool_wrote_into_blank_cells_are_told_once(name: str) -> None:
    found = read(f"tool-{name}")
    given = memberships(found)
    assert given.pop("NA")
    assert given == memberships(read(f"tool-original-{name.partition('-')[2]}"))
    assert found.problem_counts["looks-blank"] == 1
    assert "NA" not in found.users.first_names


def test_words_for_blank_cells_among_addresses_are_passed_over() -> None:
    found = read("tool-readr-group")
    assert memberships(found) == memberships(read("tool-original-group"))
    assert found.problem_counts == {"looks-blank": 1}


@pytest.mark.parametrize("tool", ["pydictreader_keys", "csvparse", "ruby_hash", "d3dsv_columns"])
def test_columns_that_a_script_lost_are_suspected(tool: str) -> None:
    assert read(f"tool-{tool}-user").problem_counts["columns-lost"] == 1


@pytest.mark.parametrize("tool", ["pydictreader_keys", "csvparse", "d3dsv_columns", "ruby_hash"])
def test_columns_of_addresses_that_a_script_lost_are_suspected(tool: str) -> None:
    assert read(f"tool-{tool}-group").problem_counts["columns-lost"] == 1


ANN, BEN, CEM, DORA, EMIL, FAY, GUS, HANA, NEW1, NEW2, NEW3, NOBODY = (
    f"{name}@fabrikam.example.com"
    for name in ("ann", "ben", "cem", "dora", "emil", "fay", "gus", "hana", "new1", "new2", "new3", "nobody")
)


@pytest.mark.parametrize(
    ("name", "groups", "problems"),
    [
        ("blankabove", {"Sales": [ANN]}, {}),
        ("blankcommas", {"Sales": [ANN]}, {}),
        ("emptycol", {"Sales": [ANN]}, {}),
        ("midempty", {"Sales": [ANN], "Support": [ANN]}, {}),
        ("sep", {"Sales": [ANN]}, {}),
        ("wholeline", {"Sales": [ANN, BEN]}, {}),
        ("groupname", {"Sales": [ANN]}, {}),
        ("firstname", {"Sales": [ANN]}, {}),
        ("ragged", {"Rag A": [ANN, BEN, CEM], "Rag B": [DORA]}, {"row-too-long": 1}),
        ("ragged-user", {"Rag A": [ANN, BEN], "Rag B": [ANN]}, {"row-too-long": 1}),
        ("mailto", {"Sales": [ANN, BEN, CEM, DORA], "Support": [EMIL, FAY, GUS, HANA]}, {"address-read-as": 1}),
        ("multimail", {"Sales": [ANN, BEN, CEM], "Support": [DORA, EMIL], "Ops": [FAY, GUS]}, {"address-read-as": 1}),
        ("nbsp", {"Sales": [ANN, BEN, CEM, DORA, EMIL, FAY]}, {"address-read-as": 1}),
        ("cp1250", {"Účetní oddělení": [ANN], "Sprzedaż": [BEN]}, {"encoding-guessed": 1}),
        ("cp1251", {"Продажи": [ANN], "Отдел кадров": [BEN]}, {"encoding-guessed": 1}),
        ("gbk", {"市场部": [ANN], "研发中心": [BEN]}, {"encoding-guessed": 1}),
        ("macroman", {"Büro Köln": [ANN], "Übersetzung": [BEN]}, {"encoding-guessed": 1}),
        ("cz-1250", {"Účetní oddělení": [ANN, BEN]}, {"encoding-guessed": 1}),
        ("ren", {"R One": [ANN], "R Two": [BEN]}, {}),
        ("unlicensed-many", {"W1": [ANN, NEW1], "W2": [NEW1], "W3": [NEW2, NEW3], "W4": [NEW3]}, {}),
    ],
)
def test_what_people_did_right_is_read(name: str, groups: dict[str, list[str]], problems: dict[str, int]) -> None:
    found = read(name)
    assert (memberships(found), found.problem_counts) == (groups, problems)


def test_what_is_wrong_in_one_row_spoils_no_other() -> None:
    found = read("partial")
    groups = {"PF A": [ANN, NOBODY, DORA, FAY], "PF B": [ANN, DORA], "PF C": [NOBODY, DORA]}
    faults = dict.fromkeys(
        ("email-invalid", "email-missing", "group-name-missing", "quote-unclosed", "row-too-long"), 1
    )
    assert (memberships(found), found.problem_counts) == (groups, faults)


def test_googles_list_of_group_members_is_read() -> None:
    found = read("peer-google_group_members")
    assert memberships(found) == {"design@example.com": ["ana.ruiz@example.com", "chloe.martin@example.com"]}
    assert found.problem_counts["looks-like-several"] == 1


@pytest.mark.parametrize(
    ("name", "product", "column"),
    [
        ("google_users", "Google Workspace", "“Email Address [Required]”"),
        ("entra_members", "Microsoft Entra", "“Member object ID or user principal name”"),
        ("canvas_groups_membership", "Canvas", "“user_id”"),
        ("moodle_cohort", "Moodle", "“cohort1”"),
        ("slack_members", "Slack", "“email”"),
    ],
)
def test_a_file_of_another_product_is_refused_as_that(name: str, product: str, column: str) -> None:
    found = read_roster((CASES / f"peer-{name}.csv").read_bytes(), "export.csv")
    assert isinstance(found, FileProblems)
    (problem,) = found.problems
    assert problem.code == "other-product"
    assert product in problem.message
    assert column in problem.message


def suspected(name: str, code: str) -> list[str]:
    return [problem.value for problem in read(name).problems if problem.code == code]


def test_names_that_may_not_be_meant_are_pointed_out() -> None:
    assert suspected("na", "looks-blank") == ["#N/A", "#REF!", "NULL", "n/a", "-", "."]
    assert suspected("garbled-group", "looks-garbled") == ["Ã‰quipe Paris"]
    assert suspected("question-marks", "looks-garbled") == ["?ód?", "??"]
    assert suspected("multigroup", "looks-like-several") == ["Sales, Support", "Sales;Support", "Sales|Support"]
    assert suspected("norm", "names-joined") == ["Maße", "Team A"]
    assert suspected("norm", "looks-alike") == [r"Team\u200b A"]
    (garbled,) = [problem for problem in read("garbled-group").problems if problem.code == "looks-garbled"]
    assert "“Équipe Paris”" in garbled.message


def test_both_forms_of_a_domain_are_one_mailbox() -> None:
    assert memberships(read("idn")) == {"IDN": ["kim@münchen.example.com", "pia@bücher.example.com"]}


def test_private_domains_are_read_where_they_are_allowed() -> None:
    content = (CASES / "local.csv").read_bytes()
    allowed = read_roster(content, "local.csv", Limits(private_domains=("internal", "local")))
    assert isinstance(allowed, Roster)
    assert memberships(allowed) == {"Sales": ["ann@corp.local", "ben@intra.internal"]}
    assert [problem.value for problem in allowed.problems] == ["cem@localhost"]
    assert [problem.value for problem in read("local").problems] == ["ann@corp.local", "cem@localhost"]


def test_a_membership_a_row_is_one_line_of_information() -> None:
    found = read("longform")
    assert memberships(found) == {"L Sales": [ANN, BEN, CEM], "L Support": [ANN]}
    (shown,) = grouped(found.problems)
    assert (shown.code, shown.count) == ("group-repeated", 2)


def test_a_problem_is_told_with_the_line_and_the_row_of_the_spreadsheet() -> None:
    (bad,) = read("linerow").problems
    assert (bad.line, bad.row) == (6, 4)


def test_lines_in_a_message_are_told_with_their_rows_too() -> None:
    content = 'sep=,\nGroupname,Email\n"Asia\nEast",ann@example.com\nAfrica,ben@example.com\nafrica,cem@example.com\n'
    found = read_roster(content.encode(), "groups.csv")
    assert isinstance(found, Roster)
    (repeated,) = found.problems
    assert (repeated.line, repeated.row) == (6, 4)
    assert repeated.message == "The group “africa” is already on line 5 (row 3). The rows are merged."


def test_a_refused_file_tells_the_rows_of_its_faults() -> None:
    found = read_roster(b"sep=;\nGroupname;Address\nSales;ann@example.com\n", "groups.csv")
    assert isinstance(found, FileProblems)
    assert [(problem.line, problem.row) for problem in found.problems] == [(2, 1)]


def test_numbers_that_a_spreadsheet_made_are_pointed_out() -> None:
    assert suspected("spreadsheet-numbers", "looks-changed") == ["1234567890123460"]
    assert suspected("spreadsheet-numbers-before", "looks-changed") == []
    together = (
        "Groupname,Email\n007,a@example.com\n7,b@example.com\n07,a@example.com\nSales,c@example.com,d@example.com\n"
    )
    read_together = read_roster(together.encode(), "groups.csv")
    (problem,) = [each for each in read_together.problems if each.code != "row-too-long"]
    assert (problem.code, problem.value, "“007”" in problem.message) == ("looks-changed", "7", True)


def test_a_name_of_a_person_that_stands_for_a_blank_is_blank() -> None:
    assert "#NAME?" not in read("na").users.first_names
