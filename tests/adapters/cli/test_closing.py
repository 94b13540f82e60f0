from __future__ import annotations

from typing import TYPE_CHECKING
from zipfile import ZipFile

import pytest

from tests.adapters.cli.conftest import ANN

if TYPE_CHECKING:
    from pathlib import Path

    from tests.adapters.cli.conftest import Contoso

pytestmark = pytest.mark.database


def test_a_subscription_is_closed(contoso: Contoso) -> None:
    assert "Pass --yes" in contoso.said("subscription", "close", code=1)
    assert contoso.said("subscription", "close", "--reason", "Over.", "--yes") == "“Contoso” is closed.\n"
    assert contoso.document("subscription", "close", "--yes")["state"] == "closed"
    told = contoso.said("group", "create", "Sales", "--user", ANN, code=1)
    assert "This subscription is closed" in told


def test_a_closed_subscription_is_exported_and_erased(contoso: Contoso, tmp_path: Path) -> None:
    contoso.said("group", "create", "Friends of Ann", "--user", ANN)
    contoso.said("subscription", "close", "--yes")
    assert "Nothing was erased" in contoso.said("subscription", "erase", "--yes", code=1)
    file = tmp_path / "all.zip"
    assert contoso.said("subscription", "export", "--to", str(file)) == f"Wrote {file}.\n"
    with ZipFile(file) as archive:
        assert b"Friends of Ann" in archive.read("groups.csv")
    assert "Pass --yes" in contoso.said("subscription", "erase", code=1)
    assert contoso.said("subscription", "erase", "--yes").startswith("Erased: ")
    assert contoso.document("subscription", "erase", "--yes")["records"] > 3
    assert ANN not in contoso.said("licence", "list")


def test_an_export_that_cannot_be_written_does_not_count(contoso: Contoso, tmp_path: Path) -> None:
    contoso.said("subscription", "close", "--yes")
    told = contoso.said("subscription", "export", "--to", str(tmp_path / "nowhere" / "all.zip"), code=2)
    assert "all.zip" in told
    assert "No such file or directory" in told
    assert "Nothing was erased" in contoso.said("subscription", "erase", "--yes", code=1)


def test_a_closed_subscription_is_erased_without_an_export_for_a_reason(contoso: Contoso) -> None:
    contoso.said("subscription", "close", "--yes")
    assert contoso.said("subscription", "erase", "--yes", "--without-export", "A test.").startswith("Erased: ")
    assert "without an export: A test." in contoso.said("audit")
