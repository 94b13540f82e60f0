"""The security headers of every response, and the requests that are accepted."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from adapters.console.pages import BUILD
from tests.adapters.server.serving import Served, served
from tests.waiting import eventually

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.database

PUBLIC = "https://rollcall.example"
STYLESHEET = f"/static/{BUILD}/rollcall.css"
SCRIPT = f'<script type="module" src="/static/{BUILD}/rollcall.js">'
PAGES = (
    "/",
    "/sessions",
    "/sign-in",
    "/sign-in/link/x",
    "/sign-in/oidc/callback",
    "/api/v1/docs",
    STYLESHEET,
    "/nix",
)
EXAMPLES = {"number": "1", "code": "stale", "email": "a@example.com", "name": "user-based.csv", "role": "auditor"}


@pytest.fixture(scope="module")
def public(module_database: str) -> Iterator[Served]:
    environment = {"ROLLCALL_PUBLIC_URL": PUBLIC, "ROLLCALL_LIMIT_SIGN_INS": "10_000"}
    with served(module_database, environment=environment) as server:
        yield server


def routes(server: Served) -> dict[str, set[str]]:
    """Return the paths of the API, filled with ids that don't exist, and their methods."""
    document: dict[str, Any] = server.client.get("/api/v1/openapi.json").json()
    return {
        re.sub("{(.*?)}", lambda name: EXAMPLES.get(name[1], "0" * 32), path): {each.upper() for each in methods}
        for path, methods in document["paths"].items()
    }


# --- headers --------------------------------------------------------------------------------------------------------


def policy(answer: httpx.Response) -> dict[str, str]:
    (said,) = answer.headers.get_list("content-security-policy")
    return {name: value for name, _, value in (each.strip().partition(" ") for each in said.split(";"))}


def assert_secured(answer: httpx.Response) -> None:
    told = policy(answer)
    assert told["default-src"] == told["frame-ancestors"] == told["base-uri"] == "'none'"
    assert "unsafe" not in told.get("script-src", "'none'")
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Referrer-Policy"] == "same-origin"
    assert answer.headers["Cross-Origin-Opener-Policy"] == "same-origin"
    assert answer.headers["Cross-Origin-Resource-Policy"] == "same-origin"
    assert answer.headers["Cache-Control"]
    assert "Server" not in answer.headers


def test_each_route_has_the_security_headers(running: Served) -> None:
    paths = routes(running) | {path: {"GET", "POST"} for path in PAGES}
    assert len(paths) > 25
    for path, methods in paths.items():
        for method in methods | {"OPTIONS"}:
            assert_secured(running.client.request(method, path))
        assert_secured(running.client.get(path, headers={"Authorization": "Bearer nonsense"}))


def test_what_is_for_one_person_is_not_cached(running: Served) -> None:
    for path in ("/", "/sign-in", "/api/v1/subscriptions", "/api/v1/nix"):
        assert running.client.get(path).headers["Cache-Control"] == "no-store"
    for path in (STYLESHEET, "/api/v1/docs/swagger-ui.css"):
        assert "max-age" in running.client.get(path).headers["Cache-Control"]


def test_pages_load_scripts_and_styles_only_from_our_files(running: Served) -> None:
    for path in ("/sign-in", "/sign-in/link/x", "/problems/stale"):
        page = running.client.get(path, headers={"Accept": "text/html"})
        assert page.headers["Content-Type"].startswith("text/html")
        assert re.findall("<script[^>]*>", page.text) == ([] if path == "/sign-in" else [SCRIPT])
        assert "style=" not in page.text
        assert "<style" not in page.text
        assert policy(page)["style-src"] == "'self'"
        assert policy(page).get("script-src") == (None if path == "/sign-in" else "'self'")
    assert policy(running.client.get("/api/v1/subscriptions")).get("style-src") is None


def test_transport_security_goes_with_a_public_url(running: Served, public: Served) -> None:
    assert "Strict-Transport-Security" not in running.client.get("/sign-in").headers
    assert public.client.get("/sign-in").headers["Strict-Transport-Security"].startswith("max-age=")


# --- hosts ----------------------------------------------------------------------------------------------------------


def test_a_request_for_another_host_is_refused(running: Served, public: Served) -> None:
    for server, host in ((running, "evil.example"), (running, "rollcall.example"), (public, "rollcall.example.evil")):
        for path in ("/sign-in", "/api/v1/subscriptions", "/health/live", "/nix"):
            answer = server.client.get(path, headers={"Host": host})
            assert (answer.status_code, answer.json()["type"]) == (421, "/problems/misdirected")
            assert answer.headers["Content-Type"] == "application/problem+json"
            assert answer.json()["request_id"] == answer.headers["X-Request-Id"]
            assert "evil" not in answer.text
            assert_secured(answer)
    for host in ("rollcall.example", "localhost", "10.0.0.7:8000"):
        assert public.client.get("/health/live", headers={"Host": host}).status_code == 200


# --- other sites ----------------------------------------------------------------------------------------------------

OWN = "http://localhost:8000"
COOKIE = {"Cookie": "rollcall=x", "Host": "localhost:8000"}
UNSAFE = {"POST", "PUT", "PATCH", "DELETE"}
FROM = [
    # Sec-Fetch-Site, Origin, whether it is one of our pages
    ("same-origin", None, True),
    ("same-origin", OWN, True),
    ("none", None, True),
    ("same-site", None, False),
    ("same-site", OWN, False),
    ("cross-site", None, False),
    ("cross-site", OWN, False),
    ("nonsense", OWN, False),
    ("", OWN, False),
    (None, OWN, True),
    (None, "https://evil.example", False),
    (None, "http://localhost:9000", False),
    (None, "null", False),
    (None, "", False),
    (None, None, False),
]


def asked(server: Served, method: str, path: str, fetched: str | None, origin: str | None, **more: str) -> str | None:
    """Return the code of the problem that a request from an origin gets."""
    given = (
        {"Sec-Fetch-Site": fetched, "Origin": origin} | COOKIE | {name.title(): value for name, value in more.items()}
    )
    headers = {name: value for name, value in given.items() if value is not None}
    answer = server.client.request(method, path, headers=headers, auth=None)
    if not answer.headers.get("content-type", "").startswith("application/problem+json"):
        return "cross-site" if "Cross-site request blocked" in answer.text else None
    return str(answer.json()["type"]).rpartition("/")[2]


@pytest.mark.parametrize(("fetched", "origin", "own"), FROM)
def test_changes_by_cookie_must_come_from_one_of_our_pages(
    running: Served,
    fetched: str | None,
    origin: str | None,
    own: bool,  # noqa: FBT001 - a column of the table
) -> None:
    found = asked(running, "POST", "/api/v1/subscriptions", fetched, origin)
    assert found == ("unauthenticated" if own else "cross-site")
    assert asked(running, "GET", "/api/v1/subscriptions", fetched, origin) == "unauthenticated"
    assert asked(running, "OPTIONS", "/api/v1/subscriptions", fetched, origin) != "cross-site"
    by_program = asked(running, "POST", "/api/v1/subscriptions", fetched, origin, authorization="Bearer x")
    assert by_program == "unauthenticated"
    for path in ("/sign-in/oidc", "/sign-in/link/x", "/sign-out"):  # with a cookie or without one
        assert (asked(running, "POST", path, fetched, origin) == "cross-site") is not own
        assert (asked(running, "POST", path, fetched, origin, cookie="x=y") == "cross-site") is not own
        for sent in ("", "Bearer x", "Basic eDp5"):  # a token means nothing there
            assert (asked(running, "POST", path, fetched, origin, authorization=sent) == "cross-site") is not own


def test_each_route_that_changes_something_checks_that(running: Served) -> None:
    unsafe = [(method, path) for path, methods in routes(running).items() for method in methods & UNSAFE]
    assert len(unsafe) >= 8
    for method, path in unsafe:
        assert asked(running, method, path, "cross-site", None) == "cross-site", path


def test_a_program_without_a_cookie_is_asked_to_authenticate(running: Served) -> None:
    answer = httpx.post(f"{running.url}/api/v1/subscriptions", json={})
    assert (answer.status_code, answer.json()["type"]) == (401, "/problems/unauthenticated")


def test_the_public_origin_is_ours_behind_a_proxy(public: Served) -> None:
    headers = {"Origin": PUBLIC, "Cookie": "__Host-rollcall=x"}
    answer = httpx.post(f"{public.url}/sign-out", headers=headers)
    assert answer.status_code == 303
    (cookie,) = answer.headers.get_list("set-cookie")
    assert cookie.startswith("__Host-rollcall=")
    assert "Secure" in cookie
    refused = httpx.post(f"{public.url}/sign-out", headers={"Origin": "http://rollcall.example"})
    assert refused.status_code == 403


def whole(url: str) -> httpx.Request:
    """Return a request whose target is a whole URL, and whose header names another host."""
    return httpx.Request("GET", url, headers={"Host": "evil.example"}, extensions={"target": url.encode()})


def test_a_whole_url_is_taken_for_its_path_and_its_host(running: Served, subscription: str) -> None:
    """Servers have to ignore the header then (RFC 9112, section 3.2.2; findings/uvicorn-takes-a-url-for-a-path.sh)."""
    port = httpx.URL(running.url).port
    for url in (f"{running.url}/health/live", f"HTTP://localhost:{port}/health/%6Cive"):
        assert running.client.send(whole(url)).json() == {"status": "live"}
    asked = whole(f"{running.url}{subscription}/groups?limit=1")
    asked.headers["Authorization"] = f"Bearer {running.auth.of(subscription)}"
    assert running.client.send(asked).status_code == 200
    assert eventually(lambda: f"{subscription}/groups" in [each.get("path") for each in running.log()])
    assert running.client.send(whole(running.url)).is_success, "a URL without a path is that of /"


@pytest.mark.parametrize("host", ["evil.example", "localhost@evil.example", ""])
def test_a_whole_url_of_another_host_is_refused(running: Served, host: str) -> None:
    request = httpx.Request("GET", f"{running.url}/health/live")
    request.extensions = {"target": f"http://{host}/health/live".encode()}
    answer = running.client.send(request)
    assert (answer.status_code, answer.json()["type"]) == (421, "/problems/misdirected")
