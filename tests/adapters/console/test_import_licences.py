"""Licences allocated in the review of an import, requested without a browser."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from tests.adapters.api.importing import API
from tests.adapters.console.test_pages import said

if TYPE_CHECKING:
    import httpx

    from tests.adapters.console.conftest import Console

pytestmark = pytest.mark.database

ANN, BEN, CEM = "ann@example.com", "ben@example.com", "cem@example.com"
FILE = f"""email,FirstName,LastName,Groupname,Groupname
{ANN},Ann,Lee,Sales,
{BEN},Ben,Ortega,Sales,Asia
{CEM},,,Asia,
"""


def allocate(console: Console, page: str, **fields: str) -> httpx.Response:
    """Press a button, and return the page that it leads to."""
    answer = console.ask("POST", f"{page}/licences", data={"query": "show=unlicensed", **fields})
    return console.ask("GET", answer.headers["location"]) if answer.status_code == 303 else answer


def seats(console: Console, subscription: str, number: int) -> None:
    assert console.client.patch(f"{API}{subscription}", json={"seats": number}).is_success


def test_they_are_listed_with_their_names_and_allocated_one_by_one_by_group_and_all_at_once(console: Console) -> None:
    subscription = console.subscription()
    seats(console, subscription, 100)
    page = console.reviewing(subscription, FILE)
    shown = console.ask("GET", f"{page}?show=unlicensed")
    assert re.search(rf"{BEN}\s*Ben Ortega", said(shown))
    assert "Allocate 3 licences (100 seats free)" in said(shown)
    assert f'href="/api/v1{page}/unlicensed.csv"' in shown.text
    one = said(allocate(console, page, email=CEM))
    assert "1 licence allocated" in one
    assert "Allocate 2 licences (99 seats free)" in one
    assert "Allocate 1 licence (99 seats free)" in said(console.ask("GET", f"{page}?open=2")), "of the group Asia"
    assert "Allocate 1 licence (98 seats free)" in said(allocate(console, page, group="2"))
    done = said(allocate(console, page))
    assert "Everybody has a licence" in done
    assert "97 seats are free" in done
    assert "Creates 2 groups: 3 users" in console.client.get(f"{API}{page}/plan").json()["text"]
    assert console.client.get(f"{API}{page}/problems?code=email-not-licensed").json() == []
    again = said(allocate(console, page))
    assert "No licences allocated" in again


def test_too_few_seats_say_how_many_are_missing_and_nothing_is_lost(console: Console) -> None:
    subscription = console.subscription()
    page = console.reviewing(subscription, FILE)
    seats(console, subscription, 1)
    shown = said(console.ask("GET", f"{page}?show=unlicensed"))
    assert "2 more seats needed" in shown
    assert "Allocate 3 licences" not in shown
    refused = allocate(console, page)
    assert refused.status_code == 409
    assert "you need 3, and 1 of 1 are free. No licences were allocated. Add 2 more" in said(refused)
    assert f">{BEN}<" in refused.text, "it is still the list"
    assert "1 licence allocated" in said(allocate(console, page, email=BEN))


def test_auditors_see_who_has_none_without_the_buttons(console: Console) -> None:
    page = console.reviewing(console.subscription(), FILE)
    shown = console.ask("GET", f"{page}?show=unlicensed", "auditor")
    assert BEN in said(shown)
    assert 'form="licensing"' not in shown.text
    assert console.ask("POST", f"{page}/licences", "auditor", data={}).status_code == 403


@pytest.mark.parametrize("group", ["x", "-1", "99999999999"])
def test_a_malformed_group_is_invalid(console: Console, group: str) -> None:
    page = console.reviewing(console.subscription(ANN, BEN, CEM), FILE)
    assert console.ask("POST", f"{page}/licences", data={"group": group}).status_code == 400
