from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from domain.forgetting import PSEUDONYM
from tests.adapters.cli.conftest import ANN, BEN

if TYPE_CHECKING:
    from tests.adapters.cli.conftest import Contoso

pytestmark = pytest.mark.database


def test_a_person_is_exported_and_forgotten(contoso: Contoso) -> None:
    contoso.said("group", "create", "Sales", "--user", ANN, "--user", BEN)
    held = contoso.document("person", "export", ANN.upper())
    assert (held["email"], [each["name"] for each in held["memberships"]]) == (ANN, ["Sales"])
    plan = contoso.said("person", "forget", ANN, "--dry-run")
    assert plan.startswith(f"{ANN} is named in 2 records:\n  1 group, 0 imports\n")
    assert "--yes" in contoso.said("person", "forget", ANN, code=1)
    done = contoso.document("person", "forget", ANN, "--yes")
    assert PSEUDONYM.fullmatch(done["person"])
    assert "Nothing names" in contoso.said("person", "forget", ANN, "--yes")
    assert contoso.document("person", "export", ANN)["records"] == []
    assert [each["email"] for each in contoso.document("licence", "list")] == [BEN]
