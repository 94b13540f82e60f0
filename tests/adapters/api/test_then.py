"""What there was at a time, over HTTP."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.adapters.api.importing import subscribed
from tests.adapters.http.test_problems import assert_problem

if TYPE_CHECKING:
    from tests.adapters.server.serving import Served

pytestmark = pytest.mark.database

ANN, BEN = "ann@example.com", "o'b/n@example.com"


class History:
    """A group that was created, added to, renamed and deleted, and a licence that was revoked; and when."""

    def __init__(self, running: Served) -> None:
        self.client = running.client
        self.where = subscribed(self.client, ANN, BEN)
        self.group = str(self.client.post(f"{self.where}/groups", json={"name": "Sales"}).headers["Location"])
        self.client.post(f"{self.group}/users", json={"emails": [ANN, BEN]})
        self.client.patch(self.group, json={"name": "Vertrieb"})
        self.client.delete(f"{self.where}/licences/{BEN}")
        self.client.delete(self.group)
        changes = self.client.get(f"{self.where}/audit").json()
        self.times = {change["type"]: change["at"] for change in changes}

    def get(self, path: str, at: str = "", **query: Any) -> Any:
        answer = self.client.get(path, params={**query, **({"at": self.times[at]} if at else {})})
        assert answer.is_success, answer.text
        return answer.json()

    def groups(self, at: str = "") -> list[tuple[str, int]]:
        return [(each["name"], each["users"]) for each in self.get(f"{self.where}/groups", at)]

    def users(self, at: str) -> list[str]:
        return [each["email"] for each in self.get(f"{self.group}/users", at)]

    def licensed(self, at: str = "") -> list[str]:
        return [each["email"] for each in self.get(f"{self.where}/licences", at)]

    def groups_of(self, email: str, at: str) -> list[str]:
        return [each["name"] for each in self.get(f"{self.where}/users/{email.replace('/', '%2F')}/groups", at)]


@pytest.fixture
def history(running: Served) -> History:
    return History(running)


def test_groups_are_told_as_they_were(history: History) -> None:
    assert history.groups("LicencesAllocated") == []
    assert history.groups("GroupCreated") == [("Sales", 0)]
    assert history.groups("UsersAddedToGroup") == [("Sales", 2)]
    assert history.groups("GroupNameChanged") == [("Vertrieb", 2)]
    assert history.groups("LicencesRevoked") == [("Vertrieb", 1)]
    assert history.groups("GroupDeleted") == history.groups() == []
    largest = history.get(f"{history.where}/groups", "GroupNameChanged", q="vert", min_users=2, sort="-users")
    assert [each["id"] for each in largest] == [history.group.rpartition("/")[2]]
    assert history.get(history.group, "UsersAddedToGroup")["name"] == "Sales"
    assert_problem(history.client.get(history.group), 404, "not-found")


def test_users_of_a_group_and_groups_of_a_user_are_told_as_they_were(history: History) -> None:
    assert history.users("GroupCreated") == []
    assert history.users("GroupNameChanged") == [ANN, BEN]
    assert history.users("LicencesRevoked") == [ANN]
    early = {"at": history.times["SubscriptionCreated"]}
    assert_problem(history.client.get(f"{history.group}/users", params=early), 404, "not-found")
    assert history.groups_of(BEN, "GroupCreated") == []
    assert history.groups_of(BEN, "UsersAddedToGroup") == ["Sales"]
    assert history.groups_of(ANN, "LicencesRevoked") == ["Vertrieb"]
    assert_problem(history.client.get(f"{history.where}/users/{BEN.replace('/', '%2F')}/groups"), 404, "not-found")
    assert_problem(history.client.get(f"{history.where}/users/{ANN}"), 404, "not-found")


def test_licences_are_told_as_they_were(history: History) -> None:
    assert history.licensed("SubscriptionCreated") == []
    assert history.licensed("LicencesAllocated") == [ANN, BEN]
    assert history.licensed("LicencesRevoked") == history.licensed() == [ANN]
    revoked = f"{history.where}/licences/{BEN.replace('/', '%2F')}"
    assert history.get(revoked, "GroupCreated")["email"] == BEN
    assert_problem(history.client.get(revoked), 404, "not-found")


def test_only_a_time_that_has_passed_can_be_asked_for(history: History) -> None:
    for at in ("9000-01-01T00:00:00Z", "2026-03-01", "2026-03-01T00:00:00", "yesterday", ""):
        for path in ("groups", "licences", f"users/{ANN}/groups"):
            answer = history.client.get(f"{history.where}/{path}", params={"at": at})
            assert_problem(answer, 400, "invalid", "at")
    assert history.client.get(f"{history.where}/groups", params={"at": "1970-01-01T00:00:00Z"}).json() == []


def test_a_page_leads_to_the_next_one_of_the_same_time(history: History) -> None:
    asked = {"at": history.times["GroupCreated"], "limit": "1"}
    answer = history.client.get(f"{history.where}/licences", params=asked)
    assert [each["email"] for each in history.client.get(answer.links["next"]["url"]).json()] == [BEN]
