"""Access and tokens over HTTP: who sees what, what is handed out, and that a revocation holds at once."""

from __future__ import annotations

import socket
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import count
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit
from uuid import UUID, uuid4

import httpx
import psycopg
import pytest
from eventsourcing.persistence import OperationalError

from adapters.composition import composed
from adapters.http import security
from adapters.postgres import last_uses
from application.granting import Person, grant_access, revoke_access
from application.recorded import Actor, Origin
from domain.access import ROLLCALL, Role, read_token
from tests.adapters.http.importing import committed, if_match, lines, subscribed, uploaded
from tests.adapters.http.serving import Served, asked, served
from tests.adapters.http.test_problems import assert_problem
from tests.adapters.http.tokens import token
from tests.conftest import settings_for
from tests.conftest import subscribed as recorded
from tests.waiting import GENEROUS_SECONDS, Running, eventually

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from adapters.composition import Rollcall

pytestmark = pytest.mark.database

ANN, BEN, CEM = "ann@example.com", "ben@example.com", "cem@example.com"
TOKENS, SUBSCRIPTIONS = "/api/v1/tokens", "/api/v1/subscriptions"


@pytest.fixture(scope="module")
def beside(running: Served, module_database: str) -> Iterator[Rollcall]:
    """Return Rollcall over the served database, in this process."""
    with composed(settings_for(module_database)) as rollcall:
        yield rollcall


@pytest.fixture
def subscription(running: Served) -> str:
    """Return where a new subscription is."""
    return subscribed(running.client, ANN)


def scope_of(where: str) -> UUID:
    return UUID(where.rpartition("/")[2])


@pytest.fixture
def as_(running: Served, beside: Rollcall, subscription: str) -> Iterator[Callable[[Role], httpx.Client]]:
    """Return what makes a client with a token of a role in the subscription, or of an operator."""
    opened: list[httpx.Client] = []

    def client(role: Role) -> httpx.Client:
        text = token(beside, role, ROLLCALL if role == "operator" else scope_of(subscription))
        opened.append(
            httpx.Client(base_url=running.url, timeout=GENEROUS_SECONDS, headers={"Authorization": f"Bearer {text}"})
        )
        return opened[-1]

    yield client
    for each in opened:
        each.close()


def bearing(text: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {text}"}


def text_of(client: httpx.Client) -> str:
    return client.headers["Authorization"].removeprefix("Bearer ")


def id_of(text: str) -> UUID:
    read = read_token(text)
    assert read
    return read[0]


def revoked(running: Served, client: httpx.Client) -> None:
    """Revoke the token of a client."""
    assert running.client.delete(f"{TOKENS}/{id_of(text_of(client))}").status_code == 204


def used(rollcall: Rollcall, text: str) -> bool:
    """Tell whether a token has come by."""
    return bool(rollcall.last_uses.of([id_of(text)]))


@contextmanager
def unfinished(running: Served, path: str, text: str, kind: str, body: bytes) -> Iterator[Callable[[], bytes]]:
    """Send a request but for its last byte, and return what sends that and returns the answer."""
    where = urlsplit(running.url)
    head = f"POST {path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {text}\r\nContent-Type: {kind}\r\n"
    head += f"Content-Length: {len(body)}\r\nConnection: close\r\n\r\n"
    with socket.create_connection((str(where.hostname), where.port or 0), timeout=GENEROUS_SECONDS) as connection:
        connection.sendall(head.encode() + body[:-1])

        def finish() -> bytes:
            connection.sendall(body[-1:])
            return connection.makefile("rb").read()

        yield finish


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
        assert audited[:2] == [f"Took the role consumer from {BEN}", f"Took the role auditor from {ANN}"]

    @pytest.mark.parametrize("email", ["a/b@example.com", "o'neil+x@example.com", "zoë@example.com", "%@example.com"])
    def test_of_any_address_can_be_taken(
        self, as_: Callable[[Role], httpx.Client], subscription: str, email: str
    ) -> None:
        client, where = as_("administrator"), f"{subscription}/access"
        assert client.post(where, json={"email": email, "role": "auditor"}).status_code == 201
        quoted = email.replace("%", "%25").replace("/", "%2F")
        assert client.delete(f"{where}/{quoted}").status_code == 204
        assert client.get(where).json() == []

    def test_to_more_than_a_subscription_cannot_be_granted_in_it(
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

    def test_of_a_person_are_gone_at_once_when_the_view_does_not_know_yet(self, idle: Rollcall) -> None:
        first, second, third = (recorded(idle) for _ in range(3))
        person = Person(ANN, "Ann")
        readers: frozenset[Role] = frozenset(("administrator", "auditor"))
        with idle.worker():
            grant_access(idle.ports, first, ANN, "auditor")
            grant_access(idle.ports, second, ANN, "administrator")
            grant_access(idle.ports, third, ANN, "consumer")
            assert idle.catch_up()
        assert set(security.scopes(idle, person, readers)) == {first.subscription_id, second.subscription_id}
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("adapters.postgres.wakeups.READABLE_WITHIN_SECONDS", 0.0)
            revoke_access(idle.ports, second, ANN)
        assert security.scopes(idle, person, readers) == [first.subscription_id]
        assert security.scopes(idle, Person(BEN, "Ben"), readers) == []


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
        assert "Issued the token “Sync” with the role consumer" in audited
        assert issued["token"] not in audited

    def test_are_shown_once_however_often_they_are_asked_for_under_a_key(
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
            ({"name": ""}, "invalid", "name"),
        ],
    )
    def test_that_cannot_be_are_refused(
        self, as_: Callable[[Role], httpx.Client], subscription: str, more: dict[str, str], code: str, field: str | None
    ) -> None:
        asks = {"name": "x", "role": "consumer", "subscription_id": str(scope_of(subscription)), **more}
        answer = as_("administrator").post(TOKENS, json=asks)
        assert answer.status_code == 400
        assert answer.json()["type"] == f"/problems/{code}", answer.text
        assert answer.json().get("field") == field

    def test_are_handed_out_by_those_alone_who_hold_as_much(
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

    def test_tell_when_they_were_last_used_written_once_a_minute(self, idle: Rollcall) -> None:
        used, start = uuid4(), datetime(2026, 1, 31, 9, tzinfo=UTC)
        for seconds, told in ((0, 0), (59, 0), (60, 60), (100, 60)):
            idle.last_uses.note(used, start + timedelta(seconds=seconds))
            assert idle.last_uses.of([used, uuid4()]) == {used: start + timedelta(seconds=told)}
        last_uses.LastUses(idle.datastore).note(used, start)
        assert idle.last_uses.of([used]) == {used: start + timedelta(seconds=60)}, (
            "a clock that is behind takes nothing back"
        )


class TestOperators:
    def test_read_what_they_answer_for_and_nothing_of_the_tenants(
        self, as_: Callable[[Role], httpx.Client], running: Served, subscription: str
    ) -> None:
        client, scope = as_("operator"), str(scope_of(subscription))
        committed(running.client, uploaded(running.client, subscription, lines(2)))
        as_("administrator").post(f"{subscription}/access", json={"email": CEM, "role": "auditor"})
        told = client.get(f"/api/v1/audit?subscription_id={scope}").json()
        assert {row["type"] for row in told} == {"SubscriptionCreated", "TokenIssued", "AccessGranted"}
        assert told[0]["text"] == f"Granted {CEM} the role auditor"
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
            f"Granted {CEM} the role auditor"
        }

    def test_walk_their_log_page_by_page_without_a_gap(self, as_: Callable[[Role], httpx.Client]) -> None:
        client = as_("operator")
        pages: list[dict[str, Any]] = []
        following: str | None = "/api/v1/audit?limit=3&to=2100-01-01T00:00:00Z"
        while following:
            page = client.get(following)
            pages += page.json()
            following = page.links.get("next", {}).get("url")
        assert pages == client.get("/api/v1/audit?limit=1000").json()
        assert len(pages) > 3
        assert [row["at"] for row in pages] == sorted((row["at"] for row in pages), reverse=True)


class TestRevocation:
    def test_holds_at_once_in_every_process(self, database: str) -> None:
        with served(database) as one, served(database, "--no-worker") as other:
            where = subscribed(one.client)
            asks = {"name": "x", "role": "auditor", "subscription_id": str(scope_of(where))}
            issued = one.client.post(TOKENS, json=asks, headers=bearing(one.allowed.of(where))).json()
            groups = f"{other.url}{where}/groups"
            with httpx.Client(headers=bearing(issued["token"])) as client:
                assert client.get(groups).status_code == 200
                deleted = one.client.delete(f"{TOKENS}/{issued['id']}", headers=bearing(one.allowed.of(where)))
                assert deleted.status_code == 204
                assert client.get(groups).status_code == 401

    def test_of_an_administrator_ends_the_tokens_they_issued(
        self, running: Served, beside: Rollcall, subscription: str
    ) -> None:
        origin = Origin(scope_of(subscription), Actor("operator", "root", "root"), "test")
        grant_access(beside.ports, origin, ANN, "administrator")
        anns = token(beside, "administrator", origin.subscription_id, issuer=ANN)
        asks = {"name": "x", "role": "administrator", "subscription_id": str(origin.subscription_id)}
        with httpx.Client(base_url=running.url) as client:
            issued = client.post(TOKENS, json=asks, headers=bearing(anns)).json()
            assert issued["issuer"] == ANN, "a token that a token issued hangs on the same person"
            assert client.get(f"{subscription}/groups", headers=bearing(issued["token"])).status_code == 200
            assert running.client.delete(f"{subscription}/access/{ANN}").status_code == 204
            for text in (anns, issued["token"]):
                assert client.get(f"{subscription}/groups", headers=bearing(text)).status_code == 401

    def test_ends_the_progress_that_is_followed(
        self, as_: Callable[[Role], httpx.Client], running: Served, subscription: str
    ) -> None:
        where = uploaded(running.client, subscription, lines(5))
        client = as_("auditor")
        with client.stream("GET", f"{where}/progress") as stream:
            events = stream.iter_text()
            assert '"reviewing"' in next(events)
            revoked(running, client)
            following = Running(lambda: "".join(events))

            def ended(name: str) -> bool:
                running.client.patch(f"{where}/groups/1", json={"name": name}, headers=if_match(running.client, where))
                return not following.is_alive()

            names = map("Name {}".format, count())
            eventually(lambda: ended(next(names)))
            committed(running.client, where)
            assert '"completed"' not in following.result()

    def test_ends_the_wait_for_events(
        self, as_: Callable[[Role], httpx.Client], running: Served, beside: Rollcall, subscription: str
    ) -> None:
        client = as_("consumer")
        waiting = Running(lambda: client.get(f"{subscription}/events?wait=30"))
        eventually(lambda: used(beside, text_of(client)))
        revoked(running, client)
        committed(running.client, uploaded(running.client, subscription, lines(5)))
        assert_problem(waiting.result(), 401, "unauthenticated")

    def test_holds_though_the_request_began_before(self, running: Served, beside: Rollcall, subscription: str) -> None:
        """A body may take its time: what is asked at its beginning need not hold at its end."""
        file = lines(5).encode()
        form = b'--x\r\nContent-Disposition: form-data; name="file"; filename="a.csv"\r\n\r\n' + file + b"\r\n--x--\r\n"
        for path, kind, body in (
            ("licences", "application/json", b'{"users": [{"email": "ben@example.com"}]}'),
            ("imports", "multipart/form-data; boundary=x", form),
        ):
            text = token(beside, "administrator", scope_of(subscription))
            with unfinished(running, f"{subscription}/{path}", text, kind, body) as finish:
                eventually(partial(used, beside, text))
                running.client.delete(f"{TOKENS}/{id_of(text)}")
                assert finish().startswith(b"HTTP/1.1 401 ")
        assert running.client.get(f"{subscription}/imports").json() == []
        assert [row["email"] for row in running.client.get(f"{subscription}/licences").json()] == [ANN]


class TestAuthorization:
    @pytest.mark.parametrize(
        "value",
        [
            "",
            "Bearer",
            "Basic {}",
            "Bearer{}",
            "Bearer\t{}",
            "Bearer {} {}",
            "Bearer {},",
            "Bearer {}x",
            'Bearer "{}"',
            "Bearer \xa0{}",
            "Bearer é",
            "Token {}",
            "{}",
            "Bearer rollcall_" + "A" * 10_000,
            "Bearer rollcall_" + "A" * 64,
        ],
    )
    def test_that_is_malformed_is_401_and_repeats_nothing(
        self, running: Served, as_: Callable[[Role], httpx.Client], subscription: str, value: str
    ) -> None:
        secret = text_of(as_("administrator"))
        headers = [(b"Authorization", value.replace("{}", secret).encode("latin-1"))]
        answer = httpx.get(f"{running.url}{subscription}", headers=headers)
        assert_problem(answer, 401, "unauthenticated")
        assert answer.headers["WWW-Authenticate"] == 'Bearer realm="rollcall"'
        assert secret not in answer.text

    @pytest.mark.parametrize("value", ["bearer {}", "BEARER {}", "Bearer   {}"])
    def test_is_read_as_http_means_it(
        self, running: Served, as_: Callable[[Role], httpx.Client], subscription: str, value: str
    ) -> None:
        headers = {"Authorization": value.replace("{}", text_of(as_("administrator")))}
        assert httpx.get(f"{running.url}{subscription}", headers=headers).status_code == 200

    def test_that_is_given_twice_is_none(
        self, running: Served, as_: Callable[[Role], httpx.Client], subscription: str
    ) -> None:
        good = f"Bearer {text_of(as_('administrator'))}"
        for values in ((good, good), (good, "Bearer x"), ("Bearer x", good)):
            answer = httpx.get(f"{running.url}{subscription}", headers=[("Authorization", each) for each in values])
            assert_problem(answer, 401, "unauthenticated")
        assert httpx.get(f"{running.url}{subscription}?access_token={good}").status_code == 401

    def test_counts_for_every_spelling_of_an_id(
        self, running: Served, as_: Callable[[Role], httpx.Client], subscription: str
    ) -> None:
        own, other = scope_of(subscription), scope_of(subscribed(running.client))
        client = as_("administrator")
        for spell in (str, lambda each: str(each).upper(), lambda each: each.hex, lambda each: f"%7B{each}%7D"):
            assert client.get(f"{SUBSCRIPTIONS}/{spell(own)}/groups").status_code in {200, 404}
            assert client.get(f"{SUBSCRIPTIONS}/{spell(other)}/groups").status_code == 404
            assert httpx.get(f"{running.url}{SUBSCRIPTIONS}/{spell(own)}/groups").status_code in {401, 404}
        for path in (f"{own}/../{other}/groups", f"{own}/%2e%2e/{other}/groups", f"{own}%2F..%2F{other}/groups"):
            url = httpx.URL(running.url).copy_with(raw_path=f"{SUBSCRIPTIONS}/{path}".encode())
            assert client.get(url).status_code == 404

    def test_of_an_operator_opens_nothing_of_a_tenant(
        self, as_: Callable[[Role], httpx.Client], subscription: str
    ) -> None:
        client = as_("operator")
        for below in ("groups", "licences", "imports", "audit", "events"):
            for where in (subscription, f"{SUBSCRIPTIONS}/{uuid4()}"):
                assert_problem(client.get(f"{where}/{below}"), 403, "forbidden")

    def test_is_asked_of_head_and_not_of_options(
        self, running: Served, as_: Callable[[Role], httpx.Client], subscription: str
    ) -> None:
        assert httpx.head(f"{running.url}{subscription}/groups").status_code == 401
        assert as_("consumer").head(f"{subscription}/groups").status_code == 403
        assert as_("auditor").head(f"{subscription}/groups").status_code == 200
        own, missing = (
            httpx.options(f"{running.url}{SUBSCRIPTIONS}/{each}/groups") for each in (subscription[-36:], uuid4())
        )
        assert (own.status_code, own.headers["Allow"]) == (missing.status_code, missing.headers["Allow"])
        assert own.status_code == 204

    @pytest.mark.parametrize("error", [OperationalError("secret"), psycopg.OperationalError("secret")])
    def test_that_the_database_cannot_tell_is_503(
        self, idle: Rollcall, monkeypatch: pytest.MonkeyPatch, error: Exception
    ) -> None:
        def fail(*_: object, **__: object) -> None:
            raise error

        text = token(idle, "operator", ROLLCALL)
        monkeypatch.setattr(type(idle.events), "history", fail)
        answer = asked(idle, "GET", SUBSCRIPTIONS, headers=bearing(text))
        assert "secret" not in str(assert_problem(answer, 503, "busy"))
        assert "Retry-After" in answer.headers

    def test_is_looked_up_before_the_body_is_read(self, running: Served, subscription: str) -> None:
        """A stranger cannot have anything parsed, nor find out what would be wrong with it."""
        for content, kind in ((b"{", "application/json"), (b"x", "text/plain"), (b"", "multipart/form-data")):
            for path in ("licences", "imports", "access"):
                answer = httpx.post(
                    f"{running.url}{subscription}/{path}", content=content, headers={"Content-Type": kind}
                )
                assert answer.status_code == 401
