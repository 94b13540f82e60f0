"""API tokens over HTTP: who can issue which, and what is shown of them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING
from uuid import uuid4

import httpx
import pytest

from adapters.postgres import last_uses
from domain.access import ROLLCALL, Role
from tests.adapters.api.tokens import TOKENS, bearing, scope_of
from tests.adapters.http.test_problems import assert_problem

if TYPE_CHECKING:
    from collections.abc import Callable

    from adapters.composition import Rollcall
    from tests.adapters.server.serving import Served

pytestmark = pytest.mark.database


class TestTokens:
    def test_are_issued_used_listed_and_revoked(
        self, running: Served, as_: Callable[[Role], httpx.Client], subscription: str
    ) -> None:
        client = as_("administrator")
        asks = {"name": "Sync", "role": "consumer", "subscription_id": str(scope_of(subscription))}
        answer = client.post(TOKENS, json=asks)
        issued = answer.json()
        assert (answer.status_code, answer.headers["Cache-Control"]) == (201, "no-store")
        assert (issued["name"], issued["role"], issued["issuer"], issued["revoked_at"]) == (
            "Sync",
            "consumer",
            None,
            None,
        )
        left = datetime.fromisoformat(issued["expires_at"]) - datetime.now(UTC)
        assert timedelta(days=364) < left < timedelta(days=366)
        events = f"{running.url}{subscription}/events"
        assert httpx.get(events, headers=bearing(issued["token"])).status_code == 200
        listed = client.get(TOKENS).json()[0]
        assert listed == {**{k: v for k, v in issued.items() if k != "token"}, "last_used_at": listed["last_used_at"]}
        assert listed["last_used_at"]
        assert client.delete(f"{TOKENS}/{issued['id']}").status_code == 204
        assert httpx.get(events, headers=bearing(issued["token"])).status_code == 401
        assert client.delete(f"{TOKENS}/{issued['id']}").status_code == 204, "it is done already"
        assert client.get(TOKENS).json()[0]["revoked_at"]
        audited = client.get(f"{subscription}/audit").text
        assert "Issued token “Sync” with the consumer role" in audited
        assert issued["token"] not in audited

    def test_are_shown_once_however_often_the_request_is_repeated(
        self, as_: Callable[[Role], httpx.Client], subscription: str
    ) -> None:
        client, key = as_("administrator"), {"Idempotency-Key": "k"}
        asks = {"name": "Sync", "role": "auditor", "subscription_id": str(scope_of(subscription)), "expires_at": None}
        first = client.post(TOKENS, json=asks, headers=key)
        again = client.post(TOKENS, json=asks, headers=key)
        assert (first.status_code, again.status_code) == (201, 200)
        assert first.json()["expires_at"] is None
        assert "token" not in again.json()
        assert "shown once" in again.json()["note"]
        assert again.json()["id"] == first.json()["id"]
        assert_problem(client.post(TOKENS, json={**asks, "name": "x"}, headers=key), 422, "key-reused")

    @pytest.mark.parametrize(
        ("more", "code", "field"),
        [
            ({"role": "operator"}, "role-out-of-scope", None),
            ({"role": "king"}, "invalid", "role"),
            ({"expires_at": "2000-01-01T00:00:00Z"}, "expiry-invalid", None),
            ({"expires_at": "9999-12-31T23:59:59-12:00"}, "expiry-invalid", None),
            ({"expires_at": "2030-01-01T00:00:00"}, "invalid", "expires_at"),
            ({"expires_at": "never"}, "invalid", "expires_at"),
            ({"name": "\u202e"}, "token-name-invalid", None),
            ({"name": "ann@example.com"}, "token-name-invalid", None),
            ({"name": ""}, "invalid", "name"),
        ],
    )
    def test_that_are_invalid_are_refused(
        self, as_: Callable[[Role], httpx.Client], subscription: str, more: dict[str, str], code: str, field: str | None
    ) -> None:
        asks = {"name": "x", "role": "consumer", "subscription_id": str(scope_of(subscription)), **more}
        answer = as_("administrator").post(TOKENS, json=asks)
        assert answer.status_code == 400
        assert answer.json()["type"] == f"/problems/{code}", answer.text
        assert answer.json().get("field") == field

    def test_can_be_issued_only_by_callers_with_enough_access(
        self, as_: Callable[[Role], httpx.Client], subscription: str
    ) -> None:
        operators = {"name": "x", "role": "operator"}
        own = {"name": "x", "role": "administrator", "subscription_id": str(scope_of(subscription))}
        wanting: tuple[Role, ...] = ("administrator", "auditor", "consumer")
        for role in wanting:
            assert_problem(as_(role).post(TOKENS, json=operators), 403, "forbidden")
        for role in wanting[1:]:
            assert_problem(as_(role).post(TOKENS, json=own), 403, "forbidden")
        for asks in (operators, own):
            assert as_("operator").post(TOKENS, json=asks).status_code == 201
        zero = {"name": "x", "role": "operator", "subscription_id": str(ROLLCALL)}
        assert as_("operator").post(TOKENS, json=zero).status_code == 404
        assert as_("administrator").post(TOKENS, json={**own, "role": "operator"}).status_code == 400
        assert_problem(as_("operator").post(TOKENS, json={"name": "x", "role": "auditor"}), 400, "role-out-of-scope")

    def test_are_listed_page_by_page_newest_first(self, as_: Callable[[Role], httpx.Client], subscription: str) -> None:
        client = as_("administrator")
        for number in range(3):
            asks = {"name": f"{number}", "role": "consumer", "subscription_id": str(scope_of(subscription))}
            client.post(TOKENS, json=asks)
        names = []
        following: str | None = f"{TOKENS}?limit=2"
        while following:
            page = client.get(following)
            names += [row["name"] for row in page.json()]
            following = page.links.get("next", {}).get("url")
        assert names == ["2", "1", "0", "the administrator", "the administrator"], (
            "that of the test, that of who set up"
        )
        assert {row["subscription_id"] for row in as_("operator").get(TOKENS).json()} == {None}
        shown = as_("operator").get(f"{TOKENS}?subscription_id={scope_of(subscription)}").json()
        assert [row["name"] for row in shown] == names
        assert as_("auditor").get(TOKENS).json() == []

    def test_show_their_last_use_which_is_written_once_a_minute(self, idle: Rollcall) -> None:
        used, start = uuid4(), datetime(2026, 1, 31, 9, tzinfo=UTC)
        for seconds, told in ((0, 0), (59, 0), (60, 60), (100, 60)):
            idle.last_uses.note(used, start + timedelta(seconds=seconds))
            assert idle.last_uses.of([used, uuid4()]) == {used: start + timedelta(seconds=told)}
        last_uses.LastUses(idle.datastore).note(used, start)
        assert idle.last_uses.of([used]) == {used: start + timedelta(seconds=60)}, (
            "a clock that is behind takes nothing back"
        )
