"""docs/security.md is true: its tests exist, no requirement is missing, and numbers and rules are those of the code."""

from __future__ import annotations

import ast
import re
from collections import Counter
from pathlib import Path
from typing import get_args

from adapters.console.links import MINUTES
from adapters.console.sessions import RECENTLY
from adapters.console.sign_in import PENDING_FOR
from adapters.postgres.sign_ins import SignInWay
from adapters.settings import describe
from tests.adapters.api import test_access_matrix as matrix
from tests.adapters.api.access_matrix import EVERYBODY, SIGNED_IN

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "security.md").read_text(encoding="utf-8")
# How many requirements each section of the standard has at levels 1 and 2. They are numbered from 1.
SECTIONS = {
    "6": {1: 3, 2: 12, 3: 4, 4: 4, 5: 5, 6: 3, 8: 4},
    "7": {1: 3, 2: 4, 3: 2, 4: 5, 5: 2, 6: 2},
    "8": {1: 2, 2: 3, 3: 1, 4: 1},
    "9": {1: 3, 2: 4},
    "10": {1: 2, 2: 2, 3: 4, 4: 11, 5: 5, 6: 2, 7: 3},
}
LEVEL_1 = {
    *("6.1.1", "6.2.1", "6.2.2", "6.2.3", "6.2.4", "6.2.5", "6.2.6", "6.2.7", "6.2.8", "6.3.1", "6.3.2", "6.4.1"),
    *("6.4.2", "7.2.1", "7.2.2", "7.2.3", "7.2.4", "7.4.1", "7.4.2", "8.1.1", "8.2.1", "8.2.2", "8.3.1"),
    *("9.1.1", "9.1.2", "9.1.3", "9.2.1", "10.4.1", "10.4.2", "10.4.3", "10.4.4", "10.4.5"),
}
VERDICTS = ("met", "not met", "does not apply")
ROLES = {"operators": "operator", "administrators": "administrator", "auditors": "auditor", "consumers": "consumer"}


def rows(heading: str) -> list[list[str]]:
    """Return the cells of the table under a heading."""
    (section,) = re.findall(rf"^##+ {re.escape(heading)}\n(.*?)(?=^##|\Z)", PAGE, re.MULTILINE | re.DOTALL)
    table = [line.strip("|").split(" | ") for line in section.splitlines() if line.startswith("|")]
    return [[cell.strip(" |") for cell in line] for line in table[2:]]


def requirements() -> list[list[str]]:
    """Return the number, level, requirement and answer of each requirement."""
    lines = (line.strip("|").split(" | ") for line in PAGE.splitlines())
    return [row for row in lines if re.match(r" \d+\.\d", row[0])]


def verdict(answer: str) -> str:
    return answer.partition(":")[0]


def test_every_requirement_has_its_answer() -> None:
    wanted = [
        f"{chapter}.{section}.{number}"
        for chapter, sections in SECTIONS.items()
        for section, last in sections.items()
        for number in range(1, last + 1)
    ]
    found = {row[0].strip(): row[1].strip() for row in requirements()}
    assert list(found) == wanted
    assert {number for number, level in found.items() if level == "1"} == LEVEL_1
    assert {verdict(row[3]) for row in requirements()} == set(VERDICTS)


def test_what_is_met_names_its_tests_and_the_rest_gives_a_reason() -> None:
    for number, _, _, answer in requirements():
        assert verdict(answer) != "met" or "`tests/" in answer, number
        assert len(answer.partition(": ")[2].strip(" |")) > 10, number


def test_the_tests_that_are_named_exist() -> None:
    named = set(re.findall(r"`(tests/[^`]*\.py)::([^`]*)`", PAGE))
    assert len(named) > 40
    assert [each for each in named if not exists(*each)] == []


def exists(path: str, name: str) -> bool:
    """Return whether a file has a test: `test_something` or `TestOfSomething::test_something`."""
    found: ast.AST = ast.parse((ROOT / path).read_text(encoding="utf-8"))
    for part in name.split("::"):
        inner = [each for each in ast.iter_child_nodes(found) if getattr(each, "name", None) == part]
        if len(inner) != 1:
            return False
        found = inner[0]
    return isinstance(found, ast.FunctionDef) and found.name.startswith("test_")


def test_the_counts_are_right() -> None:
    counts = Counter(verdict(row[3]) for row in requirements())
    sentence = (
        f"Of {counts.total()}, {counts['met']} are met, {counts['not met']} are not, and {counts['does not apply']}"
    )
    assert sentence in " ".join(PAGE.split())


def test_the_limits_and_lifetimes_are_those_of_the_code() -> None:
    table = {
        what: (how_much, setting.strip("`")) for what, how_much, setting in map(padded, rows("Limits and lifetimes"))
    }
    defaults = {name: default for name, default, _ in describe()}
    assert {what: how_much for what, (how_much, setting) in table.items() if not setting} == {
        "a sign-in link works for": f"{MINUTES} minutes, once",
        "a sign-in at the provider may take": f"{PENDING_FOR.total_seconds() / 60:.0f} minutes",
        "to end sessions, you must have signed in within": f"{RECENTLY.total_seconds() / 60:.0f} minutes",
    }
    with_setting = {setting: how_much.partition(" ")[0] for how_much, setting in table.values() if setting}
    assert with_setting == {name: defaults[name] for name in with_setting}
    assert len(with_setting) == 5


def padded(row: list[str]) -> list[str]:
    return [*row, ""][:3]


def test_the_ways_in_are_those_of_the_code() -> None:
    assert {row[0].strip("`") for row in rows("The ways in")} == {*get_args(SignInWay), "token"}


def test_the_operations_are_for_whom_the_access_matrix_says() -> None:
    allowed = {name: for_whom(who) for who, names in rows("Who may do what") for name in re.findall("`(.*?)`", names)}
    assert allowed == matrix.WHO


def for_whom(who: str) -> frozenset[str]:
    """Return a cell such as `operators and administrators` in the words of the access matrix."""
    match who:
        case "everybody":
            return EVERYBODY
        case "anyone with a role, for what they have access to":
            return SIGNED_IN
        case _:
            return frozenset(ROLES[each] for each in re.split(", | and ", who))
