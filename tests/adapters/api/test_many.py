"""Many changes by one request: a plan that only tells, and then exactly that."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.adapters.api.importing import subscribed
from tests.adapters.http.test_problems import assert_problem

if TYPE_CHECKING:
    import httpx

    from tests.adapters.server.serving import Served

pytestmark = pytest.mark.database

ANN, BEN, CEM = "ann@example.com", "ben@example.com", "cem@example.com"


@pytest.fixture
def client(running: Served) -> httpx.Client:
    return running.client


@pytest.fixture
def home(client: httpx.Client) -> str:
    home = subscribed(client, ANN, BEN, CEM)
    for name, users in (("Sales", [ANN, BEN]), ("Sales Asia", [ANN]), ("Support", [CEM])):
        assert client.post(f"{home}/groups", json={"name": name, "users": users}).is_success
    return home


def asked(client: httpx.Client, path: str, body: dict[str, Any], **query: Any) -> dict[str, Any]:
    answer = client.post(path, json=body, params=query)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def names(client: httpx.Client, home: str) -> list[str]:
    return [each["name"] for each in client.get(f"{home}/groups").json()]


def test_groups_are_deleted_as_planned(client: httpx.Client, home: str) -> None:
    path, body = f"{home}/groups/delete", {"q": "sales"}
    plan = asked(client, path, body, plan=True)
    assert plan["text"] == "Deletes 2 groups; 2 users leave them."
    assert (plan["groups"], plan["users"], plan["memberships"], plan["done"]) == (2, 2, 3, None)
    assert len(names(client, home)) == 3
    client.post(f"{home}/groups", json={"name": "Presales"})
    assert_problem(client.post(path, json=body, params={"digest": plan["digest"]}), 412, "plan-changed")
    assert len(names(client, home)) == 4
    digest = asked(client, path, body, plan=True)["digest"]
    done = asked(client, path, body, digest=digest)
    assert (done["done"], done["not_done"], done["kept"]) == (3, 0, [])
    assert names(client, home) == ["Support"]


def test_a_request_goes_on_where_the_one_before_ended_unless_something_else_changed(
    client: httpx.Client, home: str
) -> None:
    path, body = f"{home}/groups/delete", {"q": ""}
    plan = asked(client, path, body, plan=True, limit=1)
    assert (plan["groups"], plan["remaining"], plan["done"]) == (3, 2, None)
    first = asked(client, path, body, digest=plan["digest"], limit=1)
    assert (first["done"], first["remaining"], names(client, home)) == (1, 2, ["Sales Asia", "Support"])
    assert_problem(client.post(path, json=body, params={"digest": plan["digest"], "limit": 1}), 412, "plan-changed")
    second = asked(client, path, body, digest=first["digest"], limit=1)
    assert (second["groups"], second["done"], second["remaining"]) == (2, 1, 1)
    support = client.get(f"{home}/groups").json()[0]["id"]
    client.patch(f"{home}/groups/{support}", json={"name": "Helpdesk"})
    assert_problem(client.post(path, json=body, params={"digest": second["digest"]}), 412, "plan-changed")
    again = asked(client, path, body, plan=True)
    last = asked(client, path, body, digest=again["digest"])
    assert (last["done"], last["remaining"], names(client, home)) == (1, 0, [])


def test_licences_and_memberships_go_in_several_requests(client: httpx.Client, home: str) -> None:
    sales = client.get(f"{home}/groups").json()[0]["id"]
    for path, limit in ((f"{home}/groups/{sales}/users/remove", 1), (f"{home}/licences/revoke", 2)):
        answer = asked(client, path, {"q": ""}, plan=True, limit=limit)
        done = 0
        while answer["remaining"] or answer["done"] is None:
            answer = asked(client, path, {"q": ""}, digest=answer["digest"], limit=limit)
            done += answer["done"]
        assert done == {1: 2, 2: 3}[limit], path
    assert client.get(f"{home}/licences").json() == []


def test_what_is_asked_for_but_not_there_is_told(client: httpx.Client, home: str) -> None:
    """Another subscription's group is no different from one that doesn't exist."""
    stranger = subscribed(client)
    theirs = client.post(f"{stranger}/groups", json={"name": "Theirs"}).json()["id"]
    ours = client.get(f"{home}/groups").json()[0]["id"]
    done = asked(client, f"{home}/groups/delete", {"ids": [theirs, ours]})
    assert (done["done"], done["missing"]) == (1, [theirs])
    assert names(client, stranger) == ["Theirs"]
    for body in ({}, {"q": "", "ids": []}):
        assert_problem(client.post(f"{home}/groups/delete", json=body), 400, "invalid", "ids")
    assert len(names(client, home)) == 2


def test_licences_are_revoked_and_users_removed(client: httpx.Client, home: str) -> None:
    sales = client.get(f"{home}/groups").json()[0]["id"]
    removing, body = f"{home}/groups/{sales}/users/remove", {"emails": ["BEN@example.com", CEM]}
    assert asked(client, removing, body, plan=True)["text"].startswith("Removes 1 user from this group.")
    done = asked(client, removing, body)
    assert (done["done"], done["missing"]) == (1, [CEM])
    assert [each["email"] for each in client.get(f"{home}/groups/{sales}/users").json()] == [ANN]
    revoking = f"{home}/licences/revoke"
    assert asked(client, revoking, {"q": "", "only": "no_group"}, plan=True)["text"] == (
        "Revokes 1 licence; the user is in no group."
    )
    plan = asked(client, revoking, {"emails": [ANN, CEM, "nobody@example.com"]}, plan=True)
    assert plan["text"] == "Revokes 2 licences; the users leave 3 groups."
    assert asked(client, revoking, {"q": ""})["done"] == 3
    assert client.get(f"{home}/licences").json() == []
    assert {each["users"] for each in client.get(f"{home}/groups").json()} == {0}
