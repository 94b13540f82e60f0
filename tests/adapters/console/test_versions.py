"""The page of an import as it stood at a version, requested without a browser."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from urllib.parse import urlencode
from uuid import uuid4

import pytest

from tests.adapters.api.importing import API, if_match, send
from tests.adapters.console.test_pages import said
from tests.adapters.console.test_undo import press_undo, run_undo

if TYPE_CHECKING:
    from typing import Any

    import httpx

    from tests.adapters.console.conftest import Console

pytestmark = pytest.mark.database

ANN, BEN, CEM = "ann@example.com", "ben@example.com", "cem@example.com"
FILE = f"Groupname,Email,Email\nSales,{ANN},ann(at)example.com\nSupport,{ANN},{BEN}\nAsia,{BEN},nobody@example.com\n"
EDITS = (
    {"edit": "rename", "group": 1, "name": "Vertrieb"},
    {"edit": "remove", "group": 2, "email": BEN},
    {"edit": "add", "group": 2, "email": CEM},
    {"edit": "correct", "old": "ann(at)example.com", "new": BEN},
    {"edit": "leave_out", "group": 3},
    {"edit": "take_in", "group": 3},
)


@pytest.fixture(scope="module")
def imported(console: Console) -> str:
    """Return the page of an import that was edited, added, stopped, continued and undone, one version for each step."""
    page = console.reviewing(console.subscription(ANN, BEN, CEM), FILE, "people.csv")
    for edit in EDITS:
        answer = console.client.patch(API + page, json={"edits": [edit]}, headers=if_match(console.client, API + page))
        assert answer.is_success, answer.text
    console.start(page)
    console.run(page, batches=1)
    assert console.client.post(f"{API}{page}/stop").is_success
    console.start(page)
    console.run(page)
    press_undo(console, page)
    run_undo(console, page)
    return page


def history(console: Console, page: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = console.client.get(f"{API}{page}/history").json()
    return found


def group_row(answer: httpx.Response, number: int) -> str:
    """Return what a page says of a group."""
    found = re.search(f'<tr id="group-{number}">(.*?)</tr>', answer.text, re.DOTALL)
    assert found
    return " ".join(re.sub("<[^>]*>", " ", found[1]).split())


def test_each_version_says_what_it_changed_who_did_it_and_when(console: Console, imported: str) -> None:
    events = history(console, imported)
    assert len(events) > 15
    for event in events:
        answer = console.ask("GET", f"{imported}/versions?version={event['version']}", "auditor")
        assert answer.status_code == 200
        text = said(answer)
        assert f"Version {event['version']} of {len(events)}" in text
        assert event["text"] in text
        assert event["actor"]["name"] in text
        assert event["request_id"] in text
        assert text.count("Changed: ") == len(event["change"]["groups"])


@pytest.mark.parametrize(
    ("version", "group", "told"),
    [
        (3, 1, "Vertrieb in the file: Sales Changed: Renamed from “Sales” Creates 1 to add"),
        (4, 2, "Support Changed: Removed ben@example.com Creates 1 to add, 1 removed"),
        (5, 2, "Support Changed: Added cem@example.com Creates 2 to add, 1 removed"),
        (
            6,
            1,
            "Vertrieb in the file: Sales Changed: Corrected “ann(at)example.com” to ben@example.com Creates 2 to add",
        ),
        (7, 3, "Asia Changed: Left out Left out Show users"),
        (8, 3, "Asia Changed: Taken in again Creates 1 to add, 1 without a licence"),
        (8, 1, "Vertrieb in the file: Sales Creates 2 to add"),
        (2, 1, "Sales Creates 1 to add"),
    ],
)
def test_groups_are_as_they_stood_and_those_that_changed_are_marked(
    console: Console, imported: str, version: int, group: int, told: str
) -> None:
    assert group_row(console.ask("GET", f"{imported}/versions?version={version}"), group) == told


def test_groups_that_were_added_say_what_became_of_them_until_then(console: Console, imported: str) -> None:
    versions = {(each["type"], each["data"].get("group")): each["version"] for each in history(console, imported)}
    page = console.ask("GET", f"{imported}/versions?version={versions['GroupAdded', 1]}")
    assert group_row(page, 1).startswith("Vertrieb in the file: Sales Changed: Created with 2 users Created 2 added")
    assert "Remaining" in group_row(page, 2)
    stopped = console.ask("GET", f"{imported}/versions?version={versions['CommitStopped', None]}")
    assert "Stopped: 1 group added, 2 remaining" in said(stopped)
    assert "Created" in group_row(stopped, 1)
    assert "Remaining" in group_row(stopped, 3)
    undone = console.ask("GET", f"{imported}/versions?version={versions['GroupUndone', 1]}")
    assert "Changed: Deleted again Deleted" in group_row(undone, 1)
    assert "Created" in group_row(undone, 2)


def test_a_group_leads_to_its_users_of_then(console: Console, imported: str) -> None:
    added = next(each["version"] for each in history(console, imported) if each["type"] == "GroupAdded")
    page = console.ask("GET", f"{imported}/versions?version={added}")
    found = re.search('href="(/subscriptions/[^"]*/groups/[^"]*at=[^"]*)"', page.text)
    assert found
    group = console.ask("GET", found[1])
    assert group.status_code == 200
    assert "As of" in said(group)
    assert ANN in said(group)


def test_totals_are_those_of_then_and_say_what_they_were_before(console: Console, imported: str) -> None:
    text = " ".join(said(console.ask("GET", f"{imported}/versions?version=4")).split())
    assert "3 was 4 memberships" in text
    assert "Removed in the review1 was 0" in text
    first = " ".join(said(console.ask("GET", f"{imported}/versions?version=2")).split())
    assert "4 memberships" in first
    assert " was " not in first


def test_the_users_of_a_group_are_those_of_then_with_a_mark(console: Console, imported: str) -> None:
    removed = said(console.ask("GET", f"{imported}/versions?version=4&open=2"))
    assert re.search(r"ben@example.com\s+Changed: Removed ben@example.com", removed)
    assert CEM not in removed
    added = said(console.ask("GET", f"{imported}/versions?version=5&open=2"))
    assert re.search(r"cem@example.com\s+Changed: Added cem@example.com\s+added in the review", added)


def test_links_lead_to_the_first_previous_next_and_latest_version(console: Console, imported: str) -> None:
    last = len(history(console, imported))
    for version, steps in ((1, {"next": 2, "last": last}), (4, {"first": 1, "prev": 3, "next": 5, "last": last})):
        page = console.ask("GET", f"{imported}/versions?version={version}&q=a&user=ann")
        found = re.findall(r'<a href="\?version=([0-9]+)&amp;q=a&amp;user=ann" rel="([a-z]+)"', page.text)
        assert {rel: int(to) for to, rel in found} == steps
    latest = console.ask("GET", f"{imported}/versions")
    assert 'rel="next"' not in latest.text
    assert f"Version {last} of {last}" in said(latest)


def test_groups_can_be_searched_by_name_and_person(console: Console, imported: str) -> None:
    for version, with_s in ((2, 3), (12, 2)):
        for query, groups in (({"q": "s"}, with_s), ({"q": "su"}, 1), ({"user": "nobody"}, 1), ({"q": "x"}, 0)):
            page = console.ask("GET", f"{imported}/versions?{urlencode({'version': version, **query})}")
            assert page.text.count('<tr id="group-') == groups, (version, query)
    assert "Vertrieb" in said(console.ask("GET", f"{imported}/versions?version=3&q=vert"))
    assert "No such groups" in said(console.ask("GET", f"{imported}/versions?version=2&q=vert"))


def test_a_time_leads_to_the_version_that_stood_then(console: Console, imported: str) -> None:
    events = history(console, imported)
    page = console.ask("GET", f"{imported}/versions?{urlencode({'at': events[2]['at']})}")
    assert f"Version 3 of {len(events)}" in said(page)
    assert "You see it as of" in said(page)
    early = said(console.ask("GET", f"{imported}/versions?at=2020-01-31"))
    assert "There was no such import yet" in early
    assert f"Version 1 of {len(events)}" in early
    assert f"Version {len(events)} of" in said(console.ask("GET", f"{imported}/versions?at={events[0]['at'][:10]}"))


def test_what_was_not_asked_for_rightly_says_why(console: Console, imported: str) -> None:
    both = console.ask("GET", f"{imported}/versions?version=2&at=2026-01-31")
    assert both.status_code == 400
    assert "Enter a version or a time, not both." in said(both)
    assert console.ask("GET", f"{imported}/versions?version=99999").status_code == 404
    assert console.ask("GET", f"{imported}/versions?at=2999-01-31").status_code == 400
    assert console.ask("GET", f"{imported.rpartition('/')[0]}/{uuid4()}/versions").status_code == 404


def test_a_file_that_was_refused_has_versions_without_groups(console: Console) -> None:
    subscription = console.subscription(ANN)
    where = send(console.client, API + subscription, "email,Vorname\n", "refused.csv").headers["location"]
    assert console.rollcall.health.catch_up()
    page = where.removeprefix(API)
    assert "The file wasn’t read yet" in said(console.ask("GET", f"{page}/versions?version=1"))
    refused = said(console.ask("GET", f"{page}/versions"))
    assert "Version 2 of 2" in refused
    assert "The file was refused" in refused


def test_it_can_be_reached_from_the_import_and_from_each_line_of_its_history(console: Console, imported: str) -> None:
    assert f'href="{imported}/versions"' in console.ask("GET", imported, "auditor").text
    page = console.ask("GET", f"{imported}/history", "auditor")
    assert 'href="versions"' in page.text
    for event in history(console, imported):
        assert f'href="versions?version={event["version"]}"' in page.text
