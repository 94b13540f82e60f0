"""What is held of a person, and forgetting them, over HTTP."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import quote

import pytest

from tests.adapters.api.importing import subscribed, uploaded
from tests.adapters.http.test_problems import assert_problem
from tests.waiting import eventually

if TYPE_CHECKING:
    from tests.adapters.server.serving import Served

pytestmark = pytest.mark.database

ANN, BEN = "ann@example.com", "ben@example.com"
FILE = f"email,FirstName,LastName,Groupname\n{BEN},Ben,Low,Sales\n{ANN.upper()},Ann,Lee,Sales\n"


@pytest.fixture
def subscription(running: Served) -> str:
    """Return the path of a subscription in which Ann is in a group, and in the file of an import."""
    where = subscribed(running.client, ANN, BEN)
    running.client.post(f"{where}/groups", json={"name": "Board", "users": [ANN, BEN]})
    return where


def test_what_is_held_of_a_person(running: Served, subscription: str) -> None:
    where = uploaded(running.client, subscription, FILE, "users.csv")
    held = running.client.get(f"{subscription}/persons/{quote(ANN.upper())}/export").json()
    assert held["email"] == ANN
    assert held["licence"]["first_name"] == ""
    assert [(each["name"], each["until"]) for each in held["memberships"]] == [("Board", None)]
    assert [each["type"] for each in held["records"]] == ["LicencesAllocated", "GroupCreated"]
    assert held["records"][1]["text"] == "Created group “Board” with 2 users"
    changes = running.client.get(f"{subscription}/audit", params={"email": ANN}).json()
    named, listed = ([(each["stream"], each["version"]) for each in told] for told in (held["records"], changes))
    assert named == listed[::-1]
    assert "position" not in held["records"][0]
    (found,) = held["imports"]
    assert (found["id"], found["file_name"], found["first_name"]) == (where[-36:], "users.csv", "Ann")
    assert found["cells"] == [{"line": 3, "column": 4, "group": "Sales"}]
    nothing = running.client.get(f"{subscription}/persons/nobody@example.com/export").json()
    assert (nothing["licence"], nothing["records"], nothing["imports"]) == (None, [], [])
    assert running.client.get(f"{subscription}/persons/{ANN}").status_code == 404
    downloads = {"type": "file-downloaded"}
    eventually(
        lambda: len(running.client.get(f"{subscription}/audit", params=downloads).json()) == len((ANN, "nobody"))
    )
    assert ANN not in running.client.get(f"{subscription}/audit", params=downloads).text


def test_a_person_is_forgotten(running: Served, subscription: str) -> None:
    where = uploaded(running.client, subscription, FILE, "users.csv")
    path = f"{subscription}/persons/forget"
    plan = running.client.post(path, params={"plan": True}, json={"email": ANN}).json()
    assert (plan["person"], plan["imports"], plan["files"], plan["licence"]) == (None, 1, 1, True)
    assert running.client.get(f"{where}/file").text == FILE
    done = running.client.post(path, json={"email": ANN})
    assert done.status_code in {200, 202}
    person = done.json()["person"]
    eventually(lambda: running.client.post(path, json={"email": ANN}).status_code == 200)
    assert_problem(running.client.get(f"{where}/file"), 410, "file-erased")
    assert [each["email"] for each in running.client.get(f"{where}/groups/1/users").json()] == [BEN, person]
    assert [each["email"] for each in running.client.get(f"{subscription}/licences").json()] == [BEN]
    changes = running.client.get(f"{subscription}/audit", params={"type": "person-forgotten"}).json()
    assert [each["type"] for each in changes] == ["PersonForgotten"]
    told = running.client.get(f"{subscription}/events").json()
    assert (told[-1]["type"], told[-1]["data"]["person"]) == ("person.forgotten", person)
    assert told[-1]["data"]["events"][0] == told[0]["id"]
    assert ANN not in running.client.get(f"{subscription}/audit").text
    held = running.client.get(f"{subscription}/persons/{ANN}/export").json()
    assert (held["records"], held["memberships"], held["imports"]) == ([], [], [])


def test_an_address_that_is_none_is_refused(running: Served, subscription: str) -> None:
    assert_problem(running.client.post(f"{subscription}/persons/forget", json={"email": "ann"}), 400, "email-invalid")
