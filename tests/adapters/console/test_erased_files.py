"""The file of an import was erased: its pages and the API say so, and why, and offer nothing that needs it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from adapters.postgres.expiring import Expiry
from domain.retention import Retention
from tests.adapters.api.importing import API
from tests.adapters.console.test_pages import said
from tests.adapters.http.test_problems import assert_problem

if TYPE_CHECKING:
    from tests.adapters.console.conftest import Console

pytestmark = pytest.mark.database

ANN, BEN = "ann@example.com", "ben@example.com"
FILE = f"Groupname,Email\nSales,{ANN}\nSales,nobody\nSales,{BEN}\n"


def expire(console: Console, page: str) -> str:
    """Erase the file of an import as if its retention had ended, and return what is said of it."""
    with console.rollcall.views() as cursor:
        cursor.execute("UPDATE blobs SET stored_at = stored_at - interval '2 days'")
        cursor.execute(
            "UPDATE imports SET updated_at = updated_at - interval '2 days' WHERE import_id = %s",
            (page.rsplit("/", 1)[1],),
        )
    expiry, now = Expiry(console.rollcall.datastore, Retention(1, 1)), datetime.now(UTC)
    assert [expiry.erase(each, now) for each in expiry.due(now)] == [True]
    assert console.rollcall.health.catch_up()
    return f"It was erased on {now:%-d %B %Y}, because files are kept for a day."


def test_a_result_says_so_and_offers_nothing_that_needs_the_file(console: Console) -> None:
    page = console.reviewing(console.subscription(ANN), FILE)
    console.start(page)
    console.run(page)
    needing = (f"{API}{page}/file", "rows-not-added.csv")
    before = console.ask("GET", page)
    assert "is gone" not in said(before)
    assert all(each in before.text for each in needing)
    why = expire(console, page)
    for shown in (page, f"{page}?show=left", f"{page}?show=unlicensed"):
        answer = console.ask("GET", shown)
        assert f"{why} What was read from it is still here." in said(answer)
        assert not [each for each in needing if each in answer.text]
    assert "Erased the file groups.csv, kept for 1 day" in said(
        console.ask("GET", f"{page.split('/imports')[0]}/audit?type=file-erased")
    )
    for path in ("file", "rows-not-added.csv"):
        assert_problem(console.client.get(f"{API}{page}/{path}"), 410, "file-erased")
    report = console.client.get(f"{API}{page}/report.csv")
    assert (report.status_code, "nobody" in report.text) == (200, True)


def test_a_discarded_and_a_refused_import_say_so(console: Console) -> None:
    subscription = console.subscription(ANN)
    page = console.reviewing(subscription, FILE)
    console.ask("POST", f"{page}/discard", data={"version": "2"})
    assert console.rollcall.health.catch_up()
    assert expire(console, page) in said(console.ask("GET", page))
    sent = console.ask("POST", f"{subscription}/import", files={"file": ("no.csv", b"x,y\n1,2\n")})
    refused = sent.headers["location"]
    assert console.rollcall.health.catch_up()
    assert expire(console, refused) in said(console.ask("GET", refused))
