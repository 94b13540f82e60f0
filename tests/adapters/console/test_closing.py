"""Finish a stopped import: what it added stays, nothing more is added, and it can be undone."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from uuid import UUID

import pytest

from application.undoing import UndoRun
from tests.adapters.api.importing import API, if_match, lines, types
from tests.adapters.console.test_groups import field
from tests.adapters.console.test_pages import said

if TYPE_CHECKING:
    from tests.adapters.console.conftest import Console

pytestmark = pytest.mark.database

ANN = "ann@example.com"


@pytest.fixture
def stopped(console: Console) -> str:
    """Return the page of an import of five groups that was stopped after the first."""
    page = console.reviewing(console.subscription(ANN), lines(5))
    console.start(page)
    console.run(page, batches=1)
    console.ask("POST", f"{page}/stop")
    return page


def test_it_is_offered_after_a_stop_and_keeps_what_was_added(console: Console, stopped: str) -> None:
    shown = console.ask("GET", stopped)
    assert "Stopped: 1 group added, 4 remaining" in said(shown)
    assert "4 groups remaining" in said(shown)
    assert "The groups that were added stay. The 4 that remain won’t be added." in said(shown)
    auditor = console.ask("GET", stopped, "auditor")
    assert f"{stopped}/close" not in auditor.text
    assert "or finish here" not in said(auditor)
    for _ in range(2):
        answer = console.ask("POST", f"{stopped}/close", data={"version": field(shown, "version")})
        assert (answer.status_code, answer.headers["location"]) == (303, stopped)
    closed = said(console.ask("GET", stopped))
    assert "Finished early: 1 group added, 1 membership added" in closed
    assert "4 groups of the file were not added" in closed
    assert "1 group created" in closed
    assert "4 groups not reached" in closed
    assert ("Undo import…" in closed, "Continue" in closed, "Discard" in closed) == (True, False, False)
    assert "the import was finished before this group" in said(console.ask("GET", f"{stopped}?show=left"))
    subscription = stopped.rsplit("/imports", 1)[0]
    assert "Finished early" in said(console.ask("GET", f"{subscription}/imports"))
    assert "Finished the import early: 1 group added, 4 not added" in said(console.ask("GET", f"{stopped}/history"))


def test_one_that_added_groups_but_no_users_can_be_finished(console: Console) -> None:
    """Nothing advises to discard it, which is refused, or to undo it, which would change nothing."""
    subscription = console.subscription(ANN)
    groups = f"{API}{subscription}/groups"
    assert console.client.post(groups, json={"name": "Group 1", "users": [ANN]}).status_code == 201
    page = console.reviewing(subscription, lines(3))
    console.start(page)
    console.run(page, batches=1)
    console.ask("POST", f"{page}/stop")
    shown = console.ask("GET", page)
    assert ("Finish here" in said(shown), "Undo import" in said(shown), "Discard" in said(shown)) == (
        True,
        False,
        False,
    )
    assert console.ask("POST", f"{page}/close", data={"version": field(shown, "version")}).status_code == 303


def test_a_result_that_is_not_all_of_the_file_is_amber_and_says_how_to_add_the_rest(
    console: Console, stopped: str
) -> None:
    """However it has ended."""

    def amber(page: str) -> bool:
        shown = console.ask("GET", page).text
        file = f'href="/api/v1{page}/rows-not-added.csv">Download the rows that weren’t added</a>'
        return bool(
            re.search('class="notice warning" role="status".*class="results".*' + re.escape(file), shown, re.DOTALL)
        )

    shown = console.ask("GET", stopped).text
    assert re.search('class="notice warning" role="status".*class="results"', shown, re.DOTALL)
    assert "Download the rows" not in shown, "it can be continued"
    file = f'href="/api/v1{stopped}/rows-not-added.csv">Rows not added (.csv)</a>'
    assert file in console.ask("GET", f"{stopped}?show=left").text
    console.ask("POST", f"{stopped}/close", data={"version": field(console.ask("GET", stopped), "version")})
    assert amber(stopped)
    subscription = console.subscription(ANN)
    for content, complete in (
        (f"Groupname,Email,Email\nSales,{ANN},ben@example.com\n", False),
        (f"Groupname,Email,Email\nSales,{ANN},nonsense\n", False),
        (f"Groupname,Email\nSales,{ANN}\nEmpty,\n", False),
        (f"Groupname,Email\nSales,{ANN}\n", True),
    ):
        page = console.reviewing(subscription, content)
        console.start(page)
        console.run(page)
        shown = console.ask("GET", page).text
        assert (amber(page), 'class="notice good"' in shown) == (not complete, complete)
        assert ("rows-not-added.csv" in shown) == (not complete)


def test_over_http(console: Console, stopped: str) -> None:
    client, where = console.client, f"{API}{stopped}"
    assert client.get(f"{where}/rows-not-added.csv").text.splitlines()[1:] == [
        f"Group {number},{ANN},The import was stopped." for number in range(2, 6)
    ]
    version = if_match(client, where)
    assert client.post(f"{where}/close").status_code == 428
    assert client.post(f"{where}/close", headers={"If-Match": '"3"'}).status_code == 412
    for _ in range(2):
        done = client.post(f"{where}/close", headers=version)
        assert (done.status_code, done.json()["state"]) == (200, "closed")
    assert types(client, where)[-2:] == ["CommitStopped", "ImportClosed"]
    refused = client.post(f"{where}/commit", headers={"If-Match": done.headers["etag"]})
    assert (refused.status_code, refused.json()["type"]) == (409, "/problems/wrong-state")
    audited = client.get(f"{where.rsplit('/imports', 1)[0]}/audit?type=ImportClosed").json()
    assert [row["import_id"] for row in audited] == [where.rpartition("/")[2]]
    reasons = [row.rsplit(",", 1)[1] for row in client.get(f"{where}/report.csv").text.splitlines()[1:]]
    assert reasons == ["", *["the import was finished before this group was added"] * 4]
    assert client.get(f"{where}/rows-not-added.csv").text.splitlines()[1:] == [
        f"Group {number},{ANN},The import was finished before this group was added." for number in range(2, 6)
    ]

    plan = client.get(f"{where}/undo")
    assert plan.json()["groups_deleted"] == 1
    assert client.post(f"{where}/undo", headers={"If-Match": plan.headers["etag"]}).status_code == 202
    run = UndoRun(console.rollcall, UUID(where.rpartition("/")[2]))
    while run.run_batch():
        pass
    assert console.rollcall.health.catch_up()
    assert client.get(where).json()["state"] == "undone"
