from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.adapters.cli.conftest import ANN, BEN

if TYPE_CHECKING:
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
    assert contoso.document("licence", "revoke", ANN, BEN) == {"revoked": [BEN]}
    assert contoso.document("groups")[0]["users"] == 0


@pytest.mark.parametrize("words", [(), (__file__, "--email", ANN), (__file__, "--first-name", "Ann")])
def test_licences_are_allocated_to_a_file_or_to_one_user(contoso: Contoso, words: tuple[str, ...]) -> None:
    assert "Give either a FILE, or --email" in contoso.said("licence", "allocate", *words, code=2)
