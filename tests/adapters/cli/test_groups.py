from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import UUID

import pytest

from tests.adapters.cli.conftest import ANN, BEN

if TYPE_CHECKING:
    from pathlib import Path

    from tests.adapters.cli.conftest import Contoso

pytestmark = pytest.mark.database


def test_groups_are_changed_for_people(contoso: Contoso) -> None:
    group_id = contoso.said("group", "create", "Sales", "--user", "ANN@example.com").strip()
    assert UUID(group_id)
    assert contoso.said("group", "add", "SALES", BEN, ANN) == "1 user added, 1 already in the group.\n"
    assert contoso.said("group", "remove", group_id, ANN, "nobody") == "“Sales” now has 1 user.\n"
    assert contoso.noted("group", "remove", group_id, ANN) == f"Not in this group: {ANN}\n"
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


def test_several_groups_are_deleted_after_a_plan(contoso: Contoso, tmp_path: Path) -> None:
    for name in ("Sales", "Support", "Asia"):
        contoso.said("group", "create", name, "--user", ANN)
    listed = tmp_path / "groups.txt"
    listed.write_text("\ufeffsupport\n\n Asia \n", encoding="utf-8")
    words = ("group", "delete", "Sales", "--file", str(listed))
    assert contoso.said(*words, "--dry-run") == "Deletes 3 groups; 1 user leaves them.\n"
    assert contoso.document(*words, code=1)["error"]["code"] == "not-confirmed"
    assert len(contoso.document("groups")) == 3
    assert contoso.document("group", "delete", "Sales", "Nothing", "--yes", code=1)["error"]["code"] == "not-found"
    assert contoso.said(*words, "--yes").endswith("3 groups deleted.\n")
    assert contoso.document("groups") == []


def test_all_that_match_are_deleted_or_removed(contoso: Contoso) -> None:
    for name, users in (("Office 1", (ANN, BEN)), ("Office 2", ()), ("Sales", (ANN, BEN))):
        contoso.said("group", "create", name, *(word for user in users for word in ("--user", user)))
    assert contoso.said("group", "remove", "Sales", "--search", "ann", "--dry-run").startswith("Removes 1 user from")
    assert contoso.said("group", "remove", "Sales", "--search", "ann", "--yes").endswith("1 user removed.\n")
    assert contoso.document("group", "remove", "Sales", "--all", code=1)["error"]["code"] == "not-confirmed"
    assert contoso.said("group", "delete", "--search", "office", "--max-users", "0", "--yes").endswith(
        "1 group deleted.\n"
    )
    assert [each["name"] for each in contoso.document("groups")] == ["Office 1", "Sales"]
    nothing = contoso.document("group", "delete", "--search", "nothing", "--yes", code=1)["error"]
    assert nothing == {"code": "not-found", "message": "There is no such group."}
    assert contoso.document("group", "delete", "Sales", "--all", code=2)["error"]["code"] == "usage"
    done = contoso.document("group", "delete", "--all", "--yes")
    assert (done["text"], done["done"], done["not_done"]) == ("Deletes 2 groups; 2 users leave them.", 2, 0)
    revoked = contoso.document("licence", "revoke", "--only", "no_group", "--search", "ann", "--yes")
    assert (revoked["done"], len(contoso.document("licence", "list"))) == (1, 1)


def test_groups_are_exported_and_sorted(contoso: Contoso, tmp_path: Path) -> None:
    for name, users in (("=Sales", (ANN, BEN)), ("Asia", (ANN,)), ("Empty", ())):
        contoso.said("group", "create", name, *(word for user in users for word in ("--user", user)))
    assert [each["name"] for each in contoso.document("groups", "--sort", "-users")] == ["=Sales", "Asia", "Empty"]
    assert [each["name"] for each in contoso.document("groups", "--max-users", "0")] == ["Empty"]
    file = tmp_path / "groups.csv"
    assert contoso.said("export", "groups-group-based", "-o", str(file)) == ""
    assert file.read_text(encoding="utf-8-sig").splitlines()[1] == f"'=Sales,{ANN},{BEN}"
    assert "Nothing would change" in contoso.said("import", str(file), "--dry-run")
    contoso.said("export", "group-users", "--group", "Asia", "-o", str(file))
    assert file.read_text(encoding="utf-8-sig").splitlines()[1:] == [f"{ANN},,"]


def test_groups_and_their_users_are_listed_as_they_were(contoso: Contoso) -> None:
    contoso.said("group", "create", "Sales", "--user", ANN)
    contoso.said("group", "rename", "Sales", "Vertrieb")
    contoso.said("licence", "revoke", ANN)
    contoso.said("group", "delete", "Vertrieb")
    times = {each["type"]: each["at"] for each in contoso.document("audit")}
    assert contoso.document("group", "users", "Sales", code=1)["error"]["code"] == "not-found"
    (row,) = contoso.document("groups", "--at", times["GroupCreated"])
    assert (row["name"], row["users"]) == ("Sales", 1)
    (user,) = contoso.document("group", "users", "Sales", "--at", times["GroupCreated"])
    assert user["email"] == ANN
    assert ANN in contoso.said("group", "users", row["id"][:8], "--at", times["GroupNameChanged"])
    assert contoso.document("group", "users", "Vertrieb", "--at", times["LicencesRevoked"]) == []
    of_ann = contoso.document("groups", "--user", ANN, "--at", times["GroupNameChanged"])
    assert [each["name"] for each in of_ann] == ["Vertrieb"]
    assert [each["email"] for each in contoso.document("licence", "list")] == [BEN]
    assert len(contoso.document("licence", "list", "--at", times["GroupCreated"])) == 2
    assert contoso.document("groups", "--at", "2020-01-01") == []
    for words, message in (
        (("--at", "9000-01-01"), "still to come"),
        (("--at", "9000-01-01T00:00:00"), "still to come"),
        (("--at", "1 March"), "“1 March”"),
        (("--user", ANN, "--sort", "users"), "by name"),
    ):
        assert message in contoso.said("groups", *words, code=2)


def test_memberships_say_where_they_come_from(contoso: Contoso, tmp_path: Path) -> None:
    contoso.said("group", "create", "Sales", "--user", ANN)
    file = tmp_path / "people.csv"
    file.write_text(f"Groupname,Email,Email\nAsia,,{BEN}\nSales,{ANN},{BEN}\n")
    contoso.said("import", str(file), "--yes")
    by_hand, imported = contoso.document("group", "users", "Sales")
    assert (by_hand["added"]["source"], imported["added"]["source"]["line"]) == (None, 3)
    told = contoso.said("group", "users", "Sales")
    assert "by hand" in told
    assert "people.csv, line 3, column 3" in " ".join(told.split())
    assert [each["added"]["source"]["group"] for each in contoso.document("groups", "--user", BEN)] == [1, 2]
    assert "people.csv, line 2, column 3" in contoso.said("groups", "--user", BEN)
    created, added = contoso.document("group", "history", "Sales")
    assert (created["type"], added["data"]["users"], added["import_group"]) == ("GroupCreated", [BEN], 2)
    assert "people.csv" in contoso.said("group", "history", "sales")
    contoso.said("group", "delete", "Sales")
    (import_id,) = {added["import_id"]}
    assert len(contoso.document("group", "history", imported_group := contoso.document("audit")[0]["group_id"])) == 3
    assert contoso.document("group", "history", import_id, code=1)["error"]["code"] == "not-found", imported_group
