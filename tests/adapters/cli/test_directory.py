"""Subscriptions, licences and groups on the command line, for people and for machines."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any
from uuid import UUID

import pytest

from tests.adapters.cli.terminals import environment, run
from tests.conftest import subscribed, working

if TYPE_CHECKING:
    from adapters.composition import Rollcall

pytestmark = pytest.mark.database

ANN, BEN = "ann@example.com", "ben@example.com"


class Contoso:
    """A subscription that licenses Ann and Ben, and commands about it."""

    def __init__(self, database: str) -> None:
        self._environ = environment(database)

    def said(self, *words: str, code: int = 0) -> str:
        """Return what a command tells people."""
        done = run(self._environ, *words, "-s", "Contoso")
        assert done.returncode == code, done.stderr
        return done.stdout if code == 0 else done.stderr

    def document(self, *words: str, code: int = 0) -> Any:
        """Return what a command tells machines."""
        done = run(self._environ, *words, "-s", "Contoso", "--json")
        assert done.returncode == code, done.stderr
        return json.loads(done.stdout)


@pytest.fixture
def contoso(database: str, idle: Rollcall) -> Contoso:
    with working(idle):
        subscribed(idle, ANN, BEN, seats=3)
    return Contoso(database)


def test_groups_are_changed_for_people(contoso: Contoso) -> None:
    group_id = contoso.said("group", "create", "Sales", "--user", "ANN@example.com").strip()
    assert UUID(group_id)
    assert contoso.said("group", "add", "SALES", BEN, ANN) == "1 user added, 1 already there.\n"
    assert contoso.said("group", "remove", group_id, ANN, "nobody") == "“Sales” has 1 user now.\n"
    assert contoso.said("group", "rename", "sales", "Europe") == "The group is named “Europe” now.\n"
    assert "Europe" in contoso.said("groups")
    assert contoso.said("group", "delete", "Europe") == "Deleted “Europe”, which had 1 user.\n"
    assert "Europe" not in contoso.said("groups")


def test_groups_are_changed_for_machines(contoso: Contoso) -> None:
    created = contoso.document("group", "create", "Sales", "--user", ANN)
    assert (created["name"], created["users"]) == ("Sales", 1)
    assert contoso.document("group", "add", "Sales", BEN, ANN) == {"added": [BEN], "already_there": [ANN]}
    assert contoso.document("group", "rename", created["id"], "Europe") == {**created, "name": "Europe", "users": 2}
    assert contoso.document("group", "remove", "Europe", "BEN@example.com")["users"] == 1
    assert contoso.document("group", "delete", "Europe")["id"] == created["id"]
    assert contoso.document("groups") == []


def test_what_cannot_be_done_with_a_group_is_said(contoso: Contoso) -> None:
    contoso.said("group", "create", "Sales")
    for words, code, message in (
        (("group", "create", "SALES"), "group-name-taken", "“SALES”"),
        (("group", "add", "Sales", ANN, "eve@example.com"), "not-licensed", "“eve@example.com”"),
        (("group", "add", "Sales", ANN, "nobody"), "email-invalid", "“nobody”"),
        (("group", "rename", "Sales", "\u202e"), "group-name-invalid", "U+202E"),
        (("group", "delete", "Nothing"), "not-found", "“Nothing”"),
        (("group", "delete", str(UUID(int=1))), "not-found", str(UUID(int=1))),
    ):
        error = contoso.document(*words, code=1)["error"]
        assert (error["code"], message in error["message"]) == (code, True), words
    assert contoso.document("groups")[0]["users"] == 0


def test_licences_are_allocated_listed_and_revoked(contoso: Contoso) -> None:
    one = ("licence", "allocate", "--email", "Cem@Example.com", "--first-name", "Cem", "--last-name", "Ray")
    assert contoso.said(*one) == "1 licence allocated, 0 allocated before.\n"
    assert contoso.document(*one)["already_allocated"] == 1
    assert (
        contoso.document("licence", "allocate", "--email", "dan@example.com", code=1)["error"]["code"]
        == "seats-exceeded"
    )
    assert contoso.document("licence", "allocate", "--email", "nobody", code=1)["error"]["code"] == "email-invalid"
    assert [each["email"] for each in contoso.document("licence", "list")] == [ANN, BEN, "cem@example.com"]
    assert contoso.said("licence", "list", "--search", "ray").splitlines()[1].split()[:3] == [
        "cem@example.com",
        "Cem",
        "Ray",
    ]
    contoso.said("group", "create", "Sales", "--user", ANN)
    assert contoso.said("licence", "revoke", "ANN@example.com", ANN, "nobody") == "1 licence revoked.\n"
    assert contoso.document("licence", "revoke", ANN, BEN) == {"revoked": [BEN]}
    assert contoso.document("groups")[0]["users"] == 0


@pytest.mark.parametrize("words", [(), (__file__, "--email", ANN), (__file__, "--first-name", "Ann")])
def test_licences_are_allocated_to_a_file_or_to_one_user(contoso: Contoso, words: tuple[str, ...]) -> None:
    assert "Give either a FILE, or one user" in contoso.said("licence", "allocate", *words, code=2)


def test_a_subscription_is_renamed_and_its_seats_changed(contoso: Contoso) -> None:
    assert contoso.said("subscription", "seats", "5") == "“Contoso” has 5 seats, 2 taken.\n"
    assert contoso.document("subscription", "seats", "1", code=1)["error"]["code"] == "seats-in-use"
    renamed = contoso.document("subscription", "rename", "Fabrikam")
    assert (renamed["name"], renamed["seats"], renamed["seats_taken"]) == ("Fabrikam", 5, 2)
    assert contoso.document("groups", code=1)["error"]["code"] == "not-found"
