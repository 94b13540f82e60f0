"""The plan of an import over HTTP: what adding its groups would do, and a commit that holds to it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.adapters.api.importing import committed, if_match, reaching, subscribed, types, uploaded

if TYPE_CHECKING:
    import httpx

    from tests.adapters.server.serving import Served

pytestmark = pytest.mark.database

ANN, BEN, CEM = "ann@example.com", "ben@example.com", "cem@example.com"
FILE = f"""\
Groupname,Email,Email
Sales,{ANN},{BEN}
Support,{ANN},{CEM}
Strangers,{CEM},
SALES EUROPE,{BEN},
Asia,{ANN},
"""


@pytest.fixture(scope="module")
def client(running: Served) -> httpx.Client:
    return running.client


@pytest.fixture
def subscription(client: httpx.Client) -> str:
    return subscribed(client, ANN, BEN)


@pytest.fixture
def reviewed(client: httpx.Client, subscription: str) -> str:
    """Return an import that would create, join, add to and skip groups."""
    assert client.post(f"{subscription}/groups", json={"name": "sales", "users": [ANN]}).is_success
    where = uploaded(client, subscription, FILE)
    client.patch(f"{where}/groups/4", json={"name": "Support"}, headers=if_match(client, where)).raise_for_status()
    client.put(f"{where}/groups/5/left-out", headers=if_match(client, where)).raise_for_status()
    return where


def test_the_plan_says_what_happens_in_total_and_to_each_group(client: httpx.Client, reviewed: str) -> None:
    answer = client.get(f"{reviewed}/plan")
    plan = answer.json()
    assert answer.headers["etag"] == f'"{plan["version"]}"' == client.get(reviewed).headers["etag"]
    assert plan["groups"] == {
        "creates": 1,
        "adds_to": 1,
        "joins": 1,
        "unchanged": 0,
        "nobody_to_add": 1,
        "left_out": 1,
    }
    assert plan["memberships"] == {"to_add": 3, "already_there": 1, "not_licensed": 2, "removed": 0}
    assert plan["users"] == {"to_add": 2, "already_there": 1, "not_licensed": 1}
    assert plan["text"] == (
        "Creates 1 group and adds users to 1 existing group: 2 users, 3 memberships. 1 group of the file joins another "
        "one of the same name. Leaves out 1 user without a licence. Skips 1 group with nobody to add and 1 that was "
        "left out in the review."
    )
    groups = client.get(f"{reviewed}/groups").json()
    assert [(each["number"], each["outcome"], each["joins"]) for each in groups] == [
        (1, "adds_to", None),
        (2, "creates", None),
        (3, "nobody_to_add", None),
        (4, "joins", 2),
        (5, "left_out", None),
    ]
    counts = ("to_add", "already_there", "not_licensed", "removed")
    assert [[each[count] for count in counts] for each in groups] == [
        [1, 1, 0, 0],
        [1, 0, 1, 0],
        [0, 0, 1, 0],
        [1, 0, 0, 0],
        [0, 0, 0, 0],
    ]


def test_a_commit_with_the_digest_does_what_the_plan_says(client: httpx.Client, reviewed: str) -> None:
    plan = client.get(f"{reviewed}/plan").json()
    headers = if_match(client, reviewed)
    answer = client.post(f"{reviewed}/commit", params={"plan": plan["digest"]}, headers=headers)
    assert answer.status_code == 202, answer.text
    progress = reaching(client, reviewed, "completed")["progress"]
    assert (progress["groups_added"], progress["groups_skipped"], progress["users_added"]) == (3, 2, 3)
    told = [event["text"] for event in client.get(f"{reviewed}/history").json() if event["type"] == "CommitStarted"]
    assert told[0].startswith("Started adding groups: creates 1 group and adds users to 1 existing group: 2 users")
    answer = client.get(f"{reviewed}/plan")
    assert (answer.status_code, answer.json()["type"]) == (409, "/problems/wrong-state")


@pytest.mark.parametrize("what", ["renamed", "revoked"])
def test_a_plan_that_changed_is_refused_before_anything_is_added(
    client: httpx.Client, subscription: str, reviewed: str, what: str
) -> None:
    plan = client.get(f"{reviewed}/plan").json()
    if what == "renamed":
        (group,) = client.get(f"{subscription}/groups").json()
        client.patch(f"{subscription}/groups/{group['id']}", json={"name": "Sales UK"}).raise_for_status()
    else:
        client.delete(f"{subscription}/licences/{BEN}").raise_for_status()
    commit = f"{reviewed}/commit"
    answer = client.post(commit, params={"plan": plan["digest"]}, headers=if_match(client, reviewed))
    assert (answer.status_code, answer.json()["type"]) == (412, "/problems/plan-changed")
    assert "CommitStarted" not in types(client, reviewed)
    changed = client.get(f"{reviewed}/plan").json()
    assert changed["groups"] != plan["groups"]
    answer = client.post(commit, params={"plan": changed["digest"]}, headers=if_match(client, reviewed))
    assert answer.status_code == 202


def test_a_renamed_group_is_shown_with_what_happens_to_it_now(client: httpx.Client, reviewed: str) -> None:
    def rename(number: int, name: str) -> tuple[str, int | None]:
        answer = client.patch(f"{reviewed}/groups/{number}", json={"name": name}, headers=if_match(client, reviewed))
        found = answer.json()
        assert client.get(f"{reviewed}/groups").json()[number - 1] == found
        return found["outcome"], found["joins"]

    assert rename(2, "Sales") == ("unchanged", None)
    assert rename(4, "sales") == ("unchanged", None), "group 1 adds its only user"
    assert rename(4, "Elsewhere") == ("creates", None)


def test_importing_a_file_again_says_so_and_that_nothing_changes(client: httpx.Client, subscription: str) -> None:
    file = f"Groupname,Email,Email\nSales,{ANN},{BEN}\n"
    first = committed(client, uploaded(client, subscription, file, "first.csv"))
    other = subscribed(client, ANN, BEN)
    assert client.get(f"{uploaded(client, other, file)}/plan").json()["same_file_as"] == [], "another subscription's"
    plan = client.get(f"{uploaded(client, subscription, file)}/plan").json()
    assert plan["text"] == "Nothing would change: all 2 users are in the group already."
    (same,) = plan["same_file_as"]
    assert (same["import_id"], same["file_name"], same["state"]) == (first["id"], "first.csv", "completed")
    assert same["uploaded_by"] == first["uploaded_by"]


def test_a_refused_file_has_no_plan(client: httpx.Client, subscription: str) -> None:
    answer = client.post(f"{subscription}/imports", files={"file": ("x.csv", b"x")})
    answer = client.get(f"{answer.headers['location']}/plan")
    assert (answer.status_code, answer.json()["type"]) == (409, "/problems/wrong-state")


def test_the_review_lists_the_groups_with_an_outcome_or_with_a_person(client: httpx.Client, reviewed: str) -> None:
    def numbers(**query: Any) -> list[int]:
        found: list[int] = []
        path, params = f"{reviewed}/groups", {"limit": 1, **query}
        while path:
            answer = client.get(path, params=params or None)
            assert answer.status_code == 200, answer.text
            found += [each["number"] for each in answer.json()]
            path, params = answer.links.get("next", {}).get("url", ""), {}
        return found

    groups = client.get(f"{reviewed}/groups").json()
    for outcome in ("creates", "adds_to", "joins", "unchanged", "nobody_to_add", "left_out"):
        assert numbers(only=outcome) == [each["number"] for each in groups if each["outcome"] == outcome], outcome
    assert numbers(user="CEM@") == [2, 3]
    assert numbers(user="cem", only="nobody_to_add") == [3]
    assert numbers(user="cem", q="supp") == [2]
    assert numbers(user="cem", only="problems") == [2, 3]
    assert numbers(user="nobody") == []
    assert client.delete(reviewed, headers=if_match(client, reviewed)).status_code == 204
    assert client.get(f"{reviewed}/groups", params={"only": "creates"}).json()["type"] == "/problems/wrong-state"


def test_the_users_of_a_group_are_shown_as_they_are_counted(client: httpx.Client, reviewed: str) -> None:
    """Also of one that joins another group of the file, which adds some of its users before."""

    def shown(number: int) -> tuple[list[tuple[str, str]], list[int]]:
        users = client.get(f"{reviewed}/groups/{number}/users").json()
        group = client.get(f"{reviewed}/groups").json()[number - 1]
        counts = [group[each] for each in ("to_add", "already_there", "not_licensed", "removed")]
        return [(user["email"], user["status"]) for user in users], counts

    headers = if_match(client, reviewed)
    edits = [{"edit": "add", "group": 4, "email": email} for email in (ANN, BEN)]
    client.patch(reviewed, json={"edits": edits}, headers=headers).raise_for_status()
    assert shown(4) == ([(BEN, "to_add"), (ANN, "already_in_group")], [1, 1, 0, 0])
    client.put(f"{reviewed}/groups/2/left-out", headers=if_match(client, reviewed)).raise_for_status()
    assert shown(4) == ([(BEN, "to_add"), (ANN, "to_add")], [2, 0, 0, 0]), "group 2 adds nobody any more"
