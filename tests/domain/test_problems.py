"""The table of problem codes."""

from __future__ import annotations

from domain.problem_kinds import PROBLEMS
from domain.problems import Problem, grouped


def test_every_problem_has_a_message_and_a_remedy_whatever_its_value() -> None:
    for code, kind in PROBLEMS.items():
        problem = Problem(code, 1, 2, header="{0}", value="{value} {} {x!r}", detail="{}")
        assert problem.severity == kind.severity
        assert problem.message.endswith((".", "{}"))
        assert problem.remedy.endswith(".")


def test_problems_that_are_in_every_row_are_shown_as_one_with_a_count_and_examples() -> None:
    repeats = [Problem("group-repeated", line, 1, "Groupname", "Sales", "2", (), line - 1) for line in range(4, 10_000)]
    bad = [Problem("email-invalid", line, 2, "Email", "x", "", (1,)) for line in (3, 7_000)]
    shown = grouped([bad[0], *repeats, bad[1]])
    assert [(each.code, each.line, each.count) for each in shown] == [
        ("email-invalid", 3, 1),
        ("group-repeated", 4, 9_996),
        ("email-invalid", 7_000, 1),
    ]
    assert shown[1].message.startswith("9,996 rows name a group that appeared before: “Sales” on line 4 (row 3), ")
    assert "and 9,993 more" in shown[1].message
    assert [each.line for each in shown[1].examples] == list(range(4, 14))


def test_problems_shown_as_one_concern_all_their_groups() -> None:
    (shown,) = grouped(Problem("email-missing", line, 1, groups=(line % 2, 5)) for line in range(3, 6))
    assert shown.groups == (1, 5, 0)
    assert shown.message == "3 rows have no e-mail address: line 3, line 4 and line 5."


def test_a_problem_that_is_found_once_is_shown_as_it_is() -> None:
    problem = Problem("group-repeated", 3, 1, value="A", detail="2")
    assert grouped([problem]) == [problem]


def test_names_are_shown_one_by_one_unless_there_are_many_for_the_same_reason() -> None:
    some = [Problem("looks-changed", line, 1, value=f"{line}.0", detail="x") for line in range(3, 13)]
    other = Problem("looks-changed", 20, 1, value="7", detail="y")
    assert grouped([*some, other]) == [*some, other]
    shown = grouped([*some, other, Problem("looks-changed", 30, 1, value="30.0", detail="x")])
    assert [(each.line, each.count) for each in shown] == [(3, 11), (20, 1)]


def test_every_problem_for_several_has_a_message_with_their_count_and_examples() -> None:
    for code, kind in PROBLEMS.items():
        if kind.many:
            some = [Problem(code, line, 1, value="{x}", detail="{y}") for line in range(3, 14)]
            (shown,) = grouped(some)
            assert shown.message.startswith("11 ")
            assert "“{x}” on line 3, “{x}” on line 4, “{x}” on line 5 and 8 more" in shown.message


def test_the_table_has_every_code_of_the_contract() -> None:
    found_in_files = {"email-repeated", "group-repeated", "user-repeated", "looks-alike", "looks-changed"}
    found_in_files |= {
        "row-too-long",
        "names-joined",
        "address-read-as",
        "looks-blank",
        "looks-garbled",
        "looks-like-several",
    }
    warnings = found_in_files | {"encoding-guessed", "row-numbers", "columns-lost"}
    assert {code for code, kind in PROBLEMS.items() if kind.severity == "warning"} == warnings
    assert len(PROBLEMS) == 36
