"""Every error is a problem document, from use cases, handlers and the framework alike, and reveals no secrets."""

from __future__ import annotations

import http.client
import socket
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlsplit
from uuid import UUID, uuid4

import httpx
import psycopg
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import json
from psycopg.conninfo import conninfo_to_dict
from psycopg.sql import SQL, Identifier

from adapters.http.problem_kinds import KINDS
from domain import errors
from domain.errors import Refused
from tests import conftest
from tests.adapters.http.test_security_headers import assert_secured
from tests.adapters.server.serving import Served, asked, served
from tests.waiting import GENEROUS_SECONDS, eventually

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from adapters.composition import Rollcall

pytestmark = pytest.mark.database

JSON = {"Content-Type": "application/json"}
SUBSCRIPTIONS = "/api/v1/subscriptions"


@pytest.fixture(scope="module")
def subscription(running: Served) -> str:
    """Return the path of a subscription with fifty seats and one licence."""
    created = running.client.post(SUBSCRIPTIONS, json={"name": "Contoso", "seats": 50})
    where = created.headers["Location"]
    assert running.client.post(f"{where}/licences", json={"users": [{"email": "ann@example.com"}]}).is_success
    return where


@pytest.fixture(scope="module")
def import_(running: Served, subscription: str) -> str:
    """Return the path of an import in review."""
    file = {"file": ("groups.csv", "Groupname,Email\nSales,ann@example.com\n")}
    return running.client.post(f"{subscription}/imports", files=file).headers["Location"]


def assert_problem(answer: httpx.Response, status: int, code: str, field: str | None = None) -> dict[str, Any]:
    """Assert that an answer is a complete and consistent problem document of a kind, and return it."""
    told: dict[str, Any] = answer.json()
    assert (answer.status_code, told["type"], told.get("field")) == (status, f"/problems/{code}", field), told
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert told["status"] == status
    assert told["title"] == KINDS[code].title
    assert told["request_id"] == answer.headers["X-Request-Id"]
    assert told["detail"]
    return told


def without_request_id(answer: httpx.Response) -> str:
    """Return the content of an answer with its request's id replaced, for comparing."""
    return answer.text.replace(answer.headers["X-Request-Id"], "REQUEST")


# --- from the framework --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["/nix", "/api/v1", "/api/v1/nix", "/api/v1/subscriptions/x", "/problems/nix"])
def test_what_is_not_there_is_404(running: Served, path: str) -> None:
    assert_problem(running.client.get(path), 404, "not-found")


@pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE", "TRACE", "BREW"])
def test_another_method_is_405_with_those_that_are_allowed(running: Served, method: str) -> None:
    answer = running.client.request(method, SUBSCRIPTIONS)
    assert_problem(answer, 405, "method-not-allowed")
    assert answer.headers["Allow"] == "GET, HEAD, OPTIONS, POST"


def test_options_lists_the_methods_of_the_path(running: Served, subscription: str) -> None:
    answer = running.client.options(f"{subscription}/licences")
    assert (answer.status_code, answer.headers["Allow"]) == (204, "GET, HEAD, OPTIONS, POST")


@pytest.mark.parametrize("path", [SUBSCRIPTIONS, "/nix", "/health/ready", "/api/v1/openapi.json"])
def test_head_answers_as_get_without_content(running: Served, path: str) -> None:
    get, head = running.client.get(path), running.client.head(path)
    assert (head.status_code, head.content) == (get.status_code, b"")
    assert head.headers["Content-Type"] == get.headers["Content-Type"]
    assert "X-Request-Id" in head.headers


@pytest.mark.parametrize(
    ("content", "field"),
    [
        (b"", "body"),
        (b"{", "body"),
        (b"nothing", "body"),
        (b'{"name": "\xff", "seats": 1}', "body"),
        (b'{"name": "\\ud800", "seats": 1}', "body"),
        (b"[" * 60_000, "body"),
        (b"[]", "body"),
        (b"null", "body"),
        (b"{}", "name"),
        (b'{"name": "Contoso"}', "seats"),
        (b'{"name": 1, "seats": 1}', "name"),
        (b'{"name": "Contoso", "seats": -1}', "seats"),
        (b'{"name": "Contoso", "seats": 1e99}', "seats"),
        (b'{"name": "Contoso", "seats": "1"}', "seats"),
        (b'{"name": "Contoso", "seats": null}', "seats"),
        (b'{"name": "Contoso", "seats": 1, "colour": "red"}', "colour"),
    ],
)
def test_an_invalid_body_names_the_field(running: Served, content: bytes, field: str) -> None:
    assert_problem(running.client.post(SUBSCRIPTIONS, content=content, headers=JSON), 400, "invalid", field)


def test_what_is_wrong_is_said_in_plain_english(running: Served, subscription: str) -> None:
    sent = running.client.post(SUBSCRIPTIONS, json={"name": "x" * 256, "seats": 1})
    assert assert_problem(sent, 400, "invalid", "name")["detail"] == "name: Use at most 255 characters."
    asked = running.client.get(f"{subscription}/groups?limit=1001")
    assert assert_problem(asked, 400, "invalid", "limit")["detail"] == "limit: Use 1,000 or less."


@pytest.mark.parametrize("path", ["close", "erase", "groups"])
def test_a_missing_body_is_said_to_be_missing(running: Served, subscription: str, path: str) -> None:
    """As of `curl -X POST`, which sends no Content-Type either."""
    told = assert_problem(running.client.post(f"{subscription}/{path}"), 400, "invalid", "body")
    assert told["detail"] == "The request has no body. Send a JSON object as application/json."


def test_a_byte_order_mark_is_passed_over(running: Served) -> None:
    content = b'\xef\xbb\xbf{"name": "Contoso", "seats": 1}'
    assert running.client.post(SUBSCRIPTIONS, content=content, headers=JSON).status_code == 201


@pytest.mark.parametrize("media_type", [None, "text/plain", "application/x-www-form-urlencoded", ";;;"])
def test_a_body_of_another_kind_is_415(running: Served, media_type: str | None) -> None:
    headers = {"Content-Type": media_type} if media_type else {}
    answer = running.client.post(SUBSCRIPTIONS, content=b'{"name": "Contoso", "seats": 1}', headers=headers)
    assert_problem(answer, 415, "unsupported-media-type")


def test_a_body_that_is_compressed_is_415(running: Served, subscription: str) -> None:
    compressed = {"Content-Encoding": "gzip"}
    file = {"file": ("groups.csv", "Groupname,Email\nSales,ann@example.com\n")}
    for answer in (
        running.client.post(SUBSCRIPTIONS, json={"name": "Contoso", "seats": 1}, headers=compressed),
        running.client.post(f"{subscription}/imports", files=file, headers=compressed),
    ):
        assert_problem(answer, 415, "unsupported-media-type")


@pytest.mark.parametrize("name", ["If-Match", "Idempotency-Key"])
def test_a_repeated_header_is_refused(running: Served, subscription: str, import_: str, name: str) -> None:
    path = f"{import_}/commit" if name == "If-Match" else f"{subscription}/licences"
    answer = running.client.post(path, json={"users": []}, headers=[(name, '"1"'), (name, '"2"')])
    assert_problem(answer, 400, "invalid", name)


@pytest.mark.parametrize("version", ["*", '"2', '2"', "''", '"-2"', "2.0", '"99999999999999999999"'])
def test_an_invalid_version_is_400(running: Served, import_: str, version: str) -> None:
    answer = running.client.post(f"{import_}/commit", headers={"If-Match": version})
    assert_problem(answer, 400, "invalid", "If-Match")


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("limit=0", "limit"),
        ("limit=1001", "limit"),
        ("limit=many", "limit"),
        ("limit=", "limit"),
        ("limit=1e2", "limit"),
        ("limit=1.0", "limit"),
        ("limit=1_0", "limit"),
        ("limit=%2B1", "limit"),
        ("limit=%201", "limit"),
        ("limit=%D9%A1", "limit"),
        ("limit=true", "limit"),
        ("limit=99999999999999999999", "limit"),
        ("limit=1&limit=2", "limit"),
        ("after=rubbish", "after"),
        ("after=!!!", "after"),
        ("after=OTk5OTk5OTk5OTk5OTk5OTk5OTk5OTk5", "after"),
        ("after=IlwwIg", "after"),
        ("after=W10", "after"),
        ("q=%00", "q"),
        ("q=" + "x" * 256, "q"),
        ("colour=red", "colour"),
    ],
)
def test_an_invalid_query_names_the_field(running: Served, subscription: str, query: str, field: str) -> None:
    for each in ("licences", "groups"):
        assert_problem(running.client.get(f"{subscription}/{each}?{query}"), 400, "invalid", field)


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("from=yesterday", "from"),
        ("to=2026-01-31", "to"),
        ("to=2026-01-31T09:00:00", "to"),
        ("import_id=1", "import_id"),
        ("import_id=null", "import_id"),
        ("type=GroupMade", "type"),
        ("after=OTk5OTk5OTk5OTk5OTk5OTk5OTk5OTk5", "after"),
    ],
)
def test_an_invalid_filter_of_the_audit_log_names_the_field(
    running: Served, subscription: str, query: str, field: str
) -> None:
    assert_problem(running.client.get(f"{subscription}/audit?{query}"), 400, "invalid", field)


@pytest.mark.parametrize("listed", ["audit", "groups", "imports", "export/audit.csv"])
def test_times_the_wrong_way_round_are_refused(running: Served, subscription: str, listed: str) -> None:
    """An empty list would say that nothing happened."""
    first, second = "2026-01-31T09:00:00Z", "2026-01-31T10:00:00%2B01:00"
    asked = f"{subscription}/{listed}?from={{}}&to={{}}"
    assert running.client.get(asked.format(first, second)).status_code == 200
    told = assert_problem(running.client.get(asked.format("2026-01-31T09:00:01Z", second)), 400, "invalid", "to")
    assert "Swap the two" in told["detail"]


@pytest.mark.parametrize("path", ["groups/{}/users", "groups?version={}", "history?after={}"])
def test_numbers_out_of_range_are_not_found_or_refused(running: Served, import_: str, path: str) -> None:
    for number in (2**31, 2**63, 10**40):
        assert running.client.get(f"{import_}/{path.format(number)}").status_code in {400, 404}


@pytest.mark.parametrize("email", ["%00", "%ff", "%ed%a0%80", "a%2Fb@example.com", "x" * 5000])
def test_an_impossible_address_is_not_found_or_refused(running: Served, subscription: str, email: str) -> None:
    assert running.client.get(f"{subscription}/licences/{email}").status_code in {400, 404}


@settings(max_examples=50, deadline=None)
@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=40))
def test_no_path_or_search_is_an_internal_error(running: Served, subscription: str, text: str) -> None:
    for path in (f"licences?q={quote(text, safe='')}", f"groups?after={quote(text, safe='')}"):
        assert running.client.get(f"{subscription}/{path}").status_code in {200, 400}
    assert running.client.get(f"{subscription}/licences/{quote(text, safe='')}").status_code in {200, 400, 404}


# --- too large, and broken ------------------------------------------------------------------------------------------


def test_too_large_is_413_before_it_is_sent(running: Served, subscription: str) -> None:
    """Each route has its limit: a body that declares itself larger is not read."""
    bearer = f"Authorization: Bearer {running.auth.of(subscription)}"
    where, json, csv = urlsplit(running.url), "application/json", "text/csv"
    for path, kind, most in (
        (f"{subscription}/access", json, 64 * 1024),
        (f"{subscription}/groups", json, 32_000_000),
        (f"{subscription}/groups/{uuid4()}/users", json, 32_000_000),
        (f"{subscription}/licences", json, 32_000_000),
        (f"{subscription}/licences", csv, 32_000_000),
        (f"{subscription}/imports", "multipart/form-data; boundary=x", 101_000_000),
    ):
        head = f"POST {path} HTTP/1.1\r\nHost: localhost\r\n{bearer}\r\nContent-Type: {kind}\r\n"
        with socket.create_connection((str(where.hostname), where.port or 0), GENEROUS_SECONDS) as connection:
            connection.sendall(f"{head}Content-Length: {most + 1}\r\n\r\n".encode())
            answer = http.client.HTTPResponse(connection)
            answer.begin()
            told = httpx.Response(answer.status, headers=dict(answer.headers), content=answer.read())
        assert f"{most:,} bytes" in assert_problem(told, 413, "file-too-large")["detail"]


@pytest.mark.parametrize(
    ("below", "kind", "most"), [("access", "application/json", 64 * 1024), ("licences", "text/csv", 32_000_000)]
)
def test_too_large_is_413_and_the_rest_is_not_read(unattended: Rollcall, below: str, kind: str, most: int) -> None:
    """The body doesn't declare its size, and never ends."""
    taken = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal taken
        while True:
            taken += 10_000
            yield b"x" * 10_000

    path = f"{SUBSCRIPTIONS}/{conftest.subscribed(unattended).subscription_id}/{below}"
    answer = asked(unattended, "POST", path, content=endless(), headers={"Content-Type": kind})
    assert_problem(answer, 413, "file-too-large")
    assert most < taken <= most + 10_000


def test_one_address_too_many_is_refused_for_the_number_not_the_bytes(running: Served, subscription: str) -> None:
    """An address has at most 254 characters (RFC 5321, section 4.5.3.1.3, and its erratum 1690)."""
    domain = ".".join(["x" * 61] * 3 + ["com"])
    emails = [f"{number:064}@{domain}" for number in range(100_001)]
    assert len(emails[0]) == 254
    body = json.encode({"emails": emails})
    answer = running.client.post(f"{subscription}/groups/{uuid4()}/users", content=body, headers=JSON)
    assert_problem(answer, 400, "invalid", "emails")


BODY = b"POST /api/v1/subscriptions HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"


@pytest.mark.parametrize(
    ("sent", "status", "code"),
    [
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", 400, "malformed"),
        (b"GET / HTTP/1.1\r\n\r\n", 400, "malformed"),
        (b"GET / HTTP/x\r\nHost: localhost\r\n\r\n", 400, "malformed"),
        (b"GET /\xe9 HTTP/1.1\r\nHost: localhost\r\n\r\n", 400, "malformed"),
        (b"GET / HTTP/1.1\r\nHost: localhost\r\nno colon\r\n\r\n", 400, "malformed"),
        (b"GET / HTTP/1.1\r\nHost: localhost\r\nContent-Length: many\r\n\r\n", 400, "malformed"),
        (b"GET / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: odd\r\n\r\n", 400, "malformed"),
        (BODY + b"Transfer-Encoding: chunked\r\n\r\n5\r\n12345\r\nodd\r\n", 400, "malformed"),
        (b"GET / HTTP/1.1\r\nHost: localhost\r\nLong: " + b"x" * 100_000, 431, "headers-too-large"),
    ],
)
def test_malformed_http_is_answered_with_a_problem(running: Served, sent: bytes, status: int, code: str) -> None:
    where = urlsplit(running.url)
    with socket.create_connection((str(where.hostname), where.port or 0), GENEROUS_SECONDS) as connection:
        connection.sendall(sent)
        answer = http.client.HTTPResponse(connection)
        answer.begin()
        headers = dict(answer.headers)
        told = httpx.Response(answer.status, headers=headers, content=answer.read())
        assert_problem(told, status, code)
        assert_secured(told)
        assert connection.recv(1) == b"", "it is closed"
    (line,) = eventually(lambda: [each for each in running.log() if each.get("request_id") == headers["X-Request-Id"]])
    assert (line["level"], line["code"]) == ("info", code)
    assert not [each for each in running.log() if each["level"] == "error"]


def test_malformed_http_during_an_answer_breaks_it_off(running: Served, import_: str) -> None:
    where = urlsplit(running.url)
    with socket.create_connection((str(where.hostname), where.port or 0), GENEROUS_SECONDS) as connection:
        bearer = f"Authorization: Bearer {running.auth.of(import_)}"
        head = f"GET {import_}/progress HTTP/1.1\r\nHost: localhost\r\n{bearer}\r\nTransfer-Encoding: chunked\r\n\r\n"
        connection.sendall(head.encode())
        assert connection.recv(12) == b"HTTP/1.1 200"
        connection.sendall(b"odd\r\n\r\n")
        told = b"".join(iter(lambda: connection.recv(65_536), b""))
    assert b"problem" not in told
    assert not [each for each in running.log() if each["level"] == "error"]


def test_a_request_to_upgrade_is_answered_over_http(running: Served) -> None:
    headers = {
        "Connection": "Upgrade",
        "Upgrade": "websocket",
        "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Key": "eA==",
    }
    assert running.client.get("/health/live", headers=headers).json() == {"status": "live"}
    assert not [each for each in running.log() if "pgrade" in each["event"]]


def test_an_internal_error_reveals_only_the_request_id(
    idle: Rollcall, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail() -> None:
        raise RuntimeError("the password is 12345")

    monkeypatch.setattr(idle.datastore, "views", fail)
    answer = asked(idle, "GET", SUBSCRIPTIONS, headers={"X-Request-Id": "broken-1"})
    assert assert_problem(answer, 500, "internal") == {
        "type": "/problems/internal",
        "title": KINDS["internal"].title,
        "status": 500,
        "detail": "Something went wrong. Report it with this request_id.",
        "request_id": answer.headers["X-Request-Id"],
    }


@pytest.mark.parametrize("error", [psycopg.OperationalError("host=secret"), psycopg.errors.LockNotAvailable("secret")])
def test_an_unavailable_database_is_503(idle: Rollcall, monkeypatch: pytest.MonkeyPatch, error: psycopg.Error) -> None:
    def fail() -> None:
        raise error

    monkeypatch.setattr(idle.datastore, "views", fail)
    answer = asked(idle, "GET", SUBSCRIPTIONS)
    assert "secret" not in str(assert_problem(answer, 503, "busy"))
    assert int(answer.headers["Retry-After"]) > 0


def test_without_a_free_connection_the_answer_comes_before_clients_give_up(idle: Rollcall) -> None:
    pool = idle.datastore.pool
    assert pool.timeout <= 10
    pool.timeout = 0.01
    with ExitStack() as stack:
        for _ in range(pool.max_size):
            stack.enter_context(pool.connection(timeout=GENEROUS_SECONDS))
        answer = asked(idle, "GET", SUBSCRIPTIONS)
    assert_problem(answer, 503, "busy")
    assert int(answer.headers["Retry-After"]) > 0


def test_requests_are_503_while_the_database_is_away_and_work_again_afterwards(server: str, database: str) -> None:
    name = Identifier(str(conninfo_to_dict(database)["dbname"]))
    with served(database) as away, psycopg.connect(server, autocommit=True) as connection:
        connection.execute(SQL("ALTER DATABASE {} ALLOW_CONNECTIONS false").format(name))
        connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s",
            (conninfo_to_dict(database)["dbname"],),
        )
        ready = away.client.get("/health/ready")
        assert (ready.status_code, ready.json()) == (503, {"status": "database_away", "views": {}, "rebuilding": []})
        assert away.client.get("/health/live").status_code == 200
        connection.execute(SQL("ALTER DATABASE {} ALLOW_CONNECTIONS true").format(name))
        eventually(lambda: away.client.get("/health/ready").is_success)
        assert away.client.post(SUBSCRIPTIONS, json={"name": "Contoso", "seats": 1}).is_success  # or accepted


# --- kinds and ids --------------------------------------------------------------------------------------------------


def test_a_foreign_id_is_answered_byte_for_byte_as_a_missing_one(
    running: Served, subscription: str, import_: str
) -> None:
    created = running.client.post(SUBSCRIPTIONS, json={"name": "Fabrikam", "seats": 1})
    other, missing = created.headers["Location"], import_.rpartition("/")[2]
    for below in (
        "",
        "/groups",
        "/groups/1/users",
        "/problems",
        "/history",
        "/groups-added",
        "/memberships",
        "/file",
        "/report.csv",
        "/rows-not-added.csv",
    ):
        foreign = running.client.get(f"{other}/imports/{missing}{below}")
        unknown = str(uuid4())
        nowhere = running.client.get(f"{other}/imports/{unknown}{below}")
        assert without_request_id(foreign).replace(missing, "ID") == without_request_id(nowhere).replace(unknown, "ID")
        unimportant = {"date", "ratelimit-remaining", "ratelimit-reset", "x-request-id"}
        assert {k: v for k, v in foreign.headers.items() if k not in unimportant} == {
            k: v for k, v in nowhere.headers.items() if k not in unimportant
        }
        assert foreign.status_code == 404


def test_each_refusal_has_a_kind() -> None:
    refusals = [each for each in vars(errors).values() if isinstance(each, type) and issubclass(each, Refused)]
    codes = {each.code for each in refusals if each is not Refused} | {errors.Busy.code}
    assert len(codes) > 10
    assert codes <= set(KINDS)


@pytest.mark.parametrize("code", KINDS)
def test_each_kind_has_a_page_for_people(running: Served, code: str) -> None:
    page = running.client.get(f"/problems/{code}", headers={"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"})
    assert page.headers["Content-Type"] == "text/html; charset=utf-8"
    assert f"<h1>{KINDS[code].title}</h1>" in page.text
    assert '<html lang="en">' in page.text
    text = running.client.get(f"/problems/{code}")
    assert text.headers["Content-Type"] == "text/plain; charset=utf-8"
    assert KINDS[code].explanation in text.text


def test_each_response_has_a_request_id_of_its_own(running: Served, import_: str) -> None:
    """Whatever the client sent, so that nobody can make a request pass for another."""
    ids = [
        running.client.get(path, headers={"X-Request-Id": "trace-1"}).headers["X-Request-Id"]
        for path in (SUBSCRIPTIONS, "/nix", "/health/live", f"{import_}/file", f"{import_}/report.csv")
    ]
    with running.client.stream("GET", f"{import_}/progress", headers={"X-Request-Id": ids[0]}) as stream:
        ids.append(stream.headers["X-Request-Id"])
    assert all(UUID(each).version == 4 for each in ids)
    assert len(set(ids)) == len(ids)
