"""The overview, requested without a browser: the first steps, and the figures with a table beside each chart."""

from __future__ import annotations

import re
from html import unescape
from typing import TYPE_CHECKING

import pytest

from domain.access import ROLLCALL
from tests.adapters.api.importing import API
from tests.adapters.api.tokens import token

if TYPE_CHECKING:
    import httpx

    from tests.adapters.console.conftest import Console

pytestmark = pytest.mark.database

ANN, BEN = "ann@example.com", "ben@example.com"


def said(answer: httpx.Response) -> str:
    return " ".join(unescape(re.sub("<[^>]*>", " ", answer.text)).split())


def next_step(console: Console, subscription: str) -> str:
    """Return the action of the step that is next, or nothing if there are no steps."""
    page = console.ask("GET", f"{subscription}/overview").text
    found = re.findall(r'aria-current="step">.*?class="button primary" href="([^"]*)"', page, re.DOTALL)
    return found[0].removeprefix(subscription) if found else ""


class TestFirstSteps:
    def test_lead_from_licences_to_an_import_and_are_gone_then(self, console: Console) -> None:
        subscription = console.subscription()
        assert next_step(console, subscription) == "/users"
        console.client.post(f"{API}{subscription}/licences", json={"users": [{"email": ANN}]})
        assert next_step(console, subscription) == "/import"
        assert "1 user has a licence" in said(console.ask("GET", f"{subscription}/overview"))
        console.client.post(f"{API}{subscription}/groups", json={"name": "Sales", "users": [ANN]})
        assert next_step(console, subscription) == ""
        assert "First steps" not in said(console.ask("GET", f"{subscription}/overview"))

    def test_begin_with_seats(self, console: Console) -> None:
        subscription = console.subscription()
        changed = console.client.patch(f"{API}{subscription}", json={"seats": 0})
        assert changed.is_success, changed.text
        assert next_step(console, subscription) == "/settings"

    def test_are_an_administrators_to_take(self, console: Console) -> None:
        page = console.ask("GET", f"{console.subscription()}/overview", "auditor")
        assert "An administrator can do this" in said(page)
        assert "button primary" not in page.text

    def test_are_where_a_subscription_begins(self, console: Console) -> None:
        subscription = console.subscription()
        assert console.ask("GET", subscription).headers["location"] == f"{subscription}/overview"


class TestFigures:
    def test_are_those_of_the_subscription_alone(self, console: Console) -> None:
        subscription = console.subscription(ANN, BEN)
        other = console.subscription(ANN, BEN)
        console.client.post(f"{API}{other}/groups", json={"name": "Sales", "users": [ANN, BEN]})
        console.client.post(f"{API}{subscription}/groups", json={"name": "Sales", "users": [ANN]})
        console.client.post(f"{API}{subscription}/groups", json={"name": "Empty", "users": []})
        console.reviewing(subscription, f"Groupname,Email\nDesign,{ANN}\n")
        told = said(console.ask("GET", f"{subscription}/overview"))
        for figure in (
            "Seats taken 2 of 1,000,000",
            "Groups 2",
            "Users in no group 1 of 2 users",
            "0 users 1 1 to 9 users 1 10 to 49 users 0",
            "In review 1",
            "Created group “ Empty ” with 0 users",
        ):
            assert figure in told

    def test_have_a_table_beside_each_chart(self, console: Console) -> None:
        subscription = console.subscription(ANN)
        console.reviewing(subscription, f"Groupname,Email\nDesign,{ANN}\n")
        page = console.ask("GET", f"{subscription}/overview").text
        assert page.count("<svg") == page.count("<caption>") == 2
        assert page.count("<svg") == len(re.findall('<svg[^>]*aria-hidden="true"', page))
        (seats,) = re.findall("<caption>Seats taken by day.*?</table>", page, re.DOTALL)
        assert re.findall("<td>([^<]*)</td>", seats) == ["0"] * 29 + ["1"]
        (imports,) = re.findall("<caption>Imports by day.*?</table>", page, re.DOTALL)
        assert re.findall("<td>([^<]*)</td>", imports) == ["1 in review"]


class TestAnOperator:
    def test_without_a_role_inside_is_told_how_to_give_one(self, console: Console) -> None:
        subscription = console.subscription()
        bearer = {"Authorization": f"Bearer {token(console.rollcall.events, 'operator', ROLLCALL)}"}
        page = console.client.get(f"{subscription}/settings", headers=bearer | {"Accept": "text/html"})
        assert "You have no role inside this subscription" in said(page)
        assert 'href="#access"' in page.text
        assert "no role inside" not in said(console.ask("GET", f"{subscription}/settings"))
