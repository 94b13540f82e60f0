"""Groups by hand over HTTP: create, rename, delete, add and remove users."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest

from adapters.postgres.wakeups import ReadableViews
from tests.adapters.api.importing import subscribed
from tests.adapters.http.test_problems import assert_problem
from tests.adapters.server.serving import Served, asked
from tests.conftest import working

if TYPE_CHECKING:
    import httpx

    from adapters.composition import Rollcall

pytestmark = pytest.mark.database

ANN, BEN, CEM = "ann@example.com", "ben@example.com", "cem@example.com"


@pytest.fixture
def groups(running: Served) -> str:
    """Return the path of the groups of a subscription in which Ann and Ben have licences."""
    return f"{subscribed(running.client, ANN, BEN)}/groups"


def created(running: Served, groups: str, name: str = "Sales", *users: str, key: str | None = None) -> httpx.Response:
    headers = {"Idempotency-Key": key} if key is not None else {}
    return running.client.post(groups, json={"name": name, "users": list(users)}, headers=headers)


def made(running: Served, groups: str, name: str = "Sales", *users: str) -> str:
    """Create a group, and return its path."""
    return created(running, groups, name, *users).headers["Location"]


def users_of(running: Served, where: str) -> list[str]:
    return [each["email"] for each in running.client.get(f"{where}/users").json()]


def told(running: Served, groups: str) -> list[dict[str, Any]]:
    """Return the events for other systems."""
    found: list[dict[str, Any]] = running.client.get(groups.removesuffix("groups") + "events").json()
    return found


def test_a_group_is_created_and_shown(running: Served, groups: str) -> None:
    answer = created(running, groups, " Sales  Europe ", "ANN@example.com", BEN)
    assert answer.status_code == 201
    assert answer.json() == running.client.get(answer.headers["Location"]).json()
    assert (answer.json()["name"], answer.json()["users"], answer.json()["import_id"]) == ("Sales Europe", 2, None)
    assert users_of(running, answer.headers["Location"]) == [ANN, BEN]
    assert running.client.post(groups, json={"name": "Empty"}).json()["users"] == 0


def test_the_same_key_creates_once_and_shows_the_current_state(running: Served, groups: str) -> None:
    first = created(running, groups, "Sales", ANN, key="a")
    where = first.headers["Location"]
    running.client.patch(where, json={"name": "Europe"})
    again = created(running, groups, "Sales", ANN, key="a")
    assert (again.status_code, again.headers["Location"], again.json()["name"]) == (201, where, "Europe")
    assert_problem(created(running, groups, "Sales", BEN, key="a"), 422, "key-reused")
    assert created(running, groups, "Sales", ANN, key="b").headers["Location"] != where
    running.client.delete(where)
    assert_problem(created(running, groups, "Sales", ANN, key="a"), 404, "not-found")


def test_a_taken_or_invalid_name_is_refused(running: Served, groups: str) -> None:
    where = made(running, groups, "Sales")
    other = made(running, groups, "Other")
    for answer in (created(running, groups, "SALES "), running.client.patch(other, json={"name": "sales"})):
        assert "“" in assert_problem(answer, 409, "group-name-taken")["detail"]
    for answer in (created(running, groups, "\u202e"), running.client.patch(where, json={"name": "\u202e"})):
        assert_problem(answer, 400, "group-name-invalid")
    assert_problem(running.client.post(groups, json={"name": ""}), 400, "invalid", "name")
    assert_problem(running.client.post(groups, json={}), 400, "invalid", "name")


def test_a_group_is_renamed(running: Served, groups: str) -> None:
    where = made(running, groups, "Sales", ANN)
    answer = running.client.patch(where, json={"name": "SALES"})
    assert (answer.status_code, answer.json()["name"], answer.json()["users"]) == (200, "SALES", 1)
    for _ in range(2):
        assert running.client.patch(where, json={"name": "Europe"}).json()["name"] == "Europe"
    assert created(running, groups, "sales").status_code == 201
    assert [(each["type"], each["data"]) for each in told(running, groups)[1:3]] == [
        ("group.renamed", {"old_name": "Sales", "name": "SALES"}),
        ("group.renamed", {"old_name": "SALES", "name": "Europe"}),
    ]
    assert [each["type"] for each in told(running, groups)[3:]] == ["group.created"]


def test_a_group_is_deleted_permanently(running: Served, groups: str) -> None:
    where = made(running, groups, "Sales", ANN)
    answer = running.client.delete(where)
    assert (answer.status_code, answer.content) == (204, b"")
    assert running.client.get(groups).json() == []
    assert told(running, groups)[-1]["data"] == {"name": "Sales"}
    assert made(running, groups, "Sales") != where


def test_a_client_that_repeats_a_deletion_by_itself_is_not_told_that_it_failed(running: Served, groups: str) -> None:
    """As most do after a lost answer, without being asked to: DELETE is idempotent (RFC 9110, section 9.2.2)."""
    where = made(running, groups, "Sales", ANN)
    assert [running.client.delete(where).status_code for _ in range(2)] == [204, 204]
    assert [each["type"] for each in told(running, groups)].count("group.deleted") == 1
    foreign = f"{subscribed(running.client, ANN)}/groups/{where.rpartition('/')[2]}"
    assert_problem(running.client.delete(foreign), 404, "not-found")


def test_users_join_and_the_answer_says_who(running: Served, groups: str) -> None:
    where = made(running, groups, "Sales", ANN)
    answer = running.client.post(f"{where}/users", json={"emails": ["BEN@example.com", ANN, BEN]})
    assert (answer.status_code, answer.json()) == (200, {"added": [BEN], "already_there": [ANN]})
    again = running.client.post(f"{where}/users", json={"emails": [BEN]})
    assert again.json() == {"added": [], "already_there": [BEN]}
    assert (users_of(running, where), running.client.get(where).json()["users"]) == ([ANN, BEN], 2)
    assert [each["type"] for each in told(running, groups)] == ["group.created", "group.users_added"]


def test_users_are_added_once_under_one_key(running: Served, groups: str) -> None:
    where, key = made(running, groups), {"Idempotency-Key": "a"}
    assert running.client.post(f"{where}/users", json={"emails": [ANN]}, headers=key).json()["added"] == [ANN]
    running.client.delete(f"{where}/users/{ANN}")
    again = running.client.post(f"{where}/users", json={"emails": [ANN]}, headers=key)
    assert again.json() == {"added": [], "already_there": []}
    other = running.client.post(f"{where}/users", json={"emails": [BEN]}, headers=key)
    assert_problem(other, 422, "key-reused")


def test_one_user_who_cannot_be_added_is_named_and_none_are_added(running: Served, groups: str) -> None:
    where = made(running, groups)
    many = [f"stranger{number}@example.com" for number in range(8)]
    for answer in (
        running.client.post(f"{where}/users", json={"emails": [ANN, *many]}),
        created(running, groups, "New", *many, ANN),
    ):
        problem = assert_problem(answer, 409, "not-licensed")
        assert problem["emails"] == many
        assert "“stranger4@example.com” and 3 more" in problem["detail"]
    for answer in (
        running.client.post(f"{where}/users", json={"emails": [ANN, "nobody", "a\u0000b"]}),
        created(running, groups, "New", "nobody", "a\u0000b"),
    ):
        assert assert_problem(answer, 400, "email-invalid")["emails"] == ["nobody", "a\\x00b"]
    assert users_of(running, where) == []
    assert len(running.client.get(groups).json()) == 1


def test_a_user_is_removed_from_a_group(running: Served, groups: str) -> None:
    where = made(running, groups, "Sales", ANN, BEN)
    for address in ("ANN@example.com", ANN, "nobody"):
        assert running.client.delete(f"{where}/users/{address}").status_code == 204
    assert_problem(running.client.delete(f"{where}/users/%00"), 400, "invalid", "email")
    assert (users_of(running, where), running.client.get(where).json()["users"]) == ([BEN], 1)
    assert [each["type"] for each in told(running, groups)] == ["group.created", "group.users_removed"]
    assert told(running, groups)[-1]["data"] == {"users": [ANN]}


def test_a_missing_a_foreign_and_a_deleted_group_are_answered_alike(running: Served, groups: str) -> None:
    foreign = made(running, f"{subscribed(running.client, ANN)}/groups", "Sales", ANN).rpartition("/")[2]
    deleted = made(running, groups, "Deleted").rpartition("/")[2]
    running.client.delete(f"{groups}/{deleted}")
    for group in (str(uuid4()), foreign, deleted):
        for answer in (
            running.client.get(f"{groups}/{group}"),
            running.client.patch(f"{groups}/{group}", json={"name": "Sales"}),
            running.client.get(f"{groups}/{group}/users"),
            running.client.post(f"{groups}/{group}/users", json={"emails": [ANN]}),
            running.client.delete(f"{groups}/{group}/users/{ANN}"),
        ):
            assert assert_problem(answer, 404, "not-found")["detail"] == f"There is no group {group}."
    for group in (str(uuid4()), foreign):
        assert_problem(running.client.delete(f"{groups}/{group}"), 404, "not-found")
    assert_problem(created(running, f"/api/v1/subscriptions/{uuid4()}/groups"), 404, "not-found")


def test_a_change_that_is_not_visible_yet_is_202_with_its_location(
    idle: Rollcall, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ReadableViews, "wait", lambda *_: False)
    subscription = asked(idle, "POST", "/api/v1/subscriptions", json={"name": "Contoso", "seats": 10}).headers
    where = subscription["Location"]
    with working(idle):
        idle.health.catch_up()
    asked(idle, "POST", f"{where}/licences", json={"users": [{"email": ANN}, {"email": BEN}]})
    group = asked(idle, "POST", f"{where}/groups", json={"name": "Sales"}).headers["Location"]
    added = asked(idle, "POST", f"{group}/users", json={"emails": [ANN, BEN]})
    assert (added.status_code, added.headers["Location"]) == (202, f"{group}/users")
    assert added.json() == {"added": [ANN, BEN], "already_there": []}
    for method, path, body in (
        ("PATCH", where, {"json": {"seats": 9}}),
        ("PATCH", group, {"json": {"name": "Europe"}}),
        ("DELETE", f"{group}/users/{BEN}", {}),
        ("DELETE", f"{where}/licences/{ANN}", {}),
    ):
        answer = asked(idle, method, path, **body)
        assert (answer.status_code, answer.headers["Location"]) == (202, path)
    with working(idle):
        idle.health.catch_up()
    shown = asked(idle, "GET", group).json()
    assert (shown["name"], shown["users"]) == ("Europe", 0)
    assert asked(idle, "GET", where).json()["seats_taken"] == 1
