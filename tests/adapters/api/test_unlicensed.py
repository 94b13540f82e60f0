"""The users of an import without a licence: listed, downloaded, and given one."""

from __future__ import annotations

import csv
import io
from typing import TYPE_CHECKING

import pytest

from tests.adapters.api.importing import API, if_match, subscribed, uploaded, whole
from tests.adapters.http.test_problems import assert_problem

if TYPE_CHECKING:
    import httpx

    from tests.adapters.server.serving import Served

pytestmark = pytest.mark.database

ANN, BEN, CEM, DAN = "ann@example.com", "ben@example.com", "cem@example.com", "dan@example.com"
FILE = f"""email,FirstName,LastName,Groupname,Groupname
{ANN},Ann,Lee,Sales,
{BEN},Ben,=1+1,Sales,Asia
{CEM},,,Asia,
{DAN},,,Lost,
"""


@pytest.fixture
def client(running: Served) -> httpx.Client:
    return running.client


@pytest.fixture
def imported(client: httpx.Client) -> str:
    """Return an import in which Ann has a licence, and Dan's group is left out."""
    where = uploaded(client, subscribed(client, ANN), FILE)
    assert client.put(f"{where}/groups/3/left-out", headers=if_match(client, where)).is_success
    return where


def test_they_are_a_list_in_pages_and_a_licence_file(client: httpx.Client, imported: str) -> None:
    rows = whole(client, f"{imported}/unlicensed?limit=1")
    assert rows == [
        {"email": BEN, "first_name": "Ben", "last_name": "=1+1", "licensed_as": ""},
        {"email": CEM, "first_name": "", "last_name": "", "licensed_as": ""},
    ]
    file = client.get(f"{imported}/unlicensed.csv")
    assert file.headers["content-type"].startswith("text/csv")
    assert list(csv.reader(io.StringIO(file.text.removeprefix("\ufeff")))) == [
        ["email", "FirstName", "LastName"],
        [BEN, "Ben", "'=1+1"],
        [CEM, "", ""],
    ]
    where = imported.partition("/imports/")[0]
    answer = client.post(f"{where}/licences", content=file.content, headers={"Content-Type": "text/csv"})
    assert answer.json()["allocated"] == 2
    assert client.get(f"{imported}/unlicensed").json() == []


def test_they_are_a_problem_of_the_import(client: httpx.Client, imported: str) -> None:
    (problem,) = client.get(f"{imported}/problems").json()
    assert (problem["code"], problem["severity"], problem["count"]) == ("email-not-licensed", "error", 2)
    assert (problem["line"], problem["column"], problem["header"], problem["value"]) == (3, 1, "email", BEN)
    assert problem["examples"] == [
        {"line": 3, "column": 1, "value": BEN},
        {"line": 4, "column": 1, "value": CEM},
    ]
    assert f"“{BEN}” on line 3" in problem["message"]
    assert client.get(f"{imported}/problems?severity=warning").json() == []


def test_they_get_licences_by_group_by_address_or_all(client: httpx.Client, imported: str) -> None:
    where = f"{imported}/unlicensed"

    def allocate(**body: object) -> tuple[object, object]:
        answer = client.post(where, json=body)
        assert answer.status_code == 200, answer.text
        found: dict[str, object] = answer.json()
        assert found["refused"] == []
        return found["allocated"], found["already_allocated"]

    assert allocate(group=1) == (1, 0)
    assert allocate(emails=[BEN.upper(), CEM]) == (1, 1)
    assert allocate() == (0, 0)
    licence = client.get(f"{imported.partition('/imports/')[0]}/licences/{BEN}").json()
    assert (licence["first_name"], licence["last_name"]) == ("Ben", "=1+1")
    assert client.get(f"{imported}/groups/1/users").json()[1]["status"] == "to_add"
    assert_problem(client.post(where, json={"emails": ["nobody@example.com"]}), 404, "not-found")
    assert_problem(client.post(where, json={"group": 9}), 404, "not-found")


def test_a_repeated_request_allocates_once(client: httpx.Client, imported: str) -> None:
    key = {"Idempotency-Key": "once"}
    assert client.post(f"{imported}/unlicensed", json={}, headers=key).json()["allocated"] == 2
    subscription = imported.partition("/imports/")[0]
    assert client.delete(f"{subscription}/licences/{CEM}").is_success
    assert client.post(f"{imported}/unlicensed", json={}, headers=key).json()["allocated"] == 0
    assert [each["email"] for each in client.get(f"{imported}/unlicensed").json()] == [CEM]
    audited = client.get(f"{subscription}/audit", params={"type": "LicencesAllocated"}).json()
    assert audited[0]["import_id"] == imported.rpartition("/")[2]


def test_too_few_seats_are_refused_for_all(client: httpx.Client) -> None:
    subscription = subscribed(client, seats=1)
    where = uploaded(client, subscription, FILE)
    answer = client.post(f"{where}/unlicensed", json={})
    assert_problem(answer, 409, "seats-exceeded")
    assert "Add 3 more" in answer.json()["detail"]
    assert client.get(f"{API}{subscription.removeprefix(API)}/licences").json() == []


def test_of_a_group_based_file_they_have_the_places_of_their_first_cells(client: httpx.Client) -> None:
    where = uploaded(client, subscribed(client, ANN), f"Groupname,Email,Email\nSales,{ANN},{CEM}\nAsia,{CEM},{BEN}\n")
    (problem,) = client.get(f"{where}/problems").json()
    assert [(each["line"], each["column"], each["value"]) for each in problem["examples"]] == [(2, 3, CEM), (3, 3, BEN)]


def test_of_a_refused_file_there_is_no_list(client: httpx.Client) -> None:
    where = client.post(f"{subscribed(client)}/imports", files={"file": ("a.csv", "x,y\n")}).headers["location"]
    assert client.get(f"{where}/unlicensed").status_code == 404
