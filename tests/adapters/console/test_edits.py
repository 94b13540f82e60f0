"""The forms that edit a review, requested without a browser: each says what it did and offers to take that back."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.adapters.console.test_groups import field
from tests.adapters.console.test_pages import said

if TYPE_CHECKING:
    import httpx

    from tests.adapters.console.conftest import Console

pytestmark = pytest.mark.database

ANN, BEN, CEM = "ann@example.com", "ben@example.com", "cem@example.com"
FILE = f"Groupname,Email,Email\nSales,{ANN},cem(at)example.com\nEurope,{BEN},cem(at)example.com\n"


@pytest.fixture
def review(console: Console) -> str:
    return console.reviewing(console.subscription(ANN, BEN, CEM), FILE)


def submit(console: Console, review: str, form: str, query: str = "", **fields: str) -> httpx.Response:
    """Submit a form with the version that its page shows; return the page that follows or says why not."""
    version = field(console.ask("GET", review), "version")
    answer = console.ask("POST", f"{review}/{form}", data={"version": version, "query": query, **fields})
    if answer.status_code != 303:
        return answer
    shown = answer.headers["location"]
    assert f"edited={version}" in shown
    return console.ask("GET", shown)


def test_a_bad_address_is_corrected_at_its_problem(console: Console, review: str) -> None:
    problems = f"{review}?show=problems"
    assert "Correct…" in said(console.ask("GET", problems))
    assert "Correct…" not in said(console.ask("GET", problems, "auditor"))
    form = console.ask("GET", f"{problems}&fix=p0")
    assert 'value="cem(at)example.com"' in form.text
    fields = {"old": "cem(at)example.com", "fix": "p0"}
    refused = submit(console, review, "correct", "show=problems", new="cem@", **fields)
    assert refused.status_code == 400
    assert 'value="cem@"' in refused.text
    assert "There is nothing after the @-sign." in said(refused)
    done = submit(console, review, "correct", "show=problems", new=CEM, **fields)
    assert f"Corrected “cem(at)example.com” to {CEM} in 2 groups of the file. Undo" in " ".join(said(done).split())
    assert "No problems in this file" in said(done)
    group = console.ask("GET", f"{review}?open=1")
    assert "In the file: cem(at)example.com" in said(group)
    assert "Creates 2 groups: 3 users, 4 memberships" in " ".join(said(group).split())
    back = submit(console, review, "correct", reset="1", new=CEM, **fields)
    assert "Took back the correction of “cem(at)example.com” in 2 groups of the file" in said(back)


def test_users_are_added_removed_and_put_back(console: Console, review: str) -> None:
    added = submit(console, review, "groups/1/add", "open=1", email=CEM.upper())
    assert f"Added {CEM} to group “Sales” of the file" in said(added)
    assert "added in this review" in said(added)
    refused = submit(console, review, "groups/1/add", "open=1", email="nobody")
    assert (refused.status_code, 'value="nobody"' in refused.text) == (400, True)
    removed = submit(console, review, "groups/1/remove", "open=1", email=ANN)
    assert f"Put {ANN} back into this group" in removed.text
    restored = submit(console, review, "groups/1/restore", "open=1", email=ANN)
    assert f"Put {ANN} back into group “Sales” of the file" in said(restored)
    assert f"Put {ANN} back into this group" not in restored.text


def test_an_edit_is_taken_back_and_that_too(console: Console, review: str) -> None:
    renamed = submit(console, review, "groups/1/rename", "open=1", name="Other")
    assert "Renamed group “Sales” of the file to “Other”" in said(renamed)
    since = field(renamed, "since")
    back = submit(console, review, "edits/undo", "open=1", since=since)
    assert "Renamed group “Other” of the file back to “Sales”" in said(back)
    again = submit(console, review, "edits/undo", since=field(back, "since"))
    assert "Renamed group “Sales” of the file to “Other”" in said(again)
    assert console.ask("POST", f"{review}/edits/undo", data={"version": "2", "since": "2"}).status_code == 412


def test_it_is_not_offered_what_others_have_edited(console: Console, review: str) -> None:
    submit(console, review, "groups/1/leave-out")
    assert 'name="since"' in console.ask("GET", f"{review}?edited=2").text
    assert 'name="since"' not in console.ask("GET", review).text
    console.client.request("PATCH", f"/api/v1{review}/groups/2", json={"name": "Asia"}, headers={"If-Match": '"3"'})
    assert console.rollcall.health.catch_up()
    assert 'name="since"' not in console.ask("GET", f"{review}?edited=2").text
