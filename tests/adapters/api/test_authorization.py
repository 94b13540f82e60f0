"""How a request authenticates, and how it is answered if it does so badly."""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import uuid4

import httpx
import psycopg
import pytest

from domain.access import ROLLCALL, Role
from tests.adapters.api.importing import subscribed
from tests.adapters.api.tokens import SUBSCRIPTIONS, bearing, scope_of, text_of, token
from tests.adapters.http.test_problems import assert_problem
from tests.adapters.server.serving import Served, asked

if TYPE_CHECKING:
    from collections.abc import Callable

    from adapters.composition import Rollcall

pytestmark = pytest.mark.database


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
    def test_is_parsed_as_http_defines_it(
        self, running: Served, as_: Callable[[Role], httpx.Client], subscription: str, value: str
    ) -> None:
        headers = {"Authorization": value.replace("{}", text_of(as_("administrator")))}
        assert httpx.get(f"{running.url}{subscription}", headers=headers).status_code == 200

    def test_that_is_repeated_is_refused(
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

    def test_of_an_operator_opens_no_data_of_a_subscription(
        self, as_: Callable[[Role], httpx.Client], subscription: str
    ) -> None:
        client = as_("operator")
        for below in ("groups", "licences", "imports", "audit", "events"):
            for where in (subscription, f"{SUBSCRIPTIONS}/{uuid4()}"):
                assert_problem(client.get(f"{where}/{below}"), 403, "forbidden")

    def test_is_needed_for_head_and_not_for_options(
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

    @pytest.mark.parametrize("error", [psycopg.OperationalError("secret"), psycopg.InterfaceError("secret")])
    def test_that_cannot_be_looked_up_is_503(
        self, idle: Rollcall, monkeypatch: pytest.MonkeyPatch, error: Exception
    ) -> None:
        def fail(*_: object, **__: object) -> None:
            raise error

        text = token(idle.events, "operator", ROLLCALL)
        monkeypatch.setattr(type(idle.rights), "token", fail)
        answer = asked(idle, "GET", SUBSCRIPTIONS, headers=bearing(text))
        assert "secret" not in str(assert_problem(answer, 503, "busy"))
        assert "Retry-After" in answer.headers

    def test_is_looked_up_before_the_body_is_read(self, running: Served, subscription: str) -> None:
        """An unauthenticated client can't have anything parsed, nor learn what is wrong with it."""
        for content, kind in ((b"{", "application/json"), (b"x", "text/plain"), (b"", "multipart/form-data")):
            for path in ("licences", "imports", "access"):
                answer = httpx.post(
                    f"{running.url}{subscription}/{path}", content=content, headers={"Content-Type": kind}
                )
                assert answer.status_code == 401
