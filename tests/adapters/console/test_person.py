"""Forgetting a person in the console: what is held, what is erased, typing the address, and what was done."""

from __future__ import annotations

import re
from html import unescape
from typing import TYPE_CHECKING
from urllib.parse import quote

import pytest

from tests.adapters.api.importing import API
from tests.adapters.console.test_pages import said

if TYPE_CHECKING:
    from tests.adapters.console.conftest import Console

pytestmark = pytest.mark.database

ANN, BEN = "ann@example.com", "ben@example.com"
FILE = f"Groupname,Email\nSales,{ANN}\nSales,{BEN}\n"


def test_a_person_is_forgotten_once_their_address_is_typed(console: Console) -> None:
    subscription = console.subscription(ANN, BEN)
    page = console.reviewing(subscription, FILE)
    path = f"{subscription}/persons/forget"
    user = console.ask("GET", f"{subscription}/users/{ANN}").text
    assert f'href="{path}?email={quote(ANN, safe="")}"' in user
    assert path not in console.ask("GET", f"{subscription}/users/{ANN}", "auditor").text
    shown = console.ask("GET", path, params={"email": f" {ANN.upper()} "})
    assert f"Forget {ANN}" in said(shown)
    assert "The person loses their licence and all groups." in said(shown)
    assert "1 uploaded file that names them is erased as a whole." in said(shown)
    assert f'href="/api/v1{subscription}/persons/{ANN}/export"' in shown.text
    refused = console.ask("POST", path, data={"email": ANN, "confirm": BEN})
    assert (refused.status_code, f"The address that you typed isn’t {ANN}. Nothing was erased." in said(refused)) == (
        400,
        True,
    )
    assert console.client.get(f"{API}{page}/file").text == FILE
    done = console.ask("POST", path, data={"email": ANN, "confirm": ANN.upper()})
    assert done.status_code in {202, 303}
    assert console.rollcall.health.catch_up()
    listed = console.ask("GET", path)
    assert "forgotten-" in said(listed)
    assert ANN not in listed.text
    assert console.client.get(f"{API}{page}/file").status_code == 410
    assert "It named a person who was forgotten." in said(console.ask("GET", page))
    again = console.ask("POST", path, data={"email": ANN, "confirm": ANN}, follow_redirects=True)
    assert "Nothing in this subscription names that person any more." in said(again)


def test_addresses_that_a_review_corrected_to_the_persons_are_pointed_out(console: Console) -> None:
    subscription = console.subscription(ANN)
    page = console.reviewing(subscription, "Groupname,Email\nSales,an@example.com\n")
    corrected = {"edits": [{"edit": "correct", "old": "an@example.com", "new": ANN}]}
    assert console.client.patch(f"{API}{page}", json=corrected, headers={"If-Match": '"2"'}).status_code == 200
    shown = console.ask("GET", f"{subscription}/persons/forget", params={"email": ANN})
    assert "Mistyped addresses that a review corrected to this one" in said(shown)
    (link,) = re.findall(r'<a href="([^"]+)">review corrected</a>', shown.text)
    assert "Corrected “an@example.com” to ann@example.com" in said(console.ask("GET", unescape(link)))


def test_an_address_that_is_none_is_asked_for_again(console: Console) -> None:
    path = f"{console.subscription(ANN)}/persons/forget"
    assert "Nobody was forgotten in this subscription." in said(console.ask("GET", path))
    refused = console.ask("GET", path, params={"email": "ann"})
    assert (refused.status_code, 'value="ann"' in refused.text, 'aria-invalid="true"' in refused.text) == (
        400,
        True,
        True,
    )


def test_a_running_import_that_names_the_person_is_told_and_nothing_is_lost(console: Console) -> None:
    subscription = console.subscription(ANN, BEN)
    page = console.reviewing(subscription, FILE)
    console.start(page)
    refused = console.ask("POST", f"{subscription}/persons/forget", data={"email": ANN, "confirm": ANN})
    assert refused.status_code == 409
    assert "is adding groups or being undone, and names this person" in said(refused)
    assert console.client.get(f"{API}{subscription}/licences/{ANN}").status_code == 200
    console.run(page)


def test_who_wants_to_be_forgotten_in_a_closed_subscription_is_led_to_its_erasure(console: Console) -> None:
    subscription = console.subscription(ANN)
    console.ask("POST", f"{subscription}/settings/close", data={"confirmed": "Contoso", "reason": ""})
    shown = console.ask("GET", f"{subscription}/persons/forget", params={"email": ANN})
    assert "You can’t forget a single person in a closed subscription." in said(shown)
    assert f'href="{subscription}/settings#erase"' in shown.text
    assert f'href="/api/v1{subscription}/persons/{ANN}/export"' in shown.text
    assert 'name="confirm"' not in shown.text
