from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.adapters.cli.conftest import ANN, BEN

if TYPE_CHECKING:
    from pathlib import Path

    from tests.adapters.cli.conftest import Contoso

pytestmark = pytest.mark.database


def test_licences_are_allocated_listed_and_revoked(contoso: Contoso) -> None:
    one = ("licence", "allocate", "--email", "Cem@Example.com", "--first-name", "Cem", "--last-name", "Ray")
    assert contoso.said(*one) == "1 licence allocated, 0 already allocated.\n"
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
    assert contoso.noted("licence", "revoke", "nobody", ANN, "nobody") == f"Without a licence: {ANN}, nobody\n"
    assert contoso.document("licence", "revoke", ANN, BEN) == {"revoked": [BEN]}
    assert contoso.document("groups")[0]["users"] == 0


def test_a_dry_run_says_what_a_file_would_allocate(contoso: Contoso, tmp_path: Path) -> None:
    file = tmp_path / "groups.csv"
    file.write_text(f"email,FirstName,LastName,Groupname\n{ANN},,,Sales\ncem@example.com,Cem,Ray,Asia\nnobody,,,Asia\n")
    command = ("licence", "allocate", str(file), "--dry-run")
    told = contoso.document(*command, code=1)
    assert (told["allocated"], told["already_allocated"], told["passed_over"]) == (1, 1, ["Groupname"])
    assert told["seats"] == {"seats": 3, "taken_before": 2, "taken_after": 3, "missing": 0}
    assert [each["value"] for each in told["refused"]] == ["nobody"]
    file.write_text(f"email,FirstName,LastName,Groupname\n{ANN},,,Sales\ncem@example.com,Cem,Ray,Asia\n")
    shown = contoso.said(*command)
    assert "1 licence to allocate, 1 already allocated" in shown
    assert "2 of 3 seats are taken; 3 would be" in shown
    assert "cem@example.com" in shown
    assert "The groups are passed over (Groupname)" in shown
    assert [each["email"] for each in contoso.document("licence", "list")] == [ANN, BEN], "nothing was allocated"
    file.write_text("email,FirstName,LastName\n" + "".join(f"user{number}@example.com,,\n" for number in range(5)))
    assert contoso.document(*command, code=1)["seats"]["missing"] == 4


@pytest.mark.parametrize("words", [(), (__file__, "--email", ANN), (__file__, "--first-name", "Ann")])
def test_licences_are_allocated_to_a_file_or_to_one_user(contoso: Contoso, words: tuple[str, ...]) -> None:
    assert "Give either a FILE, or --email" in contoso.said("licence", "allocate", *words, code=2)
