"""What the rows of every file have in common: limits, and how problems are reported."""

from __future__ import annotations

from domain.roster import Limits
from tests.domain.files.examples import GROUPS, USERS, memberships, places, refusal, roster


def test_too_many_rows_are_refused_at_the_first_beyond() -> None:
    rows = "\na@example.com,,,Sales\n\na@example.com,,,Sales\n"
    assert places(refusal(USERS + rows, limits=Limits(rows=1))) == [("too-many-rows", 5, 0)]
    assert roster(USERS + rows, Limits(rows=2)).rows == 2


def test_more_groups_or_users_than_rows_allowed_are_refused_too() -> None:
    text = USERS + "a@example.com,,,A,B\n"
    assert places(refusal(text, limits=Limits(rows=1))) == [("too-many-rows", 2, 0)]
    text = GROUPS + "A,a@example.com,b@example.com\n"
    assert places(refusal(text, limits=Limits(rows=1))) == [("too-many-rows", 2, 0)]


def test_a_header_alone_has_no_rows() -> None:
    for text in (USERS, USERS.strip(), USERS + "\n,,,\n \n", GROUPS):
        assert places(refusal(text)) == [("no-rows", 0, 0)]


def test_a_thousand_unclosed_quotes_refuse_the_file_and_one_less_does_not() -> None:
    fault, sound = '"b@example.com,,,Sales\n', "a@example.com,,,Sales\n"
    assert places(refusal(USERS + (fault + sound) * 1000)) == [("too-many-faults", 2000, 1)]
    read = roster(USERS + fault * 999 + sound)
    assert read.problem_counts == {"quote-unclosed": 999}
    assert memberships(read) == {"Sales": ["a@example.com"]}


def test_more_problems_than_the_limit_refuse_the_file() -> None:
    text = GROUPS + "A,x,y\nB,z\n"
    assert places(refusal(text, limits=Limits(problems=2))) == [("too-many-faults", 3, 2)]
    assert len(roster(text, Limits(problems=3)).problems) == 3


def test_the_limits_of_a_cell_can_be_set() -> None:
    limits = Limits(cell_bytes=40)
    read = roster(USERS + f'{"x" * 41},,,A\na@example.com,"{"y" * 41}",,A\nb@example.com,"{"z" * 40}",,A\n', limits)
    assert places(read.problems) == [("cell-too-long", 2, 1), ("quote-unclosed", 3, 2)]


def test_values_are_bounded_and_safe_to_show() -> None:
    read = roster(USERS + f"bob\x00\u202e{'x' * 500},,,A\n")
    (problem,) = read.problems
    assert problem.value.startswith("bob\\x00\\u202ex")
    assert len(problem.value) < 220
    assert problem.message.isprintable()
    assert problem.header == "email"
