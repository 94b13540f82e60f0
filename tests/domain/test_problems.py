"""The table of problem codes."""

from __future__ import annotations

from domain.problems import PROBLEMS, Problem


def test_every_problem_has_a_message_and_a_remedy_whatever_its_value() -> None:
    for code, kind in PROBLEMS.items():
        problem = Problem(code, 1, 2, header="{0}", value="{value} {} {x!r}", detail="{}")
        assert problem.severity == kind.severity
        assert problem.message.endswith((".", "{}"))
        assert problem.remedy.endswith(".")


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
    assert len(PROBLEMS) == 35
