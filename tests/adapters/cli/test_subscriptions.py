from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

import pytest

from tests.adapters.cli.conftest import ANN, BEN
from tests.adapters.cli.terminals import InTerminal, run

if TYPE_CHECKING:
    from tests.adapters.cli.conftest import Contoso

pytestmark = pytest.mark.database

CREATE = ("subscription", "create", "Contoso", "--seats", "10")


def test_a_subscription_is_renamed_and_its_seats_changed(contoso: Contoso) -> None:
    assert contoso.said("subscription", "seats", "5") == "“Contoso” has 5 seats, 2 taken.\n"
    assert contoso.document("subscription", "seats", "1", code=1)["error"]["code"] == "seats-in-use"
    renamed = contoso.document("subscription", "rename", "Fabrikam")
    assert (renamed["name"], renamed["seats"], renamed["seats_taken"]) == ("Fabrikam", 5, 2)
    assert contoso.document("groups", code=1)["error"]["code"] == "not-found"


def test_a_subscription_is_created_with_its_administrators(environ: dict[str, str]) -> None:
    done = run(environ, *CREATE, "--administrator", "Ann@Example.com", "--administrator", BEN)
    assert (done.returncode, done.stderr) == (0, "")
    rows = json.loads(run(environ, "access", "list", "-s", done.stdout.strip(), "--json").stdout)
    assert [(row["email"], row["role"]) for row in rows] == [(ANN, "administrator"), (BEN, "administrator")]


def test_an_administrator_without_a_valid_address_is_refused_before_anything_is_created(
    environ: dict[str, str],
) -> None:
    assert run(environ, *CREATE, "--administrator", "ann").returncode == 1
    assert json.loads(run(environ, "subscription", "list", "--json").stdout) == []


def test_a_subscription_without_administrators_says_how_to_add_one(environ: dict[str, str]) -> None:
    """Its console would be closed to the person who just imported a file of their own."""
    done = run(environ, *CREATE)
    grant = rf"access grant EMAIL --role administrator -s {done.stdout.strip()}\n"
    assert re.search(
        rf"(?m)^No one has access to it in the console yet\. To add an administrator:\n  .*{grant}", done.stderr
    )
    as_json = run(environ, "subscription", "create", "Fabrikam", "--seats", "10", "--json")
    assert as_json.stderr == ""


class TestASecondSubscriptionOfTheSameName:
    def test_is_refused_without_a_terminal_unless_you_say_yes(self, environ: dict[str, str]) -> None:
        first = run(environ, *CREATE).stdout.strip()
        for words in (CREATE, ("subscription", "create", " Contoso ", "--seats", "10", "--json")):
            done = run(environ, *words)
            assert done.returncode == 2
            assert f"There is already a subscription called “{words[2]}” ({first}). Pass --yes" in done.stderr
        assert run(environ, *CREATE, "--yes").returncode == 0
        assert len(json.loads(run(environ, "subscription", "list", "--json").stdout)) == 2

    @pytest.mark.parametrize(("answer", "code", "count"), [("y", 0, 2), ("n", 130, 1)])
    def test_is_asked_about_in_a_terminal(self, environ: dict[str, str], answer: str, code: int, count: int) -> None:
        run(environ, *CREATE)
        with InTerminal(environ, *CREATE) as terminal:
            terminal.wait_for(r"Create another one with the same name\? \[y/N\]: ")
            terminal.type(f"{answer}\n")
            assert terminal.end() == code
        assert len(json.loads(run(environ, "subscription", "list", "--json").stdout)) == count
