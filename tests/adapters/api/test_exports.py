from __future__ import annotations

import csv
import io
from typing import TYPE_CHECKING, Any

import pytest
from msgspec import json

from adapters.api.exports import FILES
from tests.adapters.api.importing import committed, subscribed, uploaded
from tests.adapters.http.test_problems import assert_problem

if TYPE_CHECKING:
    import httpx

    from tests.adapters.server.serving import Served

pytestmark = pytest.mark.database

ANN, BEN = "ann@example.com", "ben@example.com"


@pytest.fixture
def client(running: Served) -> httpx.Client:
    return running.client


def rows(client: httpx.Client, path: str, **query: str) -> list[list[str]]:
    answer = client.get(path, params=query)
    assert (answer.status_code, answer.headers["content-type"]) == (200, "text/csv; charset=utf-8"), answer.text
    return list(csv.reader(io.StringIO(answer.content.decode("utf-8-sig"))))


def test_groups_users_and_changes_are_downloaded(client: httpx.Client) -> None:
    home = subscribed(client, ANN, BEN)
    where = uploaded(client, home, f"Groupname,Email,Email\nSales,{ANN},{BEN}\nAsia,{ANN}\n")
    committed(client, where)
    assert rows(client, f"{home}/export/groups-group-based.csv") == [
        ["Groupname", "Email", "Email"],
        ["Asia", ANN, ""],
        ["Sales", ANN, BEN],
    ]
    assert rows(client, f"{home}/export/groups-user-based.csv") == [
        ["email", "FirstName", "LastName", "Groupname", "Groupname"],
        [ANN, "", "", "Asia", "Sales"],
        [BEN, "", "", "Sales", ""],
    ]
    (_, sales) = client.get(f"{home}/groups").json()
    users = rows(client, f"{home}/groups/{sales['id']}/users.csv")
    assert users == rows(client, f"{home}/export/users.csv")
    assert users == [["email", "FirstName", "LastName"], [ANN, "", ""], [BEN, "", ""]]
    changes = rows(client, f"{home}/export/audit.csv", type="GroupCreated")
    assert [row[4] for row in changes[1:]] == ["GroupCreated"] * 2
    of_sales = rows(client, f"{home}/export/audit.csv", group_id=sales["id"], type="group-created")
    assert [row[5] for row in of_sales[1:]] == ["Created group “Sales” with 2 users"]
    answer = client.get(f"{home}/export/audit.ndjson?type=GroupCreated&type=LicencesAllocated")
    assert answer.headers["content-type"].startswith("application/x-ndjson")
    assert [json.decode(line)["type"] for line in answer.text.splitlines()] == [
        *["GroupCreated"] * 2,
        *["LicencesAllocated"] * 2,
    ]
    request = changes[1][changes[0].index("request_id")]
    assert rows(client, f"{home}/export/audit.csv", request_id=request, type="GroupCreated") == changes
    assert answer.headers["content-disposition"] == 'attachment; filename="audit.ndjson"'


def test_there_is_nothing_else_to_export(client: httpx.Client) -> None:
    home = subscribed(client, ANN)
    for file in FILES:
        assert client.get(f"{home}/export/{file}").status_code == 200, file
    assert_problem(client.get(f"{home}/export/imports.csv"), 404, "not-found")
    assert_problem(client.get(f"{home}/export/users.csv", params={"actor": "ann"}), 400, "invalid", "file")


def test_groups_are_listed_by_size_date_and_import(client: httpx.Client) -> None:
    """In any order, and in pages that omit nothing and repeat nothing."""
    home = subscribed(client, ANN, BEN)
    where = uploaded(client, home, f"Groupname,Email,Email\nSales,{ANN},{BEN}\nAsia,{ANN}\nÉquipe,{ANN}\n")
    committed(client, where)
    assert client.post(f"{home}/groups", json={"name": "Empty"}).status_code == 201

    def names(**query: Any) -> list[str]:
        found, path, params = list[str](), f"{home}/groups", {"limit": 1, **query}
        while path:
            answer = client.get(path, params=params or None)
            assert answer.status_code == 200, answer.text
            found += [group["name"] for group in answer.json()]
            path, params = answer.links.get("next", {}).get("url", ""), {}
        return found

    by_name = ["Asia", "Empty", "Sales", "Équipe"]
    assert names() == by_name
    assert names(sort="-name") == by_name[::-1]
    assert names(sort="-users")[0] == "Sales"
    assert names(sort="users") == names(sort="-users")[::-1] == names(min_users=0)
    assert names(sort="created")[-1] == "Empty"
    assert names(sort="-created") == names(sort="created")[::-1]
    assert names(min_users=2) == ["Sales"]
    assert names(max_users=0) == ["Empty"]
    import_id = where.rsplit("/", 1)[1]
    assert names(import_id=import_id) == ["Asia", "Sales", "Équipe"]
    assert names(import_id=import_id, q="s", sort="users") == ["Asia", "Sales"]
    created = next(group for group in client.get(f"{home}/groups").json() if group["name"] == "Empty")["created_at"]
    assert names(**{"from": created}) == ["Empty"]
    assert names(to=created, sort="name") == ["Asia", "Sales", "Équipe"]
    assert_problem(client.get(f"{home}/groups", params={"sort": "size"}), 400, "invalid", "sort")


def test_imports_and_users_are_listed_by_what_matters(client: httpx.Client) -> None:
    home = subscribed(client, ANN, BEN)
    committed(client, uploaded(client, home, f"Groupname,Email\nSales,{ANN}\n"))
    where = uploaded(client, home, f"Groupname,Email\nAsia,{ANN}\n")
    newest = client.get(where).json()

    def ids(**query: Any) -> list[str]:
        return [each["id"] for each in client.get(f"{home}/imports", params=query).json()]

    every = ids()
    assert ids(state="reviewing") == ids(**{"from": newest["uploaded_at"]}) == [newest["id"]]
    assert ids(state="completed") == ids(to=newest["uploaded_at"]) == every[1:]
    assert ids(actor=newest["uploaded_by"]["id"]) == ids(q=newest["file_name"][:3].upper()) == every
    assert ids(actor="nobody") == ids(q="nothing like it") == []
    assert [each["email"] for each in client.get(f"{home}/licences", params={"only": "no_group"}).json()] == [BEN]
    users = [{"email": "cem@example.com", "last_name": "Kaya"}]
    assert client.post(f"{home}/licences", json={"users": users}).is_success
    nameless = client.get(f"{home}/licences", params={"only": "no_name", "q": "ann"}).json()
    assert [each["email"] for each in nameless] == [ANN]


@pytest.mark.parametrize("wanted", ["bytes=1-", "bytes=40000-", "Bytes = 007-9"])
def test_the_rest_of_a_file_is_refused(client: httpx.Client, wanted: str) -> None:
    """It would be joined to what may have changed (findings/wget-joins-halves-of-two-files.sh)."""
    where = uploaded(client, subscribed(client, ANN), f"Groupname,Email\nSales,{ANN}\n")
    home = where.partition("/imports")[0]
    for path in (f"{home}/export/users.csv", f"{home}/licences", f"{where}/report.csv", f"{where}/file"):
        assert_problem(client.get(path, headers={"Range": wanted}), 400, "invalid", "Range")


@pytest.mark.parametrize(
    "headers",
    [
        {"Range": "bytes=0-"},
        {"Range": "bytes=00-99"},
        {"Range": "bytes=-500"},
        {"Range": "rows=2-"},
        {"Range": "bytes=40-", "If-Range": '"1"'},
    ],
)
def test_other_ranges_are_answered_with_the_whole_file(client: httpx.Client, headers: dict[str, str]) -> None:
    path = f"{subscribed(client, ANN)}/export/users.csv"
    whole = client.get(path)
    answer = client.get(path, headers=headers)
    assert (answer.status_code, answer.content) == (200, whole.content)
