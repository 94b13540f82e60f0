"""Access over HTTP: granting roles, and what each role can see."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from adapters.http import security
from adapters.memory.ports import AlwaysReadable
from application.granting import Person, grant_access, revoke_access
from domain.access import ROLLCALL, Role
from tests.adapters.api.importing import committed, lines, subscribed, uploaded
from tests.adapters.api.tokens import SUBSCRIPTIONS, scope_of
from tests.adapters.http.test_problems import assert_problem
from tests.conftest import subscribed as recorded
from tests.conftest import working

if TYPE_CHECKING:
    from collections.abc import Callable

    import httpx

    from adapters.composition import Rollcall
    from tests.adapters.server.serving import Served

pytestmark = pytest.mark.database

ANN, BEN, CEM = "ann@example.com", "ben@example.com", "cem@example.com"


class TestAccess:
    def test_is_granted_listed_page_by_page_and_revoked(
        self, as_: Callable[[Role], httpx.Client], subscription: str
    ) -> None:
        client, where = as_("administrator"), f"{subscription}/access"
        for email, role in ((BEN, "consumer"), (ANN, "consumer"), (ANN, "auditor")):
            answer = client.post(where, json={"email": f" {email.upper()} ", "role": role})
            assert (answer.status_code, answer.json()["email"], answer.json()["role"]) == (201, email, role)
        assert answer.json()["granted_by"]["kind"] == "administrator"
        again = client.post(where, json={"email": ANN, "role": "auditor"})
        assert (again.status_code, again.json()) == (200, answer.json())
        first = client.get(f"{where}?limit=2")
        second = client.get(first.links["next"]["url"])
        assert [(row["email"], row["role"]) for row in first.json() + second.json()] == [
            (ANN, "auditor"),
            (ANN, "consumer"),
            (BEN, "consumer"),
        ]
        assert client.delete(f"{where}/{ANN}?role=auditor").status_code == 204
        assert [row["role"] for row in client.get(where).json()] == ["consumer", "consumer"]
        assert client.delete(f"{where}/{BEN}").status_code == 204
        assert client.delete(f"{where}/{BEN}").status_code == 204, "it is done already"
        assert [row["email"] for row in client.get(where).json()] == [ANN]
        audited = [row["text"] for row in client.get(f"{subscription}/audit").json()]
        assert audited[:2] == [f"Revoked the consumer role from {BEN}", f"Revoked the auditor role from {ANN}"]

    @pytest.mark.parametrize("email", ["a/b@example.com", "o'neil+x@example.com", "zoë@example.com", "%@example.com"])
    def test_of_any_address_can_be_revoked(
        self, as_: Callable[[Role], httpx.Client], subscription: str, email: str
    ) -> None:
        client, where = as_("administrator"), f"{subscription}/access"
        assert client.post(where, json={"email": email, "role": "auditor"}).status_code == 201
        quoted = email.replace("%", "%25").replace("/", "%2F")
        assert client.delete(f"{where}/{quoted}").status_code == 204
        assert client.get(where).json() == []

    def test_to_more_than_a_subscription_cannot_be_granted_there(
        self, as_: Callable[[Role], httpx.Client], subscription: str
    ) -> None:
        for role in ("administrator", "operator"):
            asks = {"email": ANN, "role": "operator"}
            assert_problem(as_(role).post(f"{subscription}/access", json=asks), 400, "invalid", "role")
        zero = f"{SUBSCRIPTIONS}/{ROLLCALL}/access"
        assert as_("operator").post(zero, json={"email": ANN, "role": "auditor"}).status_code == 404
        assert as_("operator").get(zero).status_code == 404


class TestSubscriptions:
    def test_are_shown_to_those_who_may_read_them(
        self, running: Served, as_: Callable[[Role], httpx.Client], subscription: str
    ) -> None:
        def seen(role: Role) -> list[str]:
            return [f"{SUBSCRIPTIONS}/{row['id']}" for row in as_(role).get(f"{SUBSCRIPTIONS}?limit=1000").json()]

        assert seen("administrator") == seen("auditor") == [subscription]
        assert seen("consumer") == []
        assert subscription in seen("operator")
        assert subscribed(running.client) in seen("operator")

    def test_of_a_person_disappear_at_once_even_while_the_view_is_behind(self, idle: Rollcall) -> None:
        first, second, third = (recorded(replace(idle, readable=AlwaysReadable())) for _ in range(3))
        person = Person(ANN, "Ann")
        readers: frozenset[Role] = frozenset(("administrator", "auditor"))
        with working(idle):
            grant_access(idle, first, ANN, "auditor")
            grant_access(idle, second, ANN, "administrator")
            grant_access(idle, third, ANN, "consumer")
            assert idle.health.catch_up()
        assert set(security.scopes_with(idle, person, readers)) == {first.subscription_id, second.subscription_id}
        revoke_access(replace(idle, readable=AlwaysReadable()), second, ANN)
        assert security.scopes_with(idle, person, readers) == [first.subscription_id]
        assert security.scopes_with(idle, Person(BEN, "Ben"), readers) == []


class TestOperators:
    def test_read_what_they_are_responsible_for_and_nothing_else(
        self, as_: Callable[[Role], httpx.Client], running: Served, subscription: str
    ) -> None:
        client, scope = as_("operator"), str(scope_of(subscription))
        committed(running.client, uploaded(running.client, subscription, lines(2)))
        as_("administrator").post(f"{subscription}/access", json={"email": CEM, "role": "auditor"})
        told = client.get(f"/api/v1/audit?subscription_id={scope}").json()
        assert {row["type"] for row in told} == {"SubscriptionCreated", "TokenIssued", "AccessGranted"}
        assert told[0]["text"] == f"Granted {CEM} the auditor role"
        assert {row["subscription_id"] for row in told} == {scope}
        assert {row["type"] for row in client.get("/api/v1/audit?limit=1000").json()} <= {
            "SubscriptionCreated",
            "TokenIssued",
            "TokenRevoked",
            "AccessGranted",
            "AccessRevoked",
            "IdentityBound",
            "IdentityReleased",
            "SessionsEnded",
        }
        assert None in {row["subscription_id"] for row in client.get("/api/v1/audit").json()}
        assert client.get("/api/v1/audit?type=GroupCreated").json() == []
        assert {row["text"] for row in client.get(f"/api/v1/audit?email={CEM}&type=AccessGranted").json()} == {
            f"Granted {CEM} the auditor role"
        }

    def test_walk_their_log_page_by_page_without_a_gap(
        self, as_: Callable[[Role], httpx.Client], beside: Rollcall
    ) -> None:
        client = as_("operator")
        assert beside.health.catch_up(), "the log ends with the token"
        pages: list[dict[str, Any]] = []
        following: str | None = "/api/v1/audit?limit=3&to=2100-01-01T00:00:00Z"
        while following:
            page = client.get(following)
            pages += page.json()
            following = page.links.get("next", {}).get("url")
        assert pages == client.get("/api/v1/audit?limit=1000").json()
        assert len(pages) > 3
        assert [row["at"] for row in pages] == sorted((row["at"] for row in pages), reverse=True)
