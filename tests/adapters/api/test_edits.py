"""Several edits of a review in one request, and what follows from them: the review, the plan, and what is added."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.adapters.api.importing import committed, if_match, reaching, subscribed, types, uploaded, whole

if TYPE_CHECKING:
    import httpx

    from tests.adapters.server.serving import Served

pytestmark = pytest.mark.database

ANN, BEN, CEM, DAN = (f"{name}@example.com" for name in ("ann", "ben", "cem", "dan"))
FILE = f"Groupname,Email,Email,Email\nSales,{ANN},eve@@example.com,{BEN}\nEurope,anne@example.com,eve@@example.com,\n"


@pytest.fixture(scope="module")
def client(running: Served) -> httpx.Client:
    return running.client


@pytest.fixture
def where(client: httpx.Client) -> str:
    """Return an import in which one address is none, and another one has no licence."""
    return uploaded(client, subscribed(client, ANN, BEN, CEM, DAN), FILE)


def edited(client: httpx.Client, where: str, *edits: dict[str, Any], **headers: str) -> httpx.Response:
    return client.patch(where, json={"edits": edits}, headers=headers or if_match(client, where))


def users(client: httpx.Client, where: str, number: int) -> list[tuple[str, str, str, int | None]]:
    rows = whole(client, f"{where}/groups/{number}/users?limit=2")
    return [(row["email"], row["status"], row["in_file"], row["line"]) for row in rows]


def test_an_import_is_put_right_and_added(client: httpx.Client, where: str) -> None:
    before = client.get(f"{where}/plan").json()
    answer = edited(
        client,
        where,
        {"edit": "correct", "old": "eve@@example.com", "new": CEM},
        {"edit": "correct", "old": "Anne@example.com", "new": ANN},
        {"edit": "add", "group": 2, "email": DAN},
        {"edit": "remove", "group": 1, "email": BEN},
        {"edit": "rename", "group": 2, "name": "EMEA"},
    )
    assert (answer.status_code, answer.json()["version"]) == (200, 7)
    assert answer.headers["etag"] == '"7"'
    assert whole(client, f"{where}/problems") == []
    assert users(client, where, 1) == [
        (ANN, "to_add", "", 2),
        (BEN, "removed", "", 2),
        (CEM, "to_add", "eve@@example.com", None),
    ]
    emea = [
        (ANN, "to_add", "anne@example.com", 3),
        (CEM, "to_add", "eve@@example.com", None),
        (DAN, "to_add", "", None),
    ]
    assert users(client, where, 2) == emea
    review = [(row["users"], row["to_add"], row["problems"]) for row in whole(client, f"{where}/groups")]
    assert review == [(2, 2, 0), (3, 3, 0)]
    assert [row["number"] for row in whole(client, f"{where}/groups?user=dan@")] == [2]
    first = whole(client, f"{where}/groups?version=2")
    assert [(row["users"], row["problems"]) for row in first] == [(2, 1), (1, 1)], "as it was"
    plan = client.get(f"{where}/plan").json()
    assert plan["digest"] != before["digest"]
    assert plan["memberships"] == {"to_add": 5, "already_there": 0, "not_licensed": 0, "removed": 1}
    committed(client, where)
    subscription = where.rsplit("/imports", 1)[0]
    groups = {group["name"]: group["id"] for group in whole(client, f"{subscription}/groups")}
    members = [row["email"] for row in whole(client, f"{subscription}/groups/{groups['EMEA']}/users")]
    assert members == [ANN, CEM, DAN]
    rows = [row.split(",", 6) for row in client.get(f"{where}/report.csv").text.splitlines()[1:]]
    outcomes = [(row[3], row[4], row[5]) for row in rows]
    assert ("Europe", "anne@example.com", "added") in outcomes
    assert ("Europe", DAN, "added") in outcomes
    renamed = "renamed to “EMEA” in the review"
    assert [(row[0], row[4], row[6]) for row in rows if row[3] == "Europe"] == [
        ("3", "anne@example.com", f"{renamed}; corrected to {ANN} in the review"),
        ("3", "eve@@example.com", f"{renamed}; corrected to {CEM} in the review"),
        ("0", DAN, f"{renamed}; added in the review"),
    ]


def test_a_row_that_was_corrected_does_not_count_as_one_that_could_not_be_read(
    client: httpx.Client, where: str
) -> None:
    def not_read() -> list[int]:
        subscription = where.rsplit("/imports", 1)[0]
        counted = [client.get(where).json(), client.get(f"{subscription}/imports").json()[0]]
        return [
            *(each["counts"]["rows_not_read"] for each in counted),
            client.get(f"{where}/plan").json()["rows_not_read"],
        ]

    correct = {"edit": "correct", "old": "eve@@example.com"}
    assert not_read() == [2, 2, 2]
    assert edited(client, where, {**correct, "new": CEM, "group": 2}).is_success
    assert not_read() == [1, 1, 1]
    assert edited(client, where, {**correct, "new": CEM}).is_success
    assert not_read() == [0, 0, 0]
    assert edited(client, where, {**correct, "new": None}).is_success
    assert not_read() == [2, 2, 2]
    answer = edited(client, where, {**correct, "new": CEM})
    assert answer.json()["counts"]["rows_not_read"] == 0
    answer = client.post(f"{where}/commit", headers={"If-Match": answer.headers["etag"]})
    assert answer.json()["counts"]["rows_not_read"] == 0
    assert reaching(client, where, "completed")["counts"]["rows_not_read"] == 0


def test_the_history_names_the_groups_and_both_names_of_a_renamed_one(client: httpx.Client, where: str) -> None:
    edits: list[dict[str, Any]] = [
        {"edit": "leave_out", "group": 1},
        {"edit": "rename", "group": 2, "name": "EMEA"},
        {"edit": "leave_out", "group": 2},
        {"edit": "take_in", "group": 2},
        {"edit": "remove", "group": 2, "email": "anne@example.com"},
        {"edit": "correct", "old": BEN, "new": DAN},
    ]
    assert edited(client, where, *edits).is_success
    assert [event["text"] for event in whole(client, f"{where}/history")][2:] == [
        "Left group “Sales” of the file out",
        "Renamed group “Europe” of the file to “EMEA”",
        "Left group “EMEA” (“Europe” in the file) out",
        "Took group “EMEA” (“Europe” in the file) in again",
        "Removed anne@example.com from group “EMEA” of the file",
        f"Corrected “{BEN}” to {DAN} in group “Sales” of the file",
    ]


def test_all_or_none_and_the_problem_says_which(client: httpx.Client, where: str) -> None:
    answer = edited(
        client, where, {"edit": "leave_out", "group": 1}, {"edit": "correct", "old": "eve@@example.com", "new": "eve@"}
    )
    problem = answer.json()
    assert (answer.status_code, problem["type"], problem["field"]) == (400, "/problems/email-invalid", "edits[1]")
    answer = edited(client, where, {"edit": "restore", "group": 1, "email": CEM}, {"edit": "take_in", "group": 1})
    assert (answer.status_code, answer.json()["field"]) == (404, "edits[0]")
    assert types(client, where) == ["FileUploaded", "FormatDetected"]


@pytest.mark.parametrize(
    "edits",
    [[], [{"edit": "rename", "group": 1}], [{"edit": "delete", "group": 1}], [{"edit": "leave_out", "group": "1"}]],
)
def test_what_is_no_edit_is_400(client: httpx.Client, where: str, edits: list[dict[str, Any]]) -> None:
    assert edited(client, where, *edits).status_code == 400


def test_they_need_the_version_that_was_seen(client: httpx.Client, where: str) -> None:
    edit = {"edit": "leave_out", "group": 1}
    assert client.patch(where, json={"edits": [edit]}).status_code == 428
    assert edited(client, where, edit, **{"If-Match": '"1"'}).status_code == 412
    assert edited(client, where, edit).status_code == 200
    repeated = edited(client, where, edit, **{"If-Match": '"2"'})
    assert (repeated.status_code, repeated.headers["etag"]) == (200, '"3"')


def test_what_was_edited_is_taken_back_by_null(client: httpx.Client, where: str) -> None:
    plan = client.get(f"{where}/plan").json()
    rename = {"edit": "rename", "group": 1}
    correct = {"edit": "correct", "old": "eve@@example.com"}
    edited(client, where, rename | {"name": "Other"}, correct | {"new": CEM})
    edited(client, where, rename | {"name": None}, correct | {"new": None})
    assert client.get(f"{where}/plan").json()["digest"] == plan["digest"]
    texts = [row["text"] for row in whole(client, f"{where}/history")][2:]
    assert texts == [
        "Renamed group “Sales” of the file to “Other”",
        f"Corrected “eve@@example.com” to {CEM} in 2 groups of the file",
        "Renamed group “Other” of the file back to “Sales”",
        "Took back the correction of “eve@@example.com” in 2 groups of the file",
    ]
    subscription = where.rsplit("/imports", 1)[0]
    audited = [row["type"] for row in whole(client, f"{subscription}/audit?email={CEM}")]
    assert audited == ["AddressCorrected", "LicencesAllocated"]
