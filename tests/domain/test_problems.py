"""The table of problem codes."""

from __future__ import annotations

from domain.problems import PROBLEMS, Problem


def test_every_problem_says_what_happened_and_what_to_do_whatever_the_value() -> None:
    for code, (severity, _, _) in PROBLEMS.items():
        problem = Problem(code, 1, 2, header="{0}", value="{value} {} {x!r}", detail="{}")
        assert problem.severity == severity
        assert problem.message.endswith((".", "{}"))
        assert problem.remedy.endswith(".")


def test_the_table_holds_every_code_of_the_contract() -> None:
    warnings = {"email-repeated", "group-repeated", "user-repeated", "looks-alike"}
    assert {code for code, (severity, _, _) in PROBLEMS.items() if severity == "warning"} == warnings
    assert len(PROBLEMS) == 24
