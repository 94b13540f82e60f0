"""Where memberships come from, and what happened to a group, over HTTP."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import quote

import pytest

from tests.adapters.api.importing import committed, reaching, subscribed, uploaded
from tests.adapters.http.test_problems import assert_problem

if TYPE_CHECKING:
    from tests.adapters.server.serving import Served

pytestmark = pytest.mark.database

ANN, BEN = "ann@example.com", "ben@example.com"


def test_memberships_and_histories_say_who_did_what_from_which_cell(running: Served) -> None:
    client, where = running.client, subscribed(running.client, ANN, BEN)
    group = str(client.post(f"{where}/groups", json={"name": "Sales", "users": [ANN]}).headers["Location"])
    importing = uploaded(client, where, f"Groupname,Email,Email\nAsia,{ANN},\nSales,{ANN},{BEN}\n", "people.csv")
    committed(client, importing)
    reaching(client, importing, "completed")
    ann, ben = client.get(f"{group}/users").json()
    assert (ann["email"], ann["added"]["source"]) == (ANN, None)
    source = ben["added"]["source"]
    assert (source["file_name"], source["group"], source["line"], source["column"]) == ("people.csv", 2, 3, 3)
    assert source["import_id"] == importing.rpartition("/")[2]
    asia, sales = client.get(f"{where}/users/{ANN}/groups").json()
    assert (asia["name"], asia["added"]["source"]["line"], sales["added"]["source"]) == ("Asia", 2, None)
    assert ben["added"]["actor"]["name"]

    created, added = client.get(f"{group}/history").json()
    assert (created["type"], created["data"]["users"], created["import_id"]) == ("GroupCreated", [ANN], None)
    assert (added["type"], added["data"]["users"], added["import_group"]) == ("UsersAddedToGroup", [BEN], 2)
    assert added["at"] == ben["added"]["at"]
    page = client.get(f"{group}/history", params={"limit": 1})
    assert client.get(page.links["next"]["url"]).json() == [added]
    client.delete(group)
    assert client.get(f"{group}/history").json()[-1]["type"] == "GroupDeleted"
    assert_problem(client.get(f"{where}/groups/{source['import_id']}/history"), 404, "not-found")

    events = client.get(f"{importing}/history").json()
    assert [each["data"]["users"] for each in events if each["type"] == "GroupAdded"] == [[ANN], [BEN]]


@pytest.mark.parametrize("address", ["r&d?", "no#1", "100%25", "a/b", "a//b", "`{|}", "анна"])
def test_pages_of_any_address_lead_on(running: Served, address: str) -> None:
    """In a URI, these characters mean something else, or nothing, unless they are encoded (RFC 3986, section 2.2)."""
    client, email = running.client, f"{address}@example.com"
    where = subscribed(client, email)
    for name in ("Asia", "Sales"):
        client.post(f"{where}/groups", json={"name": name, "users": [email]})
    page = client.get(f"{where}/users/{quote(email, safe='')}/groups", params={"limit": 1})
    (following,) = client.get(page.links["next"]["url"]).json()
    assert (page.json()[0]["name"], following["name"]) == ("Asia", "Sales")
