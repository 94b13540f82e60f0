"""What the rows of every file have in common: limits, and how problems are reported."""

from __future__ import annotations

from domain.roster import Limits
from tests.domain.files.examples import GROUPS, USERS, memberships, places, refusal, roster


def test_too_many_rows_are_reported_on_the_first_row_over_the_limit() -> None:
    rows = "\na@example.com,,,Sales\n\na@example.com,,,Sales\n"
    assert places(refusal(USERS + rows, limits=Limits(rows=1))) == [("too-many-rows", 5, 0)]
    assert roster(USERS + rows, Limits(rows=2)).rows == 2


def test_the_limit_of_rows_applies_to_groups_and_users_too() -> None:
    text = USERS + "a@example.com,,,A,B\n"
    assert places(refusal(text, limits=Limits(rows=1))) == [("too-many-rows", 2, 0)]
    text = GROUPS + "A,a@example.com,b@example.com\n"
    assert places(refusal(text, limits=Limits(rows=1))) == [("too-many-rows", 2, 0)]


def test_a_file_with_only_a_header_is_refused() -> None:
    for text in (USERS, USERS.strip(), USERS + "\n,,,\n \n", GROUPS):
        assert places(refusal(text)) == [("no-rows", 0, 0)]


def test_a_file_with_a_thousand_unclosed_quotes_is_refused_but_not_with_one_less() -> None:
    fault, sound = '"b@example.com,,,Sales\n', "a@example.com,,,Sales\n"
    assert places(refusal(USERS + (fault + sound) * 1000)) == [("too-many-faults", 2000, 1)]
    read = roster(USERS + fault * 999 + sound)
    assert read.problem_counts == {"quote-unclosed": 999}
    assert memberships(read) == {"Sales": ["a@example.com"]}


def test_a_file_with_more_problems_than_the_limit_is_refused() -> None:
    text = GROUPS + "A,x,y\nB,z\n"
    assert places(refusal(text, limits=Limits(problems=2))) == [("too-many-faults", 3, 2)]
    assert len(roster(text, Limits(problems=3)).problems) == 3


def test_the_size_limit_of_a_cell_can_be_set() -> None:
    limits = Limits(cell_bytes=40)
    read = roster(USERS + f'{"x" * 41},,,A\na@example.com,"{"y" * 41}",,A\nb@example.com,"{"z" * 40}",,A\n', limits)
    assert places(read.problems) == [("cell-too-long", 2, 1), ("quote-unclosed", 3, 2)]


def test_the_values_of_problems_are_short_and_safe_to_print() -> None:
    read = roster(USERS + f"bob\x00\u202e{'x' * 500},,,A\n")
    (problem,) = read.problems
    assert problem.value.startswith("bob\\x00\\u202ex")
    assert len(problem.value) < 220
    assert problem.message.isprintable()
    assert problem.header == "email"


def test_every_fault_of_a_row_is_reported_at_once() -> None:
    read = roster(USERS + f"nobody,{'x' * 300},{'y' * 300},A\n")
    assert places(read.problems) == [("email-invalid", 2, 1), ("cell-too-long", 2, 2), ("cell-too-long", 2, 3)]
