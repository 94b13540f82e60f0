from __future__ import annotations

from typing import IO, TYPE_CHECKING

import pytest

from adapters.http import file_reader, uploads
from tests.adapters.server.serving import asked
from tests.conftest import subscribed

if TYPE_CHECKING:
    from types import ModuleType

    from adapters.composition import Rollcall

pytestmark = pytest.mark.database

ROWS = "Groupname,Email\n" + "Sales,ann@example.com\n" * 10_000


def on_a_full_disk() -> IO[bytes]:
    """Open a file that can't be written to for want of space."""
    return open("/dev/full", "w+b")  # noqa: PTH123 - the caller closes it


@pytest.mark.parametrize("place", [uploads, file_reader], ids=["the file", "its roster"])
def test_an_upload_says_that_the_disk_is_full_and_records_nothing(
    rollcall: Rollcall, monkeypatch: pytest.MonkeyPatch, place: ModuleType, capfd: pytest.CaptureFixture[str]
) -> None:
    subscription = f"/api/v1/subscriptions/{subscribed(rollcall, 'ann@example.com').subscription_id}"
    head = rollcall.events.head()
    monkeypatch.setattr(place, "TemporaryFile", on_a_full_disk)
    answer = asked(rollcall, "POST", f"{subscription}/imports", files={"file": ("groups.csv", ROWS)})
    assert answer.status_code == 507
    assert answer.json()["type"] == "/problems/storage-full"
    assert "Nothing was recorded" in answer.json()["detail"]
    assert "TMPDIR" in capfd.readouterr().out, "the operator learns what to do"
    monkeypatch.undo()
    assert asked(rollcall, "GET", f"{subscription}/imports").json() == []
    assert asked(rollcall, "POST", f"{subscription}/imports", files={"file": ("groups.csv", ROWS)}).status_code == 201
    assert head > 0
