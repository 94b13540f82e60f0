from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import UUID

import pytest

from tests.adapters.cli.conftest import ANN, BEN

if TYPE_CHECKING:
    from tests.adapters.cli.conftest import Contoso

pytestmark = pytest.mark.database


def test_groups_are_changed_for_people(contoso: Contoso) -> None:
    group_id = contoso.said("group", "create", "Sales", "--user", "ANN@example.com").strip()
    assert UUID(group_id)
    assert contoso.said("group", "add", "SALES", BEN, ANN) == "1 user added, 1 already in the group.\n"
    assert contoso.said("group", "remove", group_id, ANN, "nobody") == "“Sales” now has 1 user.\n"
    assert contoso.said("group", "rename", "sales", "Europe") == "The group is now called “Europe”.\n"
    assert "Europe" in contoso.said("groups")
    assert contoso.said("group", "delete", "Europe") == "Deleted “Europe”, which had 1 user.\n"
    assert "Europe" not in contoso.said("groups")


def test_groups_are_changed_for_machines(contoso: Contoso) -> None:
    created = contoso.document("group", "create", "Sales", "--user", ANN)
    assert (created["name"], created["users"]) == ("Sales", 1)
    assert contoso.document("group", "add", "Sales", BEN, ANN) == {"added": [BEN], "already_there": [ANN]}
    assert contoso.document("group", "rename", created["id"], "Europe") == {**created, "name": "Europe", "users": 2}
    assert contoso.document("group", "remove", created["id"][:8], "BEN@example.com")["users"] == 1
    assert contoso.document("group", "delete", "Europe")["id"] == created["id"]
    assert contoso.document("groups") == []


def test_a_command_that_cannot_be_done_says_why(contoso: Contoso) -> None:
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
