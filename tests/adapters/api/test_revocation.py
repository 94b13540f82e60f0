"""A revocation takes effect at once: in every process, in long requests, in requests that began before."""

from __future__ import annotations

import socket
from contextlib import contextmanager
from functools import partial
from itertools import count
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import httpx
import pytest

from application.granting import grant_access
from application.records import Actor, Origin
from tests.adapters.api.importing import committed, if_match, lines, uploaded
from tests.adapters.api.tokens import TOKENS, bearing, id_of, scope_of, text_of, token
from tests.adapters.http.test_problems import assert_problem
from tests.adapters.server.serving import Served, served
from tests.waiting import GENEROUS_SECONDS, Running, eventually

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from adapters.composition import Rollcall
    from domain.access import Role

pytestmark = pytest.mark.database

ANN = "ann@example.com"


def revoked(running: Served, client: httpx.Client) -> None:
    """Revoke the token of a client."""
    assert running.client.delete(f"{TOKENS}/{id_of(text_of(client))}").status_code == 204


def used(rollcall: Rollcall, text: str) -> bool:
    """Tell whether a token has been used."""
    return bool(rollcall.last_uses.of([id_of(text)]))


def issued(running: Served, text: str, asks: dict[str, str]) -> dict[str, str]:
    """Issue a token without an expiry, by means of another token, and return its document."""
    wanted = {"name": "x", "expires_at": None, **asks}
    answer = running.client.post(TOKENS, json=wanted, headers=bearing(text)).raise_for_status()
    document: dict[str, str] = answer.json()
    return document


@contextmanager
def unfinished(running: Served, path: str, text: str, kind: str, body: bytes) -> Iterator[Callable[[], bytes]]:
    """Send a request without its last byte; return a function that sends that byte and returns the answer."""
    where = urlsplit(running.url)
    head = f"POST {path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {text}\r\nContent-Type: {kind}\r\n"
    head += f"Content-Length: {len(body)}\r\nConnection: close\r\n\r\n"
    with socket.create_connection((str(where.hostname), where.port or 0), timeout=GENEROUS_SECONDS) as connection:
        connection.sendall(head.encode() + body[:-1])

        def finish() -> bytes:
            connection.sendall(body[-1:])
            return connection.makefile("rb").read()

        yield finish


@pytest.fixture(scope="module")
def elsewhere(served_database: str) -> Iterator[Served]:
    """Return another server beside the shared one, over its database."""
    with served(served_database, "--no-worker") as server:
        yield server


class TestRevocation:
    def test_takes_effect_at_once_in_every_process(self, running: Served, elsewhere: Served, subscription: str) -> None:
        own = bearing(running.auth.of(subscription))
        asks = {"name": "x", "role": "auditor", "subscription_id": str(scope_of(subscription))}
        issued = running.client.post(TOKENS, json=asks, headers=own).json()
        groups = f"{elsewhere.url}{subscription}/groups"
        with httpx.Client(headers=bearing(issued["token"])) as client:
            assert client.get(groups).status_code == 200
            assert running.client.delete(f"{TOKENS}/{issued['id']}", headers=own).status_code == 204
            assert client.get(groups).status_code == 401

    def test_of_an_administrator_ends_the_tokens_they_issued(
        self, running: Served, beside: Rollcall, subscription: str
    ) -> None:
        origin = Origin(scope_of(subscription), Actor("operator", "root", "root"), "test")
        grant_access(beside, origin, ANN, "administrator")
        anns = token(beside.events, "administrator", origin.subscription_id, issuer=ANN)
        asks = {"name": "x", "role": "administrator", "subscription_id": str(origin.subscription_id)}
        with httpx.Client(base_url=running.url) as client:
            issued = client.post(TOKENS, json=asks, headers=bearing(anns)).json()
            assert issued["issuer"] == ANN, "a token that a token issued hangs on the same person"
            assert client.get(f"{subscription}/groups", headers=bearing(issued["token"])).status_code == 200
            assert running.client.delete(f"{subscription}/access/{ANN}").status_code == 204
            for text in (anns, issued["token"]):
                assert client.get(f"{subscription}/groups", headers=bearing(text)).status_code == 401

    def test_of_a_token_ends_all_that_were_issued_with_it(
        self, running: Served, elsewhere: Served, subscription: str
    ) -> None:
        operators = issued(running, running.auth.of(TOKENS), {"role": "operator"})
        own = {"role": "administrator", "subscription_id": str(scope_of(subscription))}
        first = issued(running, operators["token"], own)
        second = issued(running, first["token"], own)
        grants = f"{elsewhere.url}{subscription}/access"
        for each in (operators, first, second):
            assert httpx.get(grants, headers=bearing(each["token"])).status_code == 200
        running.client.delete(f"{TOKENS}/{operators['id']}").raise_for_status()
        for each in (operators, first, second):
            assert_problem(httpx.get(grants, headers=bearing(each["token"])), 401, "unauthenticated")
            answer = httpx.post(f"{elsewhere.url}{TOKENS}", json={"name": "x", **own}, headers=bearing(each["token"]))
            assert answer.status_code == 401

    def test_ends_a_stream_of_progress(
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

    def test_ends_a_wait_for_events(
        self, as_: Callable[[Role], httpx.Client], running: Served, beside: Rollcall, subscription: str
    ) -> None:
        client = as_("consumer")
        waiting = Running(lambda: client.get(f"{subscription}/events?wait=30"))
        eventually(lambda: used(beside, text_of(client)))
        revoked(running, client)
        committed(running.client, uploaded(running.client, subscription, lines(5)))
        assert_problem(waiting.result(), 401, "unauthenticated")

    def test_applies_to_a_request_that_began_before(self, running: Served, beside: Rollcall, subscription: str) -> None:
        """A body may take a while: access at its beginning may be revoked before its end."""
        file = lines(5).encode()
        form = b'--x\r\nContent-Disposition: form-data; name="file"; filename="a.csv"\r\n\r\n' + file + b"\r\n--x--\r\n"
        for path, kind, body in (
            ("licences", "application/json", b'{"users": [{"email": "ben@example.com"}]}'),
            ("imports", "multipart/form-data; boundary=x", form),
        ):
            text = token(beside.events, "administrator", scope_of(subscription))
            with unfinished(running, f"{subscription}/{path}", text, kind, body) as finish:
                eventually(partial(used, beside, text))
                running.client.delete(f"{TOKENS}/{id_of(text)}")
                assert finish().startswith(b"HTTP/1.1 401 ")
        assert running.client.get(f"{subscription}/imports").json() == []
        assert [row["email"] for row in running.client.get(f"{subscription}/licences").json()] == [ANN]
