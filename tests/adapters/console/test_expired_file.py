"""The file of an import was erased: its history says when, by whom and why, in the console and on the command line."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING
from uuid import UUID

import pytest

from adapters.postgres.expiring import Expiry
from domain.retention import Retention
from tests.adapters.api.importing import lines
from tests.adapters.cli.terminals import environment, run
from tests.adapters.console.test_settings import said

if TYPE_CHECKING:
    from tests.adapters.console.conftest import Console

pytestmark = pytest.mark.database

ANN = "ann@example.com"


def test_its_history_says_so(console: Console) -> None:
    page = console.reviewing(console.subscription(ANN), lines(2), name="staff.csv")
    console.start(page)
    console.run(page)
    before = said(console.ask("GET", f"{page}/history"))
    assert "Erased the file" not in before
    later = console.rollcall.now() + timedelta(days=31)
    expiry = Expiry(console.rollcall.datastore, Retention(30, 30))
    (due,) = (each for each in expiry.due(later) if str(each.subscription_id) in page)
    assert expiry.erase(due, later)
    shown = said(console.ask("GET", f"{page}/history"))
    assert shown.index("Completed: ") < shown.index("Erased the file staff.csv, kept for 30 days Retention")
    conninfo = console.rollcall.settings.database_url
    assert conninfo
    told = run(environment(conninfo), "import-history", str(UUID(page[-36:])))
    assert told.stdout.splitlines()[-1].lstrip().startswith("–")
    assert "Erased the file staff.csv, kept for 30 days" in told.stdout
